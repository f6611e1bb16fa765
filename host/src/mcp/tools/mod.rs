//! The tools as MCP shows them: names, descriptions, hints, schemas. One file per family.

mod groups;
mod lifecycle;
mod logs;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hostler_api::schema::{schema_of, shape_of};
use hostler_api::{ToolError, arguments};
use rmcp::model::{Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::daemon::service::{Client, Patience, Service};

/// One call of a tool.
pub(super) struct Call {
    pub(super) service: Arc<Service>,
    pub(super) client: Arc<Client>,
    pub(super) patience: Patience,
    pub(super) arguments: Map<String, Value>,
}

/// What a tool answers: the same facts twice, since some clients show the model only one of them.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) structured: Value,
    pub(super) is_error: bool,
}

type Run = Box<dyn Fn(Call) -> BoxFuture<'static, Result<Answer, ToolError>> + Send + Sync>;

/// A tool: how it is shown, and what it does.
pub(super) struct ToolDef {
    pub(super) tool: Tool,
    pub(super) run: Run,
}

/// All tools, in the order in which clients see them.
pub(super) fn all() -> Vec<ToolDef> {
    let mut all = lifecycle::tools();
    all.extend(logs::tools());
    all.extend(groups::tools());
    all
}

/// What a call does to the world; all four hints are explicit on every tool.
#[derive(Clone, Copy)]
struct Hints {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
}

const READS: Hints = Hints { read_only: true, destructive: false, idempotent: true };

/// How a result is told in words; `None` for its JSON.
trait InWords {
    fn words(&self) -> Option<String> {
        None
    }

    /// Whether it is a failure that the caller should act on.
    fn is_failure(&self) -> bool {
        false
    }
}

/// Makes a tool of a function of the service.
fn tool<Request, Response, Work>(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    hints: Hints,
    work: fn(Arc<Service>, Arc<Client>, Request, Patience) -> Work,
) -> ToolDef
where
    Request: DeserializeOwned + JsonSchema + Send + 'static,
    Response: Serialize + JsonSchema + InWords + 'static,
    Work: Future<Output = Result<Response, ToolError>> + Send + 'static,
{
    let input = Arc::new(schema_of::<Request>());
    let annotations = ToolAnnotations::from_raw(
        Some(title.to_owned()),
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(false),
    );
    let shown = Tool::new(name, description, input.clone())
        .with_title(title)
        .with_raw_output_schema(Arc::new(shape_of::<Response>()))
        .with_annotations(annotations);
    let run: Run = Box::new(move |call: Call| {
        let request = arguments::read::<Request>(name, &input, call.arguments);
        Box::pin(async move { answer(work(call.service, call.client, request?, call.patience).await?) })
    });
    ToolDef { tool: shown, run }
}

fn answer<Response: Serialize + InWords>(response: Response) -> Result<Answer, ToolError> {
    let structured = serde_json::to_value(&response).map_err(|e| ToolError::internal(e.to_string()))?;
    let text = response.words().unwrap_or_else(|| structured.to_string());
    Ok(Answer { text, structured, is_error: response.is_failure() })
}
