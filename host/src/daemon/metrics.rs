//! What a Prometheus server reads: text in the exposition format, made of a snapshot by a pure function.
//!
//! Counters of output and plugins begin with the daemon, those of errors with the process's record: a server takes
//! both for what they are.

use std::fmt::Write;

use hostler_api::monitoring::DaemonStats;
use hostler_api::view::Status;
use hostler_model::health;
use hostler_plugin_host::Stats;
use hostler_store::ErrorCounts;

use super::activity::Output;

/// The type that HTTP names for it.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All that is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Snapshot {
    pub(crate) version: String,
    pub(crate) processes: Vec<ProcessMetrics>,
    pub(crate) daemon: DaemonStats,
    pub(crate) store_bytes: u64,
    /// Kills by the kernel for lack of memory on this machine since its start.
    pub(crate) oom_kills: Option<u64>,
    pub(crate) degraded: usize,
    /// By name, what plugins have cost.
    pub(crate) plugins: Vec<(String, Stats)>,
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProcessMetrics {
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) health: Option<String>,
    pub(crate) restarts: u32,
    pub(crate) output: Output,
    /// None when the database cannot say: a counter must not seem to begin anew.
    pub(crate) errors: Option<ErrorCounts>,
    /// What its tree uses, while it runs.
    pub(crate) usage: Option<UsageMetrics>,
}

/// What a tree uses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct UsageMetrics {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
}

/// The text.
pub(crate) fn render(snapshot: &Snapshot) -> String {
    let mut text = Text::default();
    text.family("hostler_info", "gauge", "The running hostler.");
    text.line("hostler_info", &[("version", &snapshot.version)], 1.0);
    text.family("hostler_processes", "gauge", "Declared processes by their state.");
    for status in Status::NAMES {
        let count = snapshot.processes.iter().filter(|p| p.status.as_str() == status).count();
        text.line("hostler_processes", &[("status", status)], count as f64);
    }
    per_process(&mut text, &snapshot.processes);
    per_plugin(&mut text, &snapshot.plugins);
    daemon(&mut text, snapshot);
    text.0
}

fn daemon(text: &mut Text, snapshot: &Snapshot) {
    let d = &snapshot.daemon;
    for (name, help, value) in [
        ("hostler_daemon_uptime_seconds", "Since the daemon's start.", d.uptime_ms as f64 / 1000.0),
        ("hostler_daemon_cpu_percent", "The daemon's CPU, percent of a core.", d.cpu_percent),
        ("hostler_daemon_memory_bytes", "The daemon's memory.", d.memory_bytes as f64),
        ("hostler_daemon_threads", "The daemon's threads.", d.threads as f64),
        ("hostler_daemon_open_files", "The daemon's open files.", d.open_files as f64),
        ("hostler_shims", "Shims of running processes.", d.shims as f64),
        ("hostler_shims_memory_bytes", "Memory of these shims.", d.shims_memory_bytes as f64),
        ("hostler_store_bytes", "The database on disk.", snapshot.store_bytes as f64),
        ("hostler_degraded", "Parts that do not work as they should.", snapshot.degraded as f64),
    ] {
        text.family(name, "gauge", help);
        text.line(name, &[], value);
    }
    if let Some(kills) = snapshot.oom_kills {
        let name = "hostler_machine_oom_kills_total";
        text.family(name, "counter", "Kills by the kernel for lack of memory since the machine's start.");
        text.line(name, &[], kills as f64);
    }
}

type Of = fn(&ProcessMetrics) -> Option<f64>;

fn per_process(text: &mut Text, processes: &[ProcessMetrics]) {
    let families: [(&str, &str, &str, Of); 10] = [
        ("hostler_process_up", "gauge", "Whether the process runs.", |p| {
            Some(f64::from(u8::from(p.status == Status::Running)))
        }),
        (
            "hostler_process_restarts_total",
            "counter",
            "Automatic restarts since it was last started by hand.",
            |p| Some(f64::from(p.restarts)),
        ),
        ("hostler_process_cpu_percent", "gauge", "CPU of the tree, percent of a core.", |p| {
            Some(p.usage?.cpu_percent)
        }),
        ("hostler_process_memory_bytes", "gauge", "Memory of the tree.", |p| {
            Some(p.usage?.memory_bytes as f64)
        }),
        ("hostler_process_threads", "gauge", "Threads of the tree.", |p| Some(p.usage?.threads as f64)),
        ("hostler_process_open_files", "gauge", "Open files of the tree.", |p| {
            Some(p.usage?.open_files as f64)
        }),
        ("hostler_process_log_lines_total", "counter", "Lines of output since the daemon's start.", |p| {
            Some(p.output.lines as f64)
        }),
        ("hostler_process_log_bytes_total", "counter", "Bytes of output since the daemon's start.", |p| {
            Some(p.output.bytes as f64)
        }),
        ("hostler_process_errors_total", "counter", "Errors found in its output, and crashes.", |p| {
            Some(p.errors?.occurrences as f64)
        }),
        ("hostler_process_error_groups", "gauge", "Groups of its errors that are not resolved.", |p| {
            Some(p.errors?.open_groups as f64)
        }),
    ];
    for (name, kind, help, of) in families {
        text.family(name, kind, help);
        for process in processes {
            if let Some(value) = of(process) {
                text.line(name, &process.labels(), value);
            }
        }
    }
    text.family(
        "hostler_process_health",
        "gauge",
        "1 for the state of health that it is in, 0 for the others.",
    );
    for process in processes {
        for state in process.health.iter().flat_map(|_| health::Status::ALL) {
            let [project, name] = process.labels();
            let is_in = process.health.as_deref() == Some(state.as_str());
            let labels = [project, name, ("health", state.as_str())];
            text.line("hostler_process_health", &labels, f64::from(u8::from(is_in)));
        }
    }
}

