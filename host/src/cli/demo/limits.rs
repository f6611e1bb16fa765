//! A process that takes more than it may.

use serde_json::json;

use super::{Tour, check, text, title};
use crate::cli::exit::Outcome;

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("A memory hog is stopped at its limit, with the reason on record");
    let more = json!({"limits": {"memory_bytes": 64 << 20}, "wait_for": "exited"});
    let hog = tour.call("start_process", tour.own_program("hog", &["hog"], more))?;
    let reason = text(&hog, "/process/status_reason");
    check(reason.contains("memory limit exceeded"), "the limit is named")?;
    tour.shows(reason);
    let info = tour.call("get_process_info", json!({"process": "hog"}))?;
    let by = text(&info, "/limits/0/enforced_by");
    check(by != "-", "it is said who enforces the limit")?;
    tour.shows(&format!("{} {}: {by}", text(&info, "/limits/0/limit"), info["limits"][0]["value"]));
    Ok(())
}
