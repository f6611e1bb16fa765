use super::*;
use hostler_plugin::{plugin::configure, testing};

const CONFIG: &str = r#"{"rules": [
    {"pattern": "order (?<id>\\d+) is locked by (\\w+)", "category": "database", "title": "an order is locked",
     "fingerprint": "order-locked-$2", "suggestion": "Ask $2 to release order ${id}."},
    {"pattern": "(?m)^quota", "category": "resource-exhaustion"}
]}"#;

#[test]
fn the_first_rule_that_matches_is_taken() {
    let mut rules: Rules = configure(CONFIG).unwrap();
    let verdict = rules.categorize("ERROR order 42 is locked by ann\n  at x").unwrap();
    assert_eq!(
        (&*verdict.category, verdict.confidence, &*verdict.title),
        ("database", 100, "an order is locked")
    );
    assert_eq!(verdict.fingerprint, ["order-locked-ann"]);
    assert_eq!(verdict.suggestion.as_deref(), Some("Ask ann to release order 42."));
    let verdict = rules.categorize("first\nquota of disk\nlast").unwrap();
    assert_eq!((&*verdict.category, &*verdict.title), ("resource-exhaustion", "quota of disk"));
    assert!(verdict.fingerprint.is_empty() && verdict.suggestion.is_none());
    assert!(rules.categorize("something else").is_none());
}

#[test]
fn a_bad_expression_is_named() {
    let config = r#"{"rules": [{"pattern": "(x", "category": "y"}]}"#;
    assert!(matches!(configure::<Rules>(config), Err(Error::InvalidConfig(why)) if why.contains("\"(x\"")));
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Rules>();
}

#[test]
fn survives_damage() {
    let mut rules: Rules = configure(CONFIG).unwrap();
    for text in testing::damaged_texts(&["order 42 is locked by ann", "a\nquota\nb"]) {
        rules.categorize(&text);
    }
}
