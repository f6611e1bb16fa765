//! A service that logs in JSON: its lines have levels and fields.

use serde_json::{Value, json};

use super::{Tour, check, list, text, title};
use crate::cli::exit::Outcome;

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("A service that logs in JSON: level, message and fields, and what its stderr says beside them");
    let start = json!({"log": {"parsers": ["json"]}, "wait_for_log": "payment declined"});
    let payments = tour.call("start_process", tour.own_program("payments", &["payments"], start))?;
    check(payments["done"] == true, "a line of its log is waited for")?;
    let asked =
        json!({"process": "payments", "min_level": "warn", "format": "records", "order": "asc", "limit": 2});
    let right = |page: &Value| {
        let lines = list(page, "/lines");
        lines.iter().any(is_parsed) && lines.iter().any(|line| line["stream"] == "stderr")
    };
    let page = tour.until("the lines have levels and fields", "get_logs", asked, right)?;
    for line in list(&page, "/lines") {
        let fields = if line["fields"].is_object() { line["fields"].to_string() } else { String::new() };
        let (level, stream) = (text(line, "/level"), text(line, "/stream"));
        tour.shows(&format!("{level:<5} {stream}  {}  {fields}", text(line, "/message")));
    }
    let asked = json!({"process": "payments", "field_filters": {"reason": "card expired"}, "limit": 1});
    let found = tour.call("search_logs", asked)?;
    check(!list(&found, "/matches").is_empty(), "a line is found by a field")
}

fn is_parsed(line: &Value) -> bool {
    line["level"] == "warn"
        && line["message"] == "payment declined"
        && line["fields"]["reason"] == "card expired"
}
