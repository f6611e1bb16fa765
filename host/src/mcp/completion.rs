//! Completing the arguments of prompts and of resource templates from what lives.

use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData};

use crate::daemon::service::{Client, Service};

/// `completion/complete`.
///
/// # Errors
/// When there are no such names to complete.
pub(super) fn complete(
    service: &Service,
    client: &Client,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let argument = &request.argument;
    let known = match argument.name.as_str() {
        "process" => service.process_names_for(client, &argument.value),
        other => {
            let shown: String = other.chars().take(100).collect();
            return Err(ErrorData::invalid_params(
                format!("no argument `{shown}` has names to complete"),
                None,
            ));
        }
    };
    let matching = best(&known, &argument.value);
    let total = u32::try_from(matching.len()).unwrap_or(u32::MAX);
    let more = matching.len() > CompletionInfo::MAX_VALUES;
    let values = matching.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    CompletionInfo::with_pagination(values, Some(total), more)
        .map(CompleteResult::new)
        .map_err(|e| ErrorData::internal_error(e, None))
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
    fn names_that_begin_so_come_first() {
        let known: Vec<String> = ["web", "api", "api-worker", "happy"].map(str::to_owned).to_vec();
        assert_eq!(best(&known, "Ap"), ["api", "api-worker", "happy"]);
        assert_eq!(best(&known, ""), ["api", "api-worker", "happy", "web"]);
        assert_eq!(best(&known, "x"), [""; 0]);
    }
}
