//! Starts that fail, and what is said of them.

use serde_json::{Value, json};

use super::{Tour, check, list, text, title};
use crate::cli::exit::Outcome;

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title(
        "A start that fails answers with its evidence: how it ended, what it said, what kind of error that is",
    );
    let api = tour.call("start_process", tour.own_program("api", &["api"], json!({})))?;
    let evidence = &api["evidence"];
    check(evidence["exit"]["code"] == 3, "the exit code is told")?;
    check(evidence["error_group"]["category"] == "configuration", "the crash has its category")?;
    tour.shows(&format!("exit code {}", evidence["exit"]["code"]));
    shows_lines(tour, evidence);
    shows_error(tour, evidence);

    title("A port that is taken: who has it?");
    let all = tour.agent.call("list_processes", json!({"name": "web", "detail": "full"}))?;
    let port = all["processes"][0]["ports"][0].to_string();
    let clash = tour.call("start_process", tour.own_program("web-2", &["http", &port], json!({})))?;
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

/// The error that explains an end.
pub(super) fn shows_error(tour: &Tour<'_>, evidence: &Value) {
    let error = &evidence["error_group"];
    let of = |pointer| text(error, pointer);
    tour.shows(&format!("{} [{}] {}; try: {}", of("/id"), of("/category"), of("/title"), of("/suggestion")));
}
