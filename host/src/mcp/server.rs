//! The MCP handler of one connection: it translates, and decides nothing.

use std::sync::Arc;

use hostler_api::connection::Selection;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::nearest::nearest;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest,
    CustomResult, ErrorCode, ErrorData, Implementation, ListToolsResult, MetaObject, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::tools::{self, Answer, Call, ToolDef};
use crate::daemon::service::{Client, Patience, Service};

/// Private methods of the command line; they are about the daemon, not about processes.
pub(crate) const STATUS_METHOD: &str = "hostler/daemon/status";
pub(crate) const STOP_METHOD: &str = "hostler/daemon/stop";

/// How long a client may keep the list of tools: it changes with the version only.
const TOOLS_TTL_MS: u64 = 3_600_000;

/// What an agent should know before its first call. At most 2,048 characters.
const INSTRUCTIONS: &str = "\
hostler starts programs, keeps them running when this session ends, and explains what happened to them.
- Start with start_process {name, command}. It answers when the program runs, or with evidence (exit, last lines, who holds the port) when it does not. Wait for more with wait_for_log (a line that says it is ready) or wait_for: \"exited\" (one-off jobs).
- Starting what runs and stopping what is stopped is safe: the answer is its state. To change a declaration, use restart_process with the new parameters.
- Commands run without a shell: no pipes, redirections, && or $VARIABLES. Start one process for each, or a script file of the project.
- Output is kept. get_logs shows the newest lines; tail_logs with the cursor of the answer before and follow: true waits for newer ones.
- Calls that wait return within 55 seconds with done: false; call again.
- Processes belong to the project of the client's directory; `process` takes a name, project/name or an id. stop_process ends the whole tree, descendants included.";

/// The handler of one connection.
pub(super) struct Server {
    service: Arc<Service>,
    client: Arc<Client>,
    tools: Vec<&'static ToolDef>,
    closing: CancellationToken,
}

impl Server {
    pub(super) fn new(
        service: Arc<Service>,
        client: Arc<Client>,
        selection: &Selection,
        closing: CancellationToken,
    ) -> Self {
        let tools = tools::selected(selection);
        Self { service, client, tools, closing }
    }

    /// Runs a call in a task of its own: a panic costs its answer only, and a client that leaves does not
    /// tear a half-done operation apart. Who waits is told to hurry by the token.
    async fn run(
        &self,
        tool: &ToolDef,
        arguments: Value,
        cancelled: CancellationToken,
    ) -> Result<Answer, ToolError> {
        let Value::Object(arguments) = arguments else {
            return Err(ToolError::invalid(format!("{}: the arguments must be an object", tool.tool.name)));
        };
        let cut_short = self.closing.child_token();
        let call = Call {
            service: self.service.clone(),
            client: self.client.clone(),
            patience: Patience { cut_short: cut_short.clone() },
            arguments,
        };
        let mut task = tokio::spawn((tool.run)(call));
        let outcome = tokio::select! {
            outcome = &mut task => outcome,
            () = cancelled.cancelled() => {
                cut_short.cancel();
                task.await
            }
        };
        outcome.unwrap_or_else(|panicked| {
            tracing::error!(tool = %tool.tool.name, %panicked, "a call panicked");
            Err(ToolError::internal(format!(
                "{} failed inside the daemon, which runs on; its log has more ({})",
                tool.tool.name,
                self.service.home.log().display()
            )))
        })
    }

    fn unknown_tool(&self, name: &str) -> ToolError {
        let names: Vec<&str> = self.tools.iter().map(|t| t.tool.name.as_ref()).collect();
        let hint =
            nearest(name, names.iter().copied()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
        let shown: String = name.chars().take(100).collect();
        if tools::families().iter().any(|f| f.tools.iter().any(|t| t.tool.name == name)) {
            let message = format!(
                "`{shown}` is not offered to this client: its `hostler mcp` was started with --read-only or --tools. \
                 There are: {}",
                names.join(", ")
            );
            return ToolError::new(ErrorKind::Forbidden, message);
        }
        ToolError::new(
            ErrorKind::NotFound,
            format!("no tool `{shown}`; {hint}There are: {}", names.join(", ")),
        )
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut implementation = Implementation::new("hostler", env!("CARGO_PKG_VERSION"));
        implementation.title = Some("hostler process supervisor".to_owned());
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::listed(&self.tools))
            .with_ttl_ms(TOOLS_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|t| t.tool.name == name).map(|t| t.tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let outcome = match self.tools.iter().find(|t| t.tool.name == request.name) {
            Some(tool) => {
                let arguments = Value::Object(request.arguments.unwrap_or_default());
                self.run(tool, arguments, context.ct.clone()).await
            }
            None => Err(self.unknown_tool(&request.name)),
        };
        Ok(match outcome {
            Ok(answer) => success(answer),
            Err(error) => failure(&error),
        }
        .into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let to_value =
            |v| serde_json::to_value(v).map_err(|e| ErrorData::internal_error(e.to_string(), None));
        match request.method.as_str() {
            STATUS_METHOD => Ok(CustomResult(to_value(self.service.daemon_status())?)),
            STOP_METHOD => {
                self.service.stop_requested.notify_one();
                Ok(CustomResult(to_value(self.service.daemon_status())?))
            }
            // A request that has a known method and ended up here does not have its form.
            "tools/call" => Err(ErrorData::invalid_params(
                "tools/call takes params {\"name\": \"TOOL\", \"arguments\": {…}}; tools/list has the names",
                None,
            )),
            method => Err(ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                format!("no method `{method}`; this server has tools/list and tools/call"),
                None,
            )),
        }
    }
}

fn success(answer: Answer) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(answer.text)]);
    result.structured_content = Some(answer.structured);
    result.is_error = Some(answer.is_error);
    result
}

fn failure(error: &ToolError) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(error.message.clone())]);
    let mut meta = MetaObject::default();
    meta.insert("hostler/error".to_owned(), serde_json::to_value(error.kind).unwrap_or_default());
    result.meta = Some(meta);
    result
}
