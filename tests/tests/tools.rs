//! What the tools say of themselves.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail where it stands, and show figures"
)]

use e2e::{Env, Era, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(every_tool_is_described_in_full_and_in_few_words, both_forms_of_an_answer_carry_the_same);

/// What a client pays for the list of tools, at four bytes a token.
const TOKENS: usize = 9_000;

fn every_tool_is_described_in_full_and_in_few_words(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let list = mcp.request("tools/list", json!({}))["result"].clone();
    let tools = list["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|t| t["name"].as_str().unwrap()).collect();
    for name in [
        "start_process",
        "stop_process",
        "restart_process",
        "kill_process",
        "list_processes",
        "get_process_info",
        "get_process_stats",
        "get_system_stats",
        "get_logs",
        "tail_logs",
    ] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    for tool in tools {
        let name = &tool["name"];
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name}: {hint} is not said");
        }
        let reads = name.as_str().unwrap().starts_with(['l', 'g', 't']);
        assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{name}");
        let description = tool["description"].as_str().unwrap();
        assert!((40..1_024).contains(&description.len()), "{name}: {description}");
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}");
            assert_plain(&tool[schema], &format!("{name}.{schema}"));
        }
    }
    let tokens = list.to_string().len() / 4;
    println!("{era:?}: tools/list has {} tools and about {tokens} tokens", tools.len());
    assert!(tokens <= TOKENS, "tools/list has grown to {tokens} tokens");
    let again = env.mcp(era).request("tools/list", json!({}))["result"]["tools"].clone();
    assert_eq!(&again, &list["tools"], "the list differs between connections");
}

/// No references, no nulls, no unions: some clients understand none of them.
fn assert_plain(schema: &Value, path: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                assert!(
                    !["$ref", "$defs", "anyOf", "oneOf", "allOf"].contains(&key.as_str()),
                    "{path}.{key}"
                );
                if key == "type" && value.is_array() {
                    panic!("{path} has several types: {value}");
                }
                assert_plain(value, &format!("{path}.{key}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_plain(item, path)),
        Value::Null => panic!("{path} is null"),
        Value::String(text) => assert_ne!(text, "null", "{path}"),
        Value::Bool(_) | Value::Number(_) => {}
    }
}

fn both_forms_of_an_answer_carry_the_same(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["lines", "3"]);
    for (tool, arguments) in [
        ("list_processes", json!({})),
        ("get_process_info", json!({"process": "web"})),
        ("get_logs", json!({"process": "web", "format": "records"})),
    ] {
        let answer = mcp.call(tool, arguments);
        let text: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(text, answer.structured, "{tool}");
    }
    let logs = mcp.call("get_logs", json!({"process": "web"}));
    assert!(logs.text.starts_with(logs.structured["text"].as_str().unwrap()), "{}", logs.text);
    assert!(logs.text.contains("lines: 6"), "{}", logs.text);
}
