//! An HTTP service that is checked, stops to serve, and is restarted with the reason on record.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use super::{Tour, check, text, title};
use crate::cli::exit::{Failure, Outcome};

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("A web service with a health check: start it, and wait until it is healthy");
    let port = free_port()?;
    let (number, url) = (port.to_string(), format!("http://127.0.0.1:{port}/"));
    let check_it = json!({"plugin": "http", "config": {"url": url}, "interval_ms": 500, "failure_threshold": 2,
        "on_unhealthy": "restart"});
    let more = json!({"health": [check_it], "restart": {"policy": "on_failure", "backoff_initial_ms": 0},
        "wait_for": "healthy"});
    let web = tour.call("start_process", tour.own_program("web", &["http", &number], more))?;
    check(web["done"] == true && web["process"]["health"] == "healthy", "the service is healthy")?;
    let pid = &web["process"]["pid"];
    tour.shows(&format!("running, healthy, pid {pid}; GET {url} -> {}", get(port, "/")?));

    title("It stops to serve, though it runs: the check sees that, and it is restarted");
    tour.shows(&format!("GET {url}break -> {}; GET {url} -> {}", get(port, "/break")?, get(port, "/")?));
    let asked = json!({"process": "web", "runs": 2});
    let info = tour.until("it is restarted and healthy", "get_process_info", asked, |info| {
        info["process"]["restarts"] == 1 && info["process"]["health"] == "healthy"
    })?;
    let why = text(&info, "/runs/1/reason");
    check(why.contains("unhealthy: http failed 2 times in a row"), "the reason is on record")?;
    check(info["process"]["pid"] != *pid, "it is another run")?;
    tour.shows(&format!("run 1, pid {pid}: {why}"));
    tour.shows(&format!("run 2, pid {}: {}", info["process"]["pid"], text(&info, "/runs/0/reason")));
    Ok(())
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener.map(|a| a.port()).map_err(|e| Failure::failed(format!("no free port on loopback: {e}")))
}

/// The status of an answer.
pub(super) fn get(port: u16, path: &str) -> Result<String, Failure> {
    let fetch = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = fetch().map_err(|e| Failure::failed(format!("GET {path} from port {port}: {e}")))?;
    let status = answer.lines().next().and_then(|line| line.split_once(' '));
    Ok(status.map_or_else(String::new, |(_, status)| status.to_owned()))
}
