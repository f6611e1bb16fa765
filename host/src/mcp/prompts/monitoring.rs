//! Which checks and parsers fit a process, by its ports, its lines and its runtime.

use hostler_api::process::{HealthArgs, LogArgs, SpecArgs};
use hostler_api::view::ProcessView;
use hostler_model::text::clip;
use serde_json::{Map, Value, json};

use super::advice::{Step, step};
use crate::daemon::service::Service;

/// So many of the sampled lines must have a form before it is taken for theirs: of ten.
const MOST: usize = 6;

/// A reason is cut here.
const REASON_CHARS: usize = 400;

/// What is proposed, and why.
pub(super) struct Proposal {
    checks: Vec<HealthArgs>,
    parsers: Vec<String>,
    reasons: Vec<String>,
    /// It has checks, whatever is proposed.
    is_checked: bool,
}

/// Proposes what fits, as far as it is valid here: a plugin may be missing or not permitted.
pub(super) async fn propose(service: &Service, view: &ProcessView, lines: &[String]) -> Proposal {
    let is_checked = view.health.is_some();
    let mut proposal = Proposal { checks: Vec::new(), parsers: Vec::new(), reasons: Vec::new(), is_checked };
    if is_checked {
        let reason = "it has checks already, whose place these would take: pass on those that serve it";
        proposal.reasons.push(reason.to_owned());
    }
    for (check, reason) in checks_for(view) {
        let spec = SpecArgs { health: Some(vec![check.clone()]), ..SpecArgs::default() };
        match service.plugins.check(&spec).await {
            Ok(()) => {
                proposal.checks.push(check);
                proposal.reasons.push(reason);
            }
            Err(error) => {
                proposal.reasons.push(format!("{reason}; but that is not valid here: {}", error.message))
            }
        }
    }
    if let Some((parser, reason)) = parser_for(lines) {
        let spec =
            SpecArgs { log: Some(LogArgs { parsers: vec![parser.to_owned()] }), ..SpecArgs::default() };
        match service.plugins.check(&spec).await {
            Ok(()) => {
                proposal.parsers.push(parser.to_owned());
                proposal.reasons.push(reason);
            }
            Err(error) => {
                proposal.reasons.push(format!("{reason}; but that is not valid here: {}", error.message))
            }
        }
    }
    proposal
}

impl Proposal {
    /// What was found, in words.
    pub(super) fn reasons(&self) -> String {
        let list: Vec<String> =
            self.reasons.iter().map(|reason| format!("- {}", clip(reason.clone(), REASON_CHARS))).collect();
        format!("What fits it, checked against the plugins that are there:\n{}", list.join("\n"))
    }

    /// The calls that set it up.
    pub(super) fn steps(&self, process: &str) -> Vec<Step> {
        let mut arguments = json!({"process": process});
        if !self.checks.is_empty() {
            arguments["health"] = serde_json::to_value(&self.checks).unwrap_or_default();
        }
        if !self.parsers.is_empty() {
            arguments["log"] = json!({"parsers": self.parsers});
        }
        let mut steps = Vec::new();
        if !self.checks.is_empty() || !self.parsers.is_empty() {
            steps.push(step(
                "restart_process",
                arguments,
                "Restart it with these; leave out what does not fit",
            ));
        }
        let check = step(
            "check_process_health",
            json!({"process": process}),
            "See whether the checks say what they should",
        );
        match (self.is_checked, self.checks.is_empty()) {
            (true, _) => steps.push(check),
            // Without those that are proposed there is none to be made.
            (false, false) => steps.push(check.after("restart_process")),
            (false, true) => {}
        }
        steps.push(step(
            "get_logs",
            json!({"process": process, "format": "records", "limit": 5}),
            "See whether levels and fields are found",
        ));
        steps
    }
}

/// Checks by what listens and what it is, with the reason for each.
fn checks_for(view: &ProcessView) -> Vec<(HealthArgs, String)> {
    let command = format!("{} {}", view.command, view.args.join(" ")).to_lowercase();
    let mut checks = Vec::new();
    for port in view.ports.iter().take(3) {
        let address = format!("127.0.0.1:{port}");
        checks.push(match () {
            () if command.contains("redis-server") => (
                check("redis", json!({"address": address})),
                format!("it is Redis and listens on {port}: `redis` asks it"),
            ),
            () if command.contains("postgres") => (
                check("postgres", json!({"address": address})),
                format!("it is PostgreSQL and listens on {port}: `postgres` asks it"),
            ),
            () if speaks_http(&command) => (
                check("http", json!({"url": format!("http://{address}/")})),
                format!("it listens on {port} and looks like a web server: `http` expects an answer"),
            ),
            () => (
                check("tcp", json!({"address": address})),
                format!("it listens on {port}: `tcp` connects to it"),
            ),
        });
    }
    if checks.is_empty() {
        checks.push((
            check("process", json!({"memory_mib": {"degraded": 512, "unhealthy": 1024}})),
            "it listens on no port: `process` watches its memory".to_owned(),
        ));
    }
    checks
}

