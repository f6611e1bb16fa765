//! Links from an answer that was cut to the resource that it is about: a client can show it, read it again and be told
//! of its changes, without another call of the model.

use rmcp::RoleServer;
use rmcp::model::Resource;
use rmcp::service::RequestContext;
use serde_json::{Map, Value};

/// The first revision of the protocol that knows links in answers.
const SINCE: &str = "2025-06-18";

/// The resource that the answer of a call is about, if its client knows links and there is one that shows the same.
pub(super) fn about(
    tool: &str,
    arguments: &Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Option<Resource> {
    let knows = context.protocol_version().is_some_and(|version| version.as_str() >= SINCE);
    if knows { resource(tool, arguments) } else { None }
}

fn resource(tool: &str, arguments: &Map<String, Value>) -> Option<Resource> {
    // What is named apart from its project has another URI there.
    if arguments.contains_key("project") || arguments.contains_key("all_projects") {
        return None;
    }
    let (uri, name) = match tool {
        "list_processes" => ("processes://list".to_owned(), "processes".to_owned()),
        "get_logs" | "tail_logs" => {
            // With a comma it is several.
            let process = arguments.get("process")?.as_str().filter(|name| !name.contains(','))?.trim();
            (format!("logs://{}", encoded(process)), format!("{process} logs"))
        }
        _ => return None,
    };
    Some(Resource::new(uri, name).with_mime_type("application/json"))
}

/// Whether there is more than an answer shows.
pub(super) fn is_cut(answer: &Value) -> bool {
    answer["truncated"] == true || answer["next_cursor"].is_string()
}

/// Names consist of what may stand in a URI as it is; what a caller wrote may not.
fn encoded(name: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => char::from(b).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_leads_to_the_resource_that_shows_the_same() {
        let uri =
            |tool: &str, arguments: Value| resource(tool, arguments.as_object().unwrap()).map(|r| r.uri);
        assert_eq!(uri("get_logs", json!({"process": "web"})).unwrap(), "logs://web");
        assert_eq!(uri("tail_logs", json!({"process": "shop/web"})).unwrap(), "logs://shop/web");
        assert_eq!(uri("get_logs", json!({"process": "ä b"})).unwrap(), "logs://%C3%A4%20b");
        assert_eq!(uri("list_processes", json!({})).unwrap(), "processes://list");
        for (tool, arguments) in [
            ("get_logs", json!({"process": "web,api"})),
            ("get_logs", json!({"group": "all"})),
            ("get_logs", json!({"process": "web", "project": "shop"})),
            ("list_processes", json!({"all_projects": true})),
            ("get_process_info", json!({"process": "web"})),
        ] {
            assert_eq!(uri(tool, arguments.clone()), None, "{tool} {arguments}");
        }
        assert!(is_cut(&json!({"truncated": true})) && is_cut(&json!({"next_cursor": "o5"})));
        assert!(!is_cut(&json!({"truncated": false, "next_cursor": null})));
    }
}
