use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::groups::CreateGroup;
use crate::logs::{GetLogs, Order};
use crate::process::{ListProcesses, StartProcess, WaitFor};
use crate::schema::schema_of;
use crate::view::Status;

fn read_start(arguments: Value) -> Result<StartProcess, String> {
    let Value::Object(arguments) = arguments else { panic!("not an object") };
    read("start_process", &schema_of::<StartProcess>(), arguments).map_err(|e| e.message)
}

#[test]
fn spellings_of_the_same_value_are_the_same() {
    let wanted =
        read_start(json!({"name": "web", "command": "x", "args": ["8080"], "timeout_ms": 5, "pty": true,
        "restart": {"max_restarts": 3}, "env": {"PORT": "80"}, "wait_for": "exited"}))
        .unwrap();
    let spelled =
        read_start(json!({"name": "web", "command": "x", "args": [8080], "timeout_ms": "5", "pty": "true",
        "restart": {"max_restarts": 3.0}, "env": {"PORT": 80}, "wait_for": "EXITED", "cwd": null}))
        .unwrap();
    assert_eq!(spelled, wanted);
    assert_eq!(wanted.wait.wait_for, Some(WaitFor::Exited));
    let nested =
        read_start(json!({"name": "web", "restart": "{\"policy\": \"on-failure\"}", "args": "[\"a\"]"}));
    assert_eq!(nested.unwrap().spec.args, Some(vec!["a".to_owned()]));
}

#[test]
fn a_refusal_names_the_field_and_what_is_right() {
    for (arguments, wanted) in [
        (json!({"name": "a", "timeout_ms": "five"}), "`timeout_ms` must be a whole number, not \"five\""),
        (json!({"name": "a", "timeout_ms": -1}), "`timeout_ms` must be at least 0, not -1"),
        (json!({"name": "a", "timeout_ms": 1.5}), "`timeout_ms` must be a whole number, not 1.5"),
        (json!({"name": "a", "comand": "x"}), "unknown argument `comand`; did you mean `command`?"),
        (
            json!({"name": "a", "restart": {"polcy": "never"}}),
            "unknown argument `polcy` in `restart`; did you mean `policy`?",
        ),
        (
            json!({"name": "a", "restart": {"policy": "sometimes"}}),
            "`restart.policy` must be one of never, on_failure, always, not \"sometimes\"",
        ),
        (json!({"command": "x"}), "the argument `name` is missing: Name in the project."),
        (json!({"name": "a", "args": "x y"}), "`args` must be an array, such as [\"x y\"], not \"x y\""),
        (json!({"name": "a", "args": [{}]}), "`args[0]` must be a text, not {}"),
        (json!({"name": "a", "pty": "perhaps"}), "`pty` must be true or false, not \"perhaps\""),
        (
            json!({"name": "a", "health": [{"interval_ms": 5}]}),
            "the argument `plugin` is missing in `health[0]`",
        ),
    ] {
        let message = read_start(arguments).unwrap_err();
        assert!(message.contains(wanted), "{message}\n  wanted {wanted}");
    }
}

#[test]
fn every_tool_reads_its_own_defaults() {
    let list: ListProcesses =
        read("list_processes", &schema_of::<ListProcesses>(), json_map(json!({"status": "Running"})))
            .unwrap();
    assert_eq!(list.status, Some(Status::Running));
    let logs: GetLogs =
        read("get_logs", &schema_of::<GetLogs>(), json_map(json!({"process": "a", "order": "desc"})))
            .unwrap();
    assert_eq!(logs.order, Some(Order::Desc));
}

#[test]
fn schemas_have_no_references_nulls_or_unions() {
    let text = serde_json::to_string(&schema_of::<StartProcess>()).unwrap();
    for unwanted in ["$ref", "null", "anyOf", "oneOf", "allOf"] {
        assert!(!text.contains(unwanted), "{unwanted} in {text}");
    }
}

fn json_map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_argument_is_read_or_refused_but_never_panics(
        fields in prop::collection::vec((prop::sample::select(vec![
            "name", "command", "args", "env", "restart", "health", "timeout_ms", "pty", "wait_for", "odd",
        ]), any_json()), 0..6),
    ) {
        let arguments: Map<String, Value> = fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        if let Err(message) = read_start(Value::Object(arguments)) {
            prop_assert!(message.starts_with("start_process: ") && message.chars().count() < 1_000, "{}", message);
        }
    }
}

#[test]
fn members_of_a_group_may_be_names() {
    let members = |members: Value| -> Result<Vec<(String, Vec<String>)>, String> {
        let Value::Object(arguments) = json!({"name": "all", "members": members}) else {
            panic!("not an object")
        };
        let group: CreateGroup =
            read("create_group", &schema_of::<CreateGroup>(), arguments).map_err(|e| e.message)?;
        Ok(group.members.into_iter().map(|m| (m.process, m.depends_on)).collect())
    };
    let web = || ("web".to_owned(), Vec::new());
    assert_eq!(members(json!(["web"])), Ok(vec![web()]));
    assert_eq!(members(json!("web")), Ok(vec![web()]));
    let api = ("api".to_owned(), vec!["web".to_owned()]);
    assert_eq!(members(json!(["web", {"process": "api", "depends_on": ["web"]}])), Ok(vec![web(), api]));
    assert!(members(json!([["web"]])).unwrap_err().contains("`members[0]` must be an object with"));
    assert!(members(json!([{"proces": "web"}])).unwrap_err().contains("did you mean `process`"));
}
