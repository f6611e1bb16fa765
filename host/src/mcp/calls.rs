//! Carrying out a call of a tool: apart from others, watched, and told to hurry when nobody waits for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostler_api::{ErrorKind, ToolError};
use hostler_model::nearest::nearest;
use rmcp::RoleServer;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject, ProgressNotificationParam, Resource};
use rmcp::service::RequestContext;
use serde_json::{Map, Value};

use super::server::Server;
use super::tools::{self, Answer, Call, ToolDef};
use crate::daemon::service::Patience;

/// A client that asked to hear of progress does so this often.
const PROGRESS: Duration = Duration::from_secs(2);

impl Server {
    /// Runs a call in a task of its own: a panic costs its answer only, and a client that leaves does not
    /// tear a half-done operation apart. Who waits is told to hurry by the token.
    pub(super) async fn run(
        &self,
        tool: &'static ToolDef,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Answer, ToolError> {
        let reads = tool.tool.annotations.as_ref().and_then(|hints| hints.read_only_hint).unwrap_or(false);
        self.service.count_call(&self.client, &tool.tool.name, reads)?;
        let cut_short = self.closing.child_token();
        let client = match context.client_info() {
            Some(said) => Arc::new(self.client.named(&said.name)),
            None => self.client.clone(),
        };
        let call = Call {
            service: self.service.clone(),
            client,
            patience: Patience { cut_short: cut_short.clone() },
            arguments,
        };
        let mut task = tokio::spawn(async move { (tool.run)(call).await });
        let outcome = tokio::select! {
            outcome = &mut task => outcome,
            () = context.ct.cancelled() => {
                cut_short.cancel();
                task.await
            }
            () = tell_progress(&tool.tool.name, context) => task.await,
        };
        survived(&tool.tool.name, &self.service.home.log(), outcome)
    }

    pub(super) fn unknown_tool(&self, name: &str) -> ToolError {
        let names: Vec<&str> = self.tools.iter().map(|t| t.tool.name.as_ref()).collect();
        let shown: String = name.chars().take(100).collect();
        if tools::families().iter().any(|f| f.tools.iter().any(|t| t.tool.name == name)) {
            let message = format!(
                "`{shown}` is not offered to this client: its `hostler mcp` was started with --read-only or --tools. \
                 There are: {}",
                names.join(", ")
            );
            return ToolError::new(ErrorKind::Forbidden, message);
        }
        let hint =
            nearest(name, names.iter().copied()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
        ToolError::new(
            ErrorKind::NotFound,
            format!("no tool `{shown}`; {hint}There are: {}", names.join(", ")),
        )
    }
}

/// What became of a call. One that panicked costs its own answer, and is told as a failure.
fn survived(
    tool: &str,
    log: &Path,
    outcome: Result<Result<Answer, ToolError>, tokio::task::JoinError>,
) -> Result<Answer, ToolError> {
    outcome.unwrap_or_else(|panicked| {
        tracing::error!(tool, %panicked, "a call panicked");
        Err(ToolError::internal(format!(
            "{tool} failed inside the daemon, which runs on; its log has more ({})",
            log.display()
        )))
    })
}

/// Says every now and then that the call is still at work, to a client that asked for it. Never ends otherwise.
async fn tell_progress(tool: &str, context: &RequestContext<RoleServer>) {
    let Some(token) = context.meta.get_progress_token() else {
        return std::future::pending().await;
    };
    let began = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(PROGRESS).await;
        let seconds = began.elapsed().as_secs();
        let progress = ProgressNotificationParam::new(token.clone(), seconds as f64)
            .with_message(format!("{tool} has been waiting for {seconds} s"));
        if context.peer.notify_progress(progress).await.is_err() {
            return;
        }
    }
}

pub(super) fn success(answer: Answer, link: Option<Resource>) -> CallToolResult {
    let mut content = vec![ContentBlock::text(answer.text)];
    content.extend(link.map(ContentBlock::ResourceLink));
    let mut result = CallToolResult::success(content);
    result.structured_content = Some(answer.structured);
    result.is_error = Some(answer.is_error);
    result
}

pub(super) fn failure(error: &ToolError) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(error.message.clone())]);
    let mut meta = MetaObject::default();
    meta.insert("hostler/error".to_owned(), serde_json::to_value(error.kind).unwrap_or_default());
    result.meta = Some(meta);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_its_own_answer_only() {
        let panicking = tokio::spawn(async { panic!("a tool that panics, for a test") });
        let error = survived("get_logs", Path::new("/x/daemon.log"), panicking.await).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(
            error.message.contains("get_logs") && error.message.contains("/x/daemon.log"),
            "{}",
            error.message
        );
    }
}
