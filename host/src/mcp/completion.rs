//! Completing the arguments of prompts and of resource templates from what lives.

use std::sync::Arc;

use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};

use serde_json::json;

use super::{prompts, resources, tools};
use crate::daemon::service::{Client, Service};

/// `completion/complete`.
///
/// # Errors
/// When there is no such prompt or template, or it has no such argument.
pub(super) async fn complete(
    service: &Arc<Service>,
    client: &Arc<Client>,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let argument = &request.argument;
    let asked = asked(&request.r#ref, &argument.name).map_err(|why| ErrorData::invalid_params(why, None))?;
    let known = match asked {
        "process" => service.process_names_for(client, &argument.value),
        "group" => service.group_names(client),
        "error_id" => error_ids(service, client).await,
        _ => Vec::new(),
    };
    let matching = best(&known, &argument.value);
    let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
    let more = matching.len() > CompletionInfo::MAX_VALUES;
    let values = matching.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    CompletionInfo::with_pagination(values, Some(total), more)
        .map(CompleteResult::new)
        .map_err(|e| ErrorData::internal_error(e, None))
}

/// The argument that is to be completed, if what it is said to belong to has it.
fn asked(of: &Reference, argument: &str) -> Result<&'static str, String> {
    let (what, takes) = match of {
        Reference::Prompt(prompt) => (&prompt.name, prompts::argument_of(&prompt.name)?),
        Reference::Resource(template) => (&template.uri, resources::argument_of(&template.uri)?),
        _ => return Err("`ref` must be a ref/prompt or a ref/resource".to_owned()),
    };
    if takes == argument {
        return Ok(takes);
    }
    let shown: String = argument.chars().take(100).collect();
    Err(format!("`{what}` has no argument `{shown}`; it takes `{takes}`"))
}

/// The newest errors that are not resolved.
async fn error_ids(service: &Arc<Service>, client: &Arc<Client>) -> Vec<String> {
    let arguments = json!({"resolved": false, "limit": 100});
    let answer = tools::structured("get_errors", service, client, arguments).await.unwrap_or_default();
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().filter_map(|error| error["id"].as_str().map(str::to_owned)).collect()
}

/// Those that begin as was typed, then those that contain it.
fn best(known: &[String], typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let place = |name: &String| name.to_lowercase().find(&typed);
    let mut found: Vec<(bool, &String)> =
        known.iter().filter_map(|name| place(name).map(|at| (at > 0, name))).collect();
    found.sort();
    found.into_iter().map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arguments_that_are_there_are_completed() {
        let prompt = Reference::for_prompt("debug_process");
        assert_eq!(asked(&prompt, "process"), Ok("process"));
        assert!(asked(&prompt, "group").unwrap_err().contains("takes `process`"));
        assert!(
            asked(&Reference::for_prompt("debug_proces"), "process").unwrap_err().contains("`debug_process`")
        );
        assert_eq!(asked(&Reference::for_resource("errors://{error_id}"), "error_id"), Ok("error_id"));
        let unknown = asked(&Reference::for_resource("processes://list"), "process").unwrap_err();
        assert!(unknown.contains("logs://{process}"), "{unknown}");
    }

    #[test]
    fn names_that_begin_so_come_first() {
        let known: Vec<String> = ["web", "api", "api-worker", "happy"].map(str::to_owned).to_vec();
        assert_eq!(best(&known, "Ap"), ["api", "api-worker", "happy"]);
        assert_eq!(best(&known, ""), ["api", "api-worker", "happy", "web"]);
        assert_eq!(best(&known, "x"), [""; 0]);
    }
}
