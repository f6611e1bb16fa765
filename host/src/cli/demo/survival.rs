//! Who is killed, and who does not notice.

use serde_json::{Value, json};

use super::agent::Agent;
use super::{Tour, check, list, title, web};
use crate::cli::exit::{Failure, Outcome};

/// Those that run until the end.
const RUNNING: [&str; 3] = ["mailer", "payments", "web"];

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("The web service is killed from outside; its policy starts it again");
    let before = tour.agent.call("get_process_info", json!({"process": "web"}))?;
    let pid = before["process"]["pid"].as_i64();
    kill_outside(pid)?;
    tour.shows(&format!("kill -9 {}", pid.unwrap_or_default()));
    let again =
        tour.until("it runs again", "list_processes", json!({"name": "web", "detail": "full"}), |all| {
            let web = &all["processes"][0];
            web["health"] == "healthy" && web["pid"].as_i64() != pid && !list(web, "/ports").is_empty()
        })?;
    let web = &again["processes"][0];
    check(web["restarts"] == 2, "crashes and unhealthy runs count together")?;
    tour.shows(&format!("running, healthy, pid {}, restarts: {}", web["pid"], web["restarts"]));

    title("The agent's session ends, and the daemon is killed with -9: the processes do not notice");
    let running = running(&tour.agent.call("list_processes", json!({"status": "running"}))?);
    tour.agent.leave();
    let daemon = tour.stage.daemon_pid()?;
    kill_outside(Some(daemon))?;
    let port = web["ports"][0].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    tour.shows(&format!("kill -9 {daemon} (the daemon); GET from web -> {}", web::get(port, "/")?));
    tour.agent = Agent::connect(tour.stage)?;
    let all = tour.call("list_processes", json!({"status": "running"}))?;
    let found = self::running(&all);
    check(
        found == running && found.len() == RUNNING.len(),
        "a new client finds them all, with the same pids",
    )?;
    for (name, pid) in &found {
        tour.shows(&format!("{name}: running, still pid {pid}"));
    }

    title("Stop: whole trees, and nothing stays behind");
    let all = tour.agent.call("list_processes", json!({}))?;
    for process in list(&all, "/processes") {
        let stopped = tour.agent.call("stop_process", json!({"process": process["id"], "remove": true}))?;
        check(stopped["removed"] == true, "it is gone")?;
    }
    let left = tour.call("list_processes", json!({"all_projects": true}))?;
    check(list(&left, "/processes").is_empty(), "nothing is left")?;
    tour.shows(&format!("{} processes stopped and removed, none is left", list(&all, "/processes").len()));
    Ok(())
}

/// Names and pids, by name.
fn running(all: &Value) -> Vec<(String, i64)> {
    let mut found: Vec<_> = list(all, "/processes")
        .iter()
        .filter_map(|p| Some((p["name"].as_str()?.to_owned(), p["pid"].as_i64()?)))
        .collect();
    found.sort();
    found
}

fn kill_outside(pid: Option<i64>) -> Outcome {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::failed("there is no pid to kill"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        .map_err(|e| Failure::failed(e.to_string()))
}