fn check(plugin: &str, config: Value) -> HealthArgs {
    let config = match config {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    HealthArgs {
        plugin: plugin.to_owned(),
        config,
        interval_ms: Some(10_000),
        timeout_ms: Some(3_000),
        start_period_ms: Some(10_000),
        failure_threshold: Some(3),
        success_threshold: None,
        on_unhealthy: None,
    }
}

/// By the names of what usually serves HTTP.
fn speaks_http(command: &str) -> bool {
    const SERVERS: [&str; 18] = [
        "http", "node", "npm", "next", "vite", "uvicorn", "gunicorn", "flask", "django", "rails", "puma",
        "nginx", "caddy", "php", "deno", "bun", "serve", "web",
    ];
    SERVERS.iter().any(|name| command.contains(name))
}

/// A parser, what its lines are, and whether a line is one.
type Form = (&'static str, &'static str, fn(&str) -> bool);

/// The parser whose form most of the lines have.
fn parser_for(lines: &[String]) -> Option<(&'static str, String)> {
    let lines: Vec<&str> = lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    let forms: [Form; 4] = [
        ("json", "a JSON object", is_json),
        ("access-log", "a line of an access log", is_access_log),
        ("syslog", "a line of syslog", is_syslog),
        ("logfmt", "a list of key=value", is_logfmt),
    ];
    forms.into_iter().find_map(|(parser, form, has)| {
        let count = lines.iter().filter(|line| has(line)).count();
        (count * 10 >= lines.len() * MOST).then(|| {
            (parser, format!("{count} of its {} newest lines are {form}: `{parser}` reads them", lines.len()))
        })
    })
}

fn is_json(line: &str) -> bool {
    line.starts_with('{') && serde_json::from_str::<Map<String, Value>>(line).is_ok()
}

fn is_access_log(line: &str) -> bool {
    line.contains("\" ")
        && ["\"GET ", "\"POST ", "\"PUT ", "\"HEAD ", "\"DELETE "].iter().any(|m| line.contains(m))
}

fn is_syslog(line: &str) -> bool {
    line.strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .is_some_and(|(priority, _)| priority.parse::<u16>().is_ok_and(|p| p < 192))
}

fn is_logfmt(line: &str) -> bool {
    line.split_whitespace()
        .filter(|word| word.split_once('=').is_some_and(|(key, _)| !key.is_empty()))
        .count()
        >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(command: &str, ports: &[u16]) -> ProcessView {
        serde_json::from_value(json!({
            "id": "p1", "name": "web", "project": "shop", "status": "running", "restarts": 0, "command": command,
            "generation": 1, "ports": ports,
        }))
        .unwrap()
    }

    #[test]
    fn checks_follow_ports_and_runtime() {
        let first = |command, ports: &[u16]| {
            let (check, _) = checks_for(&view(command, ports)).remove(0);
            (check.plugin, Value::Object(check.config))
        };
        assert_eq!(first("node", &[3000]), ("http".into(), json!({"url": "http://127.0.0.1:3000/"})));
        assert_eq!(first("/usr/bin/redis-server", &[6379]).0, "redis");
        assert_eq!(first("postgres", &[5432]).0, "postgres");
        assert_eq!(first("./own", &[9]).0, "tcp");
        assert_eq!(first("./worker", &[]).0, "process");
    }

    #[test]
    fn parsers_follow_the_form_of_the_lines() {
        let parser = |lines: &[&str]| {
            parser_for(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()).map(|p| p.0)
        };
        assert_eq!(parser(&[r#"{"level":"info","msg":"a"}"#, r#"{"msg":"b"}"#, "boot"]), Some("json"));
        assert_eq!(parser(&["level=info msg=a", "level=warn msg=b"]), Some("logfmt"));
        assert_eq!(parser(&[r#"1.2.3.4 - - [x] "GET / HTTP/1.1" 200 5"#]), Some("access-log"));
        assert_eq!(parser(&["<34>Oct 11 22:14:15 su: x"]), Some("syslog"));
        assert_eq!(parser(&["hello", "world"]), None);
        assert_eq!(parser(&[]), None);
    }
}
