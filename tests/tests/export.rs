//! Lines that are sent to an OpenTelemetry collector: once each, over refusals and restarts of both.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use e2e::{Env, Era, wait_until};
use serde_json::{Value, json};

/// A collector: takes requests over HTTP and keeps their records.
struct Collector {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// So many requests are answered with 503 first.
    busy: AtomicUsize,
    refused: AtomicUsize,
    heads: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Value>>,
}

impl Collector {
    fn start(address: &str, busy: usize) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State { busy: AtomicUsize::new(busy), ..State::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || while state.serve(&stream).is_some() {});
            }
        });
        Self { address, state }
    }

    /// All records that were taken, with the name of their process.
    fn records(&self) -> Vec<(String, Value)> {
        let bodies = self.state.bodies.lock().unwrap();
        let resources = bodies.iter().flat_map(|body| body["resourceLogs"].as_array().unwrap());
        let of = |logs: &Value| {
            let name = attribute(&logs["resource"], "service.name");
            let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap().clone();
            records.into_iter().map(move |record| (name.clone(), record)).collect::<Vec<_>>()
        };
        resources.flat_map(of).collect()
    }

    /// What was taken of one process.
    fn texts(&self, process: &str) -> Vec<String> {
        let of = self.records().into_iter().filter(|(name, _)| name == process);
        of.map(|(_, record)| record["body"]["stringValue"].as_str().unwrap().to_owned()).collect()
    }
}

impl State {
    /// Answers one request of a connection.
    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        let mut body = vec![0; length?];
        reader.read_exact(&mut body).ok()?;
        let is_busy =
            self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let (status, answer) = match is_busy {
            Ok(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                ("503 Service Unavailable\r\nRetry-After: 1", "later")
            }
            Err(_) => {
                self.heads.lock().unwrap().push(head);
                self.bodies.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                ("200 OK", "{}")
            }
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).ok()
    }
}

fn attribute(holder: &Value, key: &str) -> String {
    let found = holder["attributes"].as_array().unwrap().iter().find(|a| a["key"] == key).unwrap();
    let value = &found["value"];
    value["stringValue"].as_str().or(value["intValue"].as_str()).unwrap().to_owned()
}

fn configure(env: &Env, collector: &Collector) {
    let text = format!(
        "[export.otlp]\nendpoint = \"http://{}\"\nheaders = {{ \"x-token\" = \"t\" }}\n",
        collector.address
    );
    std::fs::write(env.home().join("config.toml"), text).unwrap();
}

fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..=to).flat_map(|n| [format!("out {n}"), format!("err {n}")]).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn lines_arrive_once_with_level_fields_and_whole_traces() {
    let env = Env::new();
    let collector = Collector::start("127.0.0.1:0", 2);
    let mut mcp = env.mcp(Era::Modern);
    // What was written before there was a sink stays here.
    let start = |mcp: &mut e2e::Mcp, name: &str, args: Value| {
        let request = json!({"name": name, "command": env.fault(), "args": args, "wait_for": "exited"});
        mcp.call("start_process", request);
    };
    start(&mut mcp, "early", json!(["lines", "3"]));
    assert_eq!(mcp.all_lines("early").len(), 6);
    configure(&env, &collector);
    let _ = env.cli(&["daemon", "restart"]).ok();
    start(&mut mcp, "web", json!(["lines", "600"]));
    start(&mut mcp, "crash", json!(["trace", "1"]));
    wait_until("all lines have arrived", || collector.texts("web").len() >= 1200);
    assert_eq!(sorted(collector.texts("web")), sorted(numbered(1, 600)));
    assert_eq!(collector.state.refused.load(Ordering::Relaxed), 2, "it was asked again after 503");
    assert!(collector.texts("early").is_empty());
    let head = collector.state.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("POST /v1/logs HTTP/1.1\r\n") && head.contains("x-token: t"), "{head}");

    wait_until("the trace has arrived", || {
        collector.texts("crash").iter().any(|text| text.contains("Traceback") && text.lines().count() > 2)
    });
    let records = collector.records();
    let trace = records.iter().find(|(_, r)| r["body"].to_string().contains("Traceback")).unwrap();
    assert_eq!(
        (&trace.1["severityNumber"], attribute(&trace.1, "log.iostream")),
        (&json!(17), "stderr".into())
    );
    let web: Vec<&Value> = records.iter().filter(|(name, _)| name == "web").map(|(_, r)| r).collect();
    assert_eq!(
        (attribute(web[0], "hostler.run"), attribute(web[0], "hostler.seq")),
        ("1".into(), "1".into())
    );
}

#[test]
fn neither_a_restart_nor_a_collector_that_was_away_loses_or_doubles_lines() {
    let env = Env::new();
    let first = Collector::start("127.0.0.1:0", 0);
    let address = first.address.clone();
    configure(&env, &first);
    let mut mcp = env.mcp(Era::Modern);
    let run = |mcp: &mut e2e::Mcp| {
        mcp.done(
            "start_process",
            json!({"name": "web", "wait_for": "exited", "command": env.fault(), "args": ["lines", "700"]}),
        );
    };
    run(&mut mcp);
    // While it may be in the middle of it.
    wait_until("some have arrived", || !first.texts("web").is_empty());
    let _ = env.cli(&["daemon", "restart"]).ok();
    wait_until("all have arrived", || first.texts("web").len() >= 1400);
    assert_eq!(sorted(first.texts("web")), sorted(numbered(1, 700)));

    // Nobody is there: the daemon says so, and the lines wait. Those that a killed one had not sent as well.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    assert_ne!(free, address);
    configure(&env, &Collector { address: free.clone(), state: Arc::default() });
    run(&mut mcp);
    wait_until("the daemon says that nobody takes the lines", || {
        env.cli(&["daemon", "status"]).stdout.contains("lines are not exported")
    });
    env.crash_daemon();
    run(&mut mcp);
    let second = Collector::start(&free, 0);
    wait_until("all have arrived there", || second.texts("web").len() >= 2800);
    let twice = [numbered(1, 700), numbered(1, 700)].concat();
    assert_eq!(sorted(second.texts("web")), sorted(twice));
    assert_eq!(first.texts("web").len(), 1400);
    wait_until("nothing is wrong any more", || {
        !env.cli(&["daemon", "status"]).stdout.contains("lines are not exported")
    });
}
