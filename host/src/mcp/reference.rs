//! `docs/tools.md`: all that clients see, for people, from the schemas that check the arguments.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::tools::{self, ToolDef};
use super::{prompts, resources};

const HEAD: &str = "\
# Tools

Made by `just reference` from the schemas that check every call; a test fails when it is not up to date.
";

const RESOURCES: &str = "
## Resources

JSON, of the project of the client. Who subscribes is told of changes, twice a second at most.

| URI | content |
|---|---|
";

const PROMPTS: &str = "
## Prompts

Each has what is known now, within 10,000 characters, and ends with the calls to go on with. Arguments are completed.

| prompt | task |
|---|---|
";

/// The text of `docs/tools.md`.
pub(crate) fn reference() -> String {
    let mut text = HEAD.to_owned();
    for family in tools::families() {
        let _ = write!(text, "\n## {}\n", capitalized(family.name));
        for def in &family.tools {
            tool(&mut text, def);
        }
    }
    text.push_str(RESOURCES);
    for (uri, _, description) in resources::catalogue() {
        let _ = writeln!(text, "| `{uri}` | {description} |");
    }
    text.push_str(PROMPTS);
    for (name, argument, description) in prompts::catalogue() {
        let _ = writeln!(text, "| `{name}({argument})` | {description} |");
    }
    text
}

fn tool(text: &mut String, def: &ToolDef) {
    let description = def.tool.description.as_deref().unwrap_or_default();
    let _ = write!(text, "\n### `{}`\n\n{description}\n\n", def.tool.name);
    let _ = writeln!(text, "*{}.*", hints(def));
    table(text, "argument", &def.input);
    table(text, "answer", &def.output);
}

fn hints(def: &ToolDef) -> String {
    let hints = def.tool.annotations.as_ref();
    let says = |hint: Option<bool>| hint == Some(true);
    let mut words = vec![match hints {
        Some(h) if says(h.read_only_hint) => "Reads only",
        Some(h) if says(h.destructive_hint) => "Destructive",
        _ => "Changes things",
    }];
    if hints.is_some_and(|h| says(h.idempotent_hint) && !says(h.read_only_hint)) {
        words.push("safe to repeat");
    }
    words.join(", ")
}

fn table(text: &mut String, what: &str, schema: &Map<String, Value>) {
    let mut rows = Vec::new();
    collect(&mut rows, "", schema);
    if rows.is_empty() {
        return;
    }
    let _ = write!(text, "\n| {what} | type | meaning |\n|---|---|---|\n");
    for row in rows {
        let _ = writeln!(text, "| `{}` | {} | {} |", row.path, row.kind, row.meaning.replace('|', "\\|"));
    }
}

struct Row {
    path: String,
    kind: String,
    meaning: String,
}

fn collect(rows: &mut Vec<Row>, path: &str, schema: &Map<String, Value>) {
    let Some(Value::Object(fields)) = schema.get("properties") else { return };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in fields {
        let Some(field) = field.as_object() else { continue };
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let mut kind = kind_of(field);
        if required.contains(&name.as_str()) && !path.contains('.') {
            kind.push_str(", always");
        }
        let meaning = field.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        rows.push(Row { path: path.clone(), kind, meaning });
        collect(rows, &path, field);
        if let Some(items) = field.get("items").and_then(Value::as_object) {
            collect(rows, &format!("{path}[]"), items);
        }
    }
}

fn kind_of(schema: &Map<String, Value>) -> String {
    if let Some(Value::Array(values)) = schema.get("enum") {
        let values: Vec<String> = values.iter().filter_map(Value::as_str).map(|v| format!("`{v}`")).collect();
        return values.join(", ");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => match schema.get("items").and_then(Value::as_object) {
            Some(items) => format!("list of {}", kind_of(items)),
            None => "list".to_owned(),
        },
        Some("object") => match schema.get("additionalProperties").and_then(Value::as_object) {
            Some(values) => format!("object of {}", kind_of(values)),
            None => "object".to_owned(),
        },
        Some(kind) => kind.to_owned(),
        None => "any".to_owned(),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
