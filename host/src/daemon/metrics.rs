//! What a Prometheus server reads: text in the exposition format, made of a snapshot by a pure function.

use std::fmt::Write;

use hostler_api::monitoring::DaemonStats;
use hostler_api::view::Status;

/// The type that HTTP names for it.
#[allow(dead_code, reason = "for the endpoint")]
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
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProcessMetrics {
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) health: Option<String>,
    pub(crate) restarts: u32,
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
    let d = &snapshot.daemon;
    for (name, kind, help, value) in [
        ("hostler_daemon_uptime_seconds", "gauge", "Since the daemon's start.", d.uptime_ms as f64 / 1000.0),
        ("hostler_daemon_cpu_percent", "gauge", "The daemon's CPU, percent of a core.", d.cpu_percent),
        ("hostler_daemon_memory_bytes", "gauge", "The daemon's memory.", d.memory_bytes as f64),
        ("hostler_daemon_open_files", "gauge", "The daemon's open files.", d.open_files as f64),
        ("hostler_shims", "gauge", "Shims of running processes.", d.shims as f64),
        ("hostler_shims_memory_bytes", "gauge", "Memory of these shims.", d.shims_memory_bytes as f64),
        ("hostler_store_bytes", "gauge", "The database on disk.", snapshot.store_bytes as f64),
        ("hostler_degraded", "gauge", "Parts that do not work as they should.", snapshot.degraded as f64),
    ] {
        text.family(name, kind, help);
        text.line(name, &[], value);
    }
    if let Some(kills) = snapshot.oom_kills {
        let name = "hostler_machine_oom_kills_total";
        text.family(name, "counter", "Kills by the kernel for lack of memory since the machine's start.");
        text.line(name, &[], kills as f64);
    }
    text.0
}

type Of = fn(&ProcessMetrics) -> Option<f64>;

fn per_process(text: &mut Text, processes: &[ProcessMetrics]) {
    let families: [(&str, &str, Of); 6] = [
        ("hostler_process_up", "Whether the process runs.", |p| {
            Some(f64::from(u8::from(p.status == Status::Running)))
        }),
        ("hostler_process_restarts", "Automatic restarts since it was last started by hand.", |p| {
            Some(f64::from(p.restarts))
        }),
        ("hostler_process_cpu_percent", "CPU of the tree, percent of a core.", |p| {
            Some(p.usage?.cpu_percent)
        }),
        ("hostler_process_memory_bytes", "Memory of the tree.", |p| Some(p.usage?.memory_bytes as f64)),
        ("hostler_process_threads", "Threads of the tree.", |p| Some(p.usage?.threads as f64)),
        ("hostler_process_open_files", "Open files of the tree.", |p| Some(p.usage?.open_files as f64)),
    ];
    for (name, help, of) in families {
        text.family(name, "gauge", help);
        for process in processes {
            if let Some(value) = of(process) {
                text.line(name, &[("project", &process.project), ("process", &process.name)], value);
            }
        }
    }
    text.family("hostler_process_health", "gauge", "1 for the state of health that it is in.");
    for process in processes {
        if let Some(health) = &process.health {
            let labels = [("project", &*process.project), ("process", &*process.name), ("health", health)];
            text.line("hostler_process_health", &labels, 1.0);
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
            usage: Some(usage),
        };
        let asleep = ProcessMetrics {
            name: "job".into(),
            status: Status::Stopped,
            health: None,
            usage: None,
            ..process.clone()
        };
        let snapshot =
            Snapshot { version: "1.2.3".into(), processes: vec![process, asleep], ..Snapshot::default() };
        let text = render(&snapshot);
        for line in [
            "hostler_info{version=\"1.2.3\"} 1",
            "hostler_processes{status=\"running\"} 1",
            "hostler_processes{status=\"failed\"} 0",
            "hostler_process_up{project=\"a \\\"shop\\\"\\\\\",process=\"web\"} 1",
            "hostler_process_cpu_percent{project=\"a \\\"shop\\\"\\\\\",process=\"web\"} 12.5",
            "hostler_process_health{project=\"a \\\"shop\\\"\\\\\",process=\"web\",health=\"healthy\"} 1",
            "# TYPE hostler_store_bytes gauge",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
        }
        assert_eq!(text.matches("hostler_process_memory_bytes{").count(), 1, "only who runs uses memory");
        assert!(text.ends_with('\n'));
        // Each family is described once, before its first value.
        let types = text.lines().filter(|l| l.starts_with("# TYPE")).count();
        let mut names: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
        names.dedup();
        assert_eq!(names.len(), types);
    }
}
