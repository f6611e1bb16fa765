//! Starts that fail, and what is said of them.

use serde_json::{Value, json};

use super::{Tour, check, list, text, title};
use crate::cli::exit::Outcome;

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("A start that fails answers with its evidence: how it ended, and what it said");
    let api =
        tour.call("start_process", tour.own_program("api", &["api"], json!({"wait_for_log": "ready"})))?;
    let evidence = &api["evidence"];
    check(evidence["exit"]["code"] == 3, "the exit code is told")?;
    check(list(evidence, "/last_lines").len() == 3, "the last lines are told")?;
    tour.shows(&format!("exit code {}", evidence["exit"]["code"]));
    shows_lines(tour, evidence);

    title("What kind of error is that, and what to do about it?");
    let asked = json!({"process": "api"});
    let found = tour.until("the crash is found", "get_errors", asked, |found| {
        list(found, "/errors").iter().any(|error| error["category"] == "configuration")
    })?;
    list(&found, "/errors").iter().for_each(|error| shows_error(tour, error));

    title("A port that is taken: who has it?");
    let all = tour.agent.call("list_processes", json!({"name": "web", "detail": "full"}))?;
    let port = all["processes"][0]["ports"][0].to_string();
    let start = tour.own_program("web-2", &["http", &port], json!({"wait_for_log": "listening"}));
    let clash = tour.call("start_process", start)?;
    let holder = &clash["evidence"]["port_holder"];
    check(holder["process"] == "shop/web", "the holder of the port is found")?;
    tour.shows(&format!("port {port} is held by {} (pid {})", text(holder, "/process"), holder["pid"]));
    Ok(())
}

pub(super) fn shows_lines(tour: &Tour<'_>, evidence: &Value) {
    for line in list(evidence, "/last_lines") {
        tour.shows(&format!("  | {}", text(line, "/message")));
    }
}

/// An error, and what to try.
pub(super) fn shows_error(tour: &Tour<'_>, error: &Value) {
    let of = |pointer| text(error, pointer);
    let advice = error["suggestion"].as_str().map(|advice| format!("; try: {advice}")).unwrap_or_default();
    tour.shows(&format!("{} [{}] {}{advice}", of("/id"), of("/category"), of("/title")));
}