impl ProcessMetrics {
    fn labels(&self) -> [(&str, &str); 2] {
        [("project", &self.project), ("process", &self.name)]
    }
}

type OfPlugin = fn(&Stats) -> f64;

fn per_plugin(text: &mut Text, plugins: &[(String, Stats)]) {
    let families: [(&str, &str, &str, OfPlugin); 5] = [
        ("hostler_plugin_calls_total", "counter", "Calls of the plugin.", |s| s.calls as f64),
        (
            "hostler_plugin_busy_seconds_total",
            "counter",
            "Time spent in these calls, what they waited for the network included.",
            |s| s.busy.as_secs_f64(),
        ),
        ("hostler_plugin_items_total", "counter", "Lines parsed, checks made or errors categorized.", |s| {
            s.items as f64
        }),
        (
            "hostler_plugin_faults_total",
            "counter",
            "Calls that ended in a trap, a missed deadline or an answer that breaks the contract.",
            |s| (s.traps + s.timeouts + s.invalid_answers) as f64,
        ),
        ("hostler_plugin_memory_peak_bytes", "gauge", "The most memory that one instance had.", |s| {
            s.memory_peak as f64
        }),
    ];
    for (name, kind, help, of) in families {
        text.family(name, kind, help);
        for (plugin, stats) in plugins {
            text.line(name, &[("plugin", plugin)], of(stats));
        }
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

/// As the format wants it in the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_told_in_the_format() {
        let usage = UsageMetrics { cpu_percent: 12.5, memory_bytes: 4096, threads: 3, open_files: 9 };
        let process = ProcessMetrics {
            project: "a \"shop\"\\".into(),
            name: "web".into(),
            status: Status::Running,
            health: Some("healthy".into()),
            restarts: 2,
            output: Output { lines: 20, bytes: 2000 },
            errors: Some(ErrorCounts { occurrences: 3, open_groups: 1 }),
            usage: Some(usage),
        };
        let asleep = ProcessMetrics {
            name: "job".into(),
            status: Status::Stopped,
            health: None,
            usage: None,
            ..process.clone()
        };
        let cost = Stats { calls: 7, busy: std::time::Duration::from_millis(1500), ..Stats::default() };
        let snapshot = Snapshot {
            version: "1.2.3".into(),
            processes: vec![process, asleep],
            plugins: vec![("http".into(), cost)],
            oom_kills: Some(1),
            ..Snapshot::default()
        };
        let text = render(&snapshot);
        for line in [
            "hostler_info{version=\"1.2.3\"} 1",
            "hostler_processes{status=\"running\"} 1",
            "hostler_processes{status=\"failed\"} 0",
            "hostler_process_up{project=\"a \\\"shop\\\"\\\\\",process=\"web\"} 1",
            "hostler_process_cpu_percent{project=\"a \\\"shop\\\"\\\\\",process=\"web\"} 12.5",
            "hostler_process_health{project=\"a \\\"shop\\\"\\\\\",process=\"web\",health=\"healthy\"} 1",
            "hostler_process_health{project=\"a \\\"shop\\\"\\\\\",process=\"web\",health=\"unhealthy\"} 0",
            "hostler_process_log_lines_total{project=\"a \\\"shop\\\"\\\\\",process=\"job\"} 20",
            "hostler_process_errors_total{project=\"a \\\"shop\\\"\\\\\",process=\"web\"} 3",
            "hostler_plugin_busy_seconds_total{plugin=\"http\"} 1.5",
            "# TYPE hostler_store_bytes gauge",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
        }
        assert_eq!(text.matches("hostler_process_memory_bytes{").count(), 1, "only who runs uses memory");
        assert!(text.ends_with('\n'));
        assert_well_formed(&text);
    }

    /// As `promtool check metrics` would have it: families are described once, before all their values, which stand
    /// together; counters, and only they, end in `_total`; and no value is told twice.
    fn assert_well_formed(text: &str) {
        let (mut families, mut values) =
            (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
        let mut lines = text.lines();
        let mut current = "";
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                let kind = lines.next().and_then(|l| l.strip_prefix(&format!("# TYPE {name} "))).unwrap();
                assert!(
                    !help.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                    "{line}"
                );
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(families.insert(name, kind).is_none(), "{name} is described twice");
                current = name;
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert_eq!(series.split('{').next(), Some(current), "{line}");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                assert!(values.insert(series), "{series} is told twice");
            }
        }
    }
}
