//! The tools as MCP shows them: names, descriptions, hints, schemas. One file per family.

mod errors;
mod groups;
mod health;
mod lifecycle;
mod logs;
mod monitoring;
mod stack;

use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use hostler_api::connection::Selection;
use hostler_api::schema::{Said, outline, schema_of, shown};
use hostler_api::{ErrorKind, ToolError, arguments};
use hostler_model::errors::Redactor;
use hostler_model::nearest::nearest;
use rmcp::model::{Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

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
pub(crate) struct ToolDef {
    pub(super) tool: Tool,
    /// The whole schema of its arguments, which checks them.
    pub(super) input: Arc<Map<String, Value>>,
    /// The whole schema of its result.
    pub(super) output: Map<String, Value>,
    pub(super) run: Run,
}

/// A family of tools, by its name on the command line.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) tools: Vec<ToolDef>,
}

/// All tools, in the order in which clients see them.
pub(crate) fn families() -> &'static [Family] {
    static ALL: LazyLock<Vec<Family>> = LazyLock::new(|| {
        let family = |name, tools| Family { name, tools };
        vec![
            family("lifecycle", lifecycle::tools()),
            family("monitoring", monitoring::tools().into_iter().chain(health::tools()).collect()),
            family("logs", logs::tools()),
            family("errors", errors::tools()),
            family("groups", groups::tools()),
            family("stack", stack::tools()),
        ]
    });
    &ALL
}

/// Whether all that is selected exists.
///
/// # Errors
/// Names what does not, and what does.
pub(crate) fn check_selection(selection: &Selection) -> Result<(), ToolError> {
    let known: Vec<&str> = families()
        .iter()
        .flat_map(|f| std::iter::once(f.name).chain(f.tools.iter().map(|t| t.tool.name.as_ref())))
        .collect();
    let Some(unknown) = selection.tools.iter().find(|name| !known.contains(&name.as_str())) else {
        return Ok(());
    };
    let hint =
        nearest(unknown, known.iter().copied()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
    let families: Vec<&str> = families().iter().map(|f| f.name).collect();
    Err(ToolError::invalid(format!(
        "no tools `{unknown}`; {hint}There are the families {}, and each tool by its name",
        families.join(", ")
    )))
}

/// What a tool answers to the daemon itself; nobody waits for it long.
pub(super) async fn ask(
    def: &ToolDef,
    service: &Arc<Service>,
    client: &Arc<Client>,
    arguments: &Value,
) -> Result<Answer, ToolError> {
    let call = Call {
        service: service.clone(),
        client: client.clone(),
        patience: Patience { cut_short: CancellationToken::new() },
        arguments: arguments.as_object().cloned().unwrap_or_default(),
    };
    (def.run)(call).await
}

/// The structured answer of a tool by its name, to the daemon itself.
pub(super) async fn structured(
    name: &str,
    service: &Arc<Service>,
    client: &Arc<Client>,
    arguments: Value,
) -> Result<Value, ToolError> {
    match families().iter().flat_map(|f| &f.tools).find(|t| t.tool.name == name) {
        Some(def) => Ok(ask(def, service, client, &arguments).await?.structured),
        None => Err(ToolError::new(ErrorKind::NotConfigured, format!("there is no {name}"))),
    }
}

/// The tools of a selection, in their order.
pub(super) fn selected(selection: &Selection) -> Vec<&'static ToolDef> {
    let wants = |family: &Family, def: &ToolDef| {
        let named = |name: &String| name == family.name || *name == def.tool.name;
        let reads = def.tool.annotations.as_ref().and_then(|hints| hints.read_only_hint) == Some(true);
        (selection.tools.is_empty() || selection.tools.iter().any(named)) && (reads || !selection.read_only)
    };
    families().iter().flat_map(|f| f.tools.iter().filter(move |def| wants(f, def))).collect()
}

/// The tools as a list shows them: what was explained with one is not explained again with the next.
pub(super) fn listed(tools: &[&ToolDef]) -> Vec<Tool> {
    let mut said = Said::default();
    let list = |def: &&ToolDef| {
        let mut tool = def.tool.clone();
        said.leave_out(Arc::make_mut(&mut tool.input_schema));
        tool
    };
    tools.iter().map(list).collect()
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
        // The tool's own title; here it would be the same again.
        None,
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(false),
    );
    let output = schema_of::<Response>();
    let tool = Tool::new(name, description, Arc::new(shown(&input)))
        .with_title(title)
        .with_raw_output_schema(Arc::new(outline(&output)))
        .with_annotations(annotations);
    let checks = input.clone();
    let run: Run = Box::new(move |call: Call| {
        let redactor = call.service.errors.redactor();
        let request = arguments::read::<Request>(name, &checks, call.arguments);
        let response = async move { work(call.service, call.client, request?, call.patience).await };
        Box::pin(async move {
            let answered = response.await.and_then(|response| answer(&response, &redactor));
            answered.map_err(|error| ToolError { message: redactor.redact(&error.message), ..error })
        })
    });
    ToolDef { tool, input, output, run }
}

/// The answer in both its forms, without secrets.
fn answer<Response: Serialize + InWords>(
    response: &Response,
    redactor: &Redactor,
) -> Result<Answer, ToolError> {
    let mut structured = serde_json::to_value(response).map_err(|e| ToolError::internal(e.to_string()))?;
    redactor.redact_json(&mut structured);
    let text = response.words().map_or_else(|| structured.to_string(), |words| redactor.redact(&words));
    Ok(Answer { text, structured, is_error: response.is_failure() })
}
