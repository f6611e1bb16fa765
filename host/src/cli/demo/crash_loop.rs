//! A crash loop that stops with evidence, and the way out by hand.

use serde_json::json;

use super::evidence::{shows_error, shows_lines};
use super::{Tour, check, list, text, title};
use crate::cli::exit::Outcome;

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("A crash loop ends in `failed`, with the evidence");
    let restart = json!({"policy": "on_failure", "max_restarts": 2, "backoff_initial_ms": 20});
    let start = tour.own_program("mailer", &["mailer", "mail.conf"], json!({"restart": restart}));
    tour.call("start_process", start)?;
    let info = tour.until("it is failed", "get_process_info", json!({"process": "mailer"}), |info| {
        info["process"]["status"] == "failed" && info["evidence"]["error_group"].is_object()
    })?;
    let reason = text(&info, "/process/status_reason");
    check(reason.contains("crash loop: ended 3 times"), "the crash loop is named")?;
    check(list(&info, "/evidence/last_lines").len() == 2, "the last lines are there")?;
    tour.shows(&format!("failed: {reason}"));
    shows_lines(tour, &info["evidence"]);
    shows_error(tour, &info["evidence"]["error_group"]);

    title("The cause is mended, and it is started again by hand");
    tour.stage.write("mail.conf", "server = localhost\n")?;
    tour.shows("wrote mail.conf");
    let again = tour.call("start_process", json!({"name": "mailer", "wait_for_log": "ready"}))?;
    let process = &again["process"];
    check(process["status"] == "running" && process["restarts"] == 0, "it runs, with a new budget")?;
    tour.shows(&format!("running, pid {}, {} restarts", process["pid"], process["restarts"]));
    Ok(())
}
