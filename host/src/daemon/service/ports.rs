//! Who holds the port that a process could not bind.

use std::sync::LazyLock;

use hostler_api::process::PortHolder;
use hostler_supervisor::proc::{self, Listeners};
use regex::Regex;

use crate::daemon::registry::Registry;

/// What runtimes say when a port is taken: Node (EADDRINUSE), Python and C (Address already in use), Go
/// (bind: address already in use), Java (Address already in use, Port 80 was already in use), Rust
/// (AddrInUse), nginx, and many programs in their own words.
static TAKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)EADDRINUSE|AddrInUse|address (is )?already in use|port \d+ (is|was) (already )?(in use|taken|allocated)|only one usage of each socket").ok()
});

static PORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?::|\bport[ :=]+)(\d{2,5})\b").ok());

/// Ports that the lines, or failing those the arguments and environment, say were wanted, when the lines
/// complain of a taken one.
pub(super) fn wanted_ports(lines: &[String], hints: &[String]) -> Vec<u16> {
    let (Some(taken), Some(port)) = (&*TAKEN, &*PORT) else { return Vec::new() };
    let complaints: Vec<&String> = lines.iter().filter(|l| taken.is_match(l)).collect();
    if complaints.is_empty() {
        return Vec::new();
    }
    let in_text = |text: &String| -> Vec<u16> {
        port.captures_iter(text).filter_map(|c| c[1].parse().ok()).filter(|p| *p > 0).collect()
    };
    let mut ports: Vec<u16> = complaints.into_iter().flat_map(in_text).collect();
    ports.extend(lines.iter().flat_map(in_text));
    ports.extend(hints.iter().filter_map(|h| h.parse::<u16>().ok()).filter(|p| *p > 0));
    ports.extend(hints.iter().flat_map(in_text));
    ports
}

/// The holder of the first of these ports that somebody holds.
pub(super) fn holder(registry: &Registry, ports: &[u16]) -> Option<PortHolder> {
    let listeners = Listeners::read();
    let (port, pid) = ports.iter().find_map(|port| Some((*port, listeners.holder(*port)?)))?;
    let process = pid.and_then(|pid| {
        let ours = registry.all().into_iter().find(|entry| {
            let roots = entry.handle.snapshot().roots();
            roots.is_some_and(|roots| roots.tree().iter().any(|p| p.pid == pid))
        });
        ours.map(|entry| entry.full_name())
    });
    let command = pid.and_then(proc::command_line).map(|c| hostler_model::text::clip(c, 200));
    Some(PortHolder { port, pid, command, process })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_in_the_words_of_many_runtimes() {
        for line in [
            "Error: listen EADDRINUSE: address already in use :::8080",
            "listen tcp :8080: bind: address already in use",
            "Web server failed to start. Port 8080 was already in use.",
            "[emerg] bind() to 0.0.0.0:8080 failed (98: Address already in use)",
            "ERROR: [Errno 98] error while attempting to bind on address ('127.0.0.1', 1): port 8080 is already in use",
        ] {
            assert_eq!(wanted_ports(&[line.to_owned()], &[]).first(), Some(&8080), "{line}");
        }
        let python = ["OSError: [Errno 98] Address already in use".to_owned()];
        assert_eq!(wanted_ports(&python, &["-m".into(), "http.server".into(), "8080".into()]), [8080]);
        assert!(wanted_ports(&["listening on :8080".to_owned()], &["8080".into()]).is_empty());
    }
}
