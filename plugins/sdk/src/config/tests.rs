use super::{read, value::Value};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    limits: Vec<Limit>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    mode: Option<Mode>,
    #[serde(default)]
    on: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Limit {
    least: i8,
    most: f64,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Plain,
    Scaled(u8),
}

fn refusal(json: &str) -> String {
    read::<Config>(json).unwrap_err()
}

#[test]
fn reads_typed_values() {
    let json = r#" {"name": "a\"b\\\n\u0041\ud83d\ude00ü", "limits": [{"least": -3, "most": 2.5e1, "more": [{}, null]}],
        "headers": {"x": "y"}, "mode": {"scaled": 7}, "on": true} "#;
    let config: Config = read(json).unwrap();
    assert_eq!(config.name, "a\"b\\\nA😀ü");
    assert_eq!(config.limits, [Limit { least: -3, most: 25.0 }]);
    assert_eq!(config.headers["x"], "y");
    assert_eq!((config.mode, config.on), (Some(Mode::Scaled(7)), true));
    let config: Config = read(r#"{"name": "", "mode": "plain", "limits": []}"#).unwrap();
    assert_eq!(config.mode, Some(Mode::Plain));
    assert_eq!(read::<Config>(r#"{"name": "", "mode": null}"#).unwrap().mode, None);
}

#[test]
fn an_error_names_key_value_and_choices() {
    let cases = [
        ("{}", "missing field `name`"),
        (r#"{"name": 3}"#, "name: 3 is not a string"),
        (r#"{"name": "", "nme": 1}"#, "unknown field `nme`, expected one of `name`, `limits`"),
        (r#"{"name": "", "limits": [{"least": 300, "most": 1}]}"#, "limits.0.least: expected i8"),
        (r#"{"name": "", "limits": [{"least": 1, "most": "x"}]}"#, "limits.0.most: \"x\" is not f64"),
        (r#"{"name": "", "mode": "fast"}"#, "mode: unknown variant `fast`, expected `plain` or `scaled`"),
        ("[]", "a list is not struct Config"),
        (r#"{"name": "#, "no JSON from byte 9 on"),
    ];
    for (json, why) in cases {
        let refusal = refusal(json);
        assert!(refusal.starts_with(why), "{json}: {refusal}");
    }
}

#[test]
fn refuses_what_is_no_json() {
    let deep = "[".repeat(10_000);
    for json in
        ["", "{", "[1,]", r#"{"a":1,}"#, "nul", "1 2", r#""\x""#, r#""\ud800""#, r#""\u12"#, "{a:1}", &deep]
    {
        assert!(Value::read(json).is_err(), "{json}");
    }
}
