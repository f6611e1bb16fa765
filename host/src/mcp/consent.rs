//! Asking the person before what cannot be taken back: in either era of the protocol, where the client can ask.
//! Who says `confirm: true` beforehand is not asked, and a client that cannot ask is not held up.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_api::logs::ClearLogs;
use hostler_api::process::KillProcess;
use hostler_api::{ErrorKind, ToolError, arguments};
use hostler_model::Signal;
use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, InputRequest,
    InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::tools::ToolDef;

/// A person has this long.
const PATIENCE: Duration = Duration::from_secs(50);
/// The name of the question, and of the field of the answer.
const CONFIRM: &str = "confirm";

/// Whether a call may go on.
pub(super) enum Consent {
    Given,
    /// The client has to ask first, and to call again with the answer.
    Ask(Box<InputRequiredResult>),
}

/// Asks, where that is to be done.
///
/// # Errors
/// When the person says no, or nothing.
pub(super) async fn sought(
    tool: &ToolDef,
    arguments: &Map<String, Value>,
    responses: Option<&InputResponses>,
    context: &RequestContext<RoleServer>,
) -> Result<Consent, ToolError> {
    let Some(question) = question(tool, arguments) else { return Ok(Consent::Given) };
    let asks = context.client_capabilities().is_some_and(|c| c.elicitation.is_some());
    if !asks {
        return Ok(Consent::Given);
    }
    let is_modern =
        context.protocol_version().is_some_and(|v| v.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    if is_modern {
        let Some(answer) = responses.and_then(|r| r.get(CONFIRM)) else {
            let request = InputRequest::Elicitation(ElicitRequest::new(form(question)));
            let requests = BTreeMap::from([(CONFIRM.to_owned(), request)]);
            return Ok(Consent::Ask(Box::new(InputRequiredResult::from_input_requests(requests))));
        };
        let answer = serde_json::from_value(answer.clone())
            .map_err(|error| ToolError::invalid(format!("inputResponses.{CONFIRM}: {error}")))?;
        return judged(&answer);
    }
    let asked = context.peer.create_elicitation_with_timeout(form(question), Some(PATIENCE)).await;
    match asked {
        Ok(answer) => judged(&answer),
        Err(error) => Err(ToolError::new(
            ErrorKind::Forbidden,
            format!("nothing was done: nobody confirmed it ({error}). Call again, or with `confirm: true`"),
        )),
    }
}

/// What is to be asked before a call; nothing before most of them. The arguments are read as the call itself reads
/// them, so that no spelling of them passes by the question. A call that will be refused asks nothing.
fn question(tool: &ToolDef, arguments: &Map<String, Value>) -> Option<String> {
    match tool.tool.name.as_ref() {
        "clear_logs" => before_clearing(&meant(tool, arguments)?),
        "kill_process" => before_killing(&meant(tool, arguments)?),
        _ => None,
    }
}

fn meant<T: DeserializeOwned>(tool: &ToolDef, arguments: &Map<String, Value>) -> Option<T> {
    arguments::read(&tool.tool.name, &tool.input, arguments.clone()).ok()
}

fn before_clearing(call: &ClearLogs) -> Option<String> {
    if !call.all || call.dry_run || call.confirm {
        return None;
    }
    let project = match &call.project {
        Some(project) => format!("the project `{}`", short(project)),
        None => "this project".to_owned(),
    };
    let before =
        call.before.as_ref().map(|before| format!(", as far as it is older than `{}`", short(before)));
    Some(format!("Delete the kept output of all processes of {project}{}?", before.unwrap_or_default()))
}

/// Signals that end nothing are not asked about.
fn before_killing(call: &KillProcess) -> Option<String> {
    let group = call.group.as_ref().filter(|_| !call.confirm)?;
    let signal = match &call.signal {
        Some(signal) => signal.parse().ok()?,
        None => Signal::KILL,
    };
    if !signal.is_terminating() {
        return None;
    }
    let group = short(group);
    Some(match signal {
        Signal::KILL => format!("Kill all processes of the group `{group}`, without a chance to clean up?"),
        other => format!("End all processes of the group `{group}` with {other}?"),
    })
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn form(question: String) -> ElicitRequestParams {
    let mut fields = BTreeMap::new();
    let confirm = rmcp::model::BooleanSchema::new().title("Do it");
    fields.insert(CONFIRM.to_owned(), rmcp::model::PrimitiveSchemaDefinition::Boolean(confirm));
    let schema = ElicitationSchema::new(fields).with_required(vec![CONFIRM.to_owned()]);
    ElicitRequestParams::FormElicitationParams { meta: None, message: question, requested_schema: schema }
}

fn judged(answer: &ElicitResult) -> Result<Consent, ToolError> {
    let says_no = answer.content.as_ref().and_then(|c| c.get(CONFIRM)) == Some(&Value::Bool(false));
    match answer.action {
        ElicitationAction::Accept if !says_no => Ok(Consent::Given),
        _ => Err(ToolError::new(ErrorKind::Forbidden, "nothing was done: the person said no")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(tool: &str, arguments: &Value) -> Option<String> {
        let all = crate::mcp::tools::families().iter().flat_map(|f| &f.tools);
        let tool = all.into_iter().find(|t| t.tool.name == tool).unwrap();
        question(tool, arguments.as_object().unwrap())
    }

    #[test]
    fn only_what_cannot_be_taken_back_is_asked_for() {
        for (tool, arguments, wanted) in [
            ("clear_logs", json!({"all": true}), Some("of this project?")),
            ("clear_logs", json!({"all": true, "before": "7d"}), Some("older than `7d`?")),
            ("clear_logs", json!({"all": true, "project": "shop"}), Some("of the project `shop`?")),
            ("clear_logs", json!({"all": true, "confirm": true}), None),
            ("clear_logs", json!({"all": true, "dry_run": true}), None),
            ("clear_logs", json!({"process": "web"}), None),
            ("kill_process", json!({"group": "stack"}), Some("without a chance")),
            ("kill_process", json!({"group": "stack", "signal": "SIGTERM"}), Some("with SIGTERM?")),
            ("kill_process", json!({"group": "stack", "signal": "CONT"}), None),
            ("kill_process", json!({"group": "stack", "signal": "HUP"}), None),
            ("kill_process", json!({"group": "stack", "confirm": true}), None),
            ("kill_process", json!({"process": "web"}), None),
            ("stop_process", json!({"process": "web"}), None),
        ] {
            let asked = asked(tool, &arguments);
            match wanted {
                Some(wanted) => {
                    assert!(asked.as_ref().is_some_and(|a| a.contains(wanted)), "{arguments}: {asked:?}")
                }
                None => assert_eq!(asked, None, "{tool} {arguments}"),
            }
        }
    }

    /// Whatever the call understands, the question understands too.
    #[test]
    fn no_spelling_passes_by_the_question() {
        for (tool, arguments) in [
            ("clear_logs", json!({"all": "true"})),
            ("clear_logs", json!({"all": " TRUE "})),
            ("clear_logs", json!({"all": true, "dry_run": "false", "confirm": "False"})),
            ("clear_logs", json!({"all": true, "confirm": null})),
            ("kill_process", json!({"group": 7})),
            ("kill_process", json!({"group": "stack", "signal": 9})),
            ("kill_process", json!({"group": "stack", "signal": "kill"})),
        ] {
            assert!(asked(tool, &arguments).is_some(), "{tool} {arguments}");
        }
        for arguments in [json!({"all": true, "confirm": "true"}), json!({"all": "true", "dry_run": "True"})]
        {
            assert_eq!(asked("clear_logs", &arguments), None, "{arguments}");
        }
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        let judge = |answer: Value| judged(&serde_json::from_value(answer).unwrap()).is_ok();
        assert!(judge(json!({"action": "accept", "content": {"confirm": true}})));
        assert!(!judge(json!({"action": "accept", "content": {"confirm": false}})));
        assert!(!judge(json!({"action": "decline"})));
        assert!(!judge(json!({"action": "cancel"})));
    }
}
