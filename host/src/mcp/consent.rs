//! Asking the person before what cannot be taken back: in either era of the protocol, where the client can ask.
//! Who says `confirm: true` beforehand is not asked, and a client that cannot ask is not held up.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_api::{ErrorKind, ToolError};
use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, InputRequest,
    InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::{Map, Value};

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
    tool: &str,
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

/// What is to be asked before a call; nothing before most of them.
fn question(tool: &str, arguments: &Map<String, Value>) -> Option<String> {
    let says = |name: &str| arguments.get(name) == Some(&Value::Bool(true));
    if says(CONFIRM) {
        return None;
    }
    match tool {
        "clear_logs" if says("all") && !says("dry_run") => {
            Some("Delete the kept output of all processes of this project?".to_owned())
        }
        "kill_process" => {
            let group: String = arguments.get("group")?.as_str()?.chars().take(100).collect();
            Some(format!("Kill all processes of the group `{group}`, without a chance to clean up?"))
        }
        _ => None,
    }
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

    #[test]
    fn only_what_cannot_be_taken_back_is_asked_for() {
        let asks = |tool: &str, arguments: Value| question(tool, arguments.as_object().unwrap()).is_some();
        assert!(asks("clear_logs", json!({"all": true})));
        assert!(!asks("clear_logs", json!({"all": true, "confirm": true})));
        assert!(!asks("clear_logs", json!({"all": true, "dry_run": true})));
        assert!(!asks("clear_logs", json!({"process": "web"})));
        assert!(asks("kill_process", json!({"group": "stack"})));
        assert!(!asks("kill_process", json!({"group": "stack", "confirm": true})));
        assert!(!asks("kill_process", json!({"process": "web"})));
        assert!(!asks("stop_process", json!({"process": "web"})));
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
