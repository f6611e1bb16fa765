//! Limits of control groups: which ones the kernel can hold a run's group to, and which ones it does.

use std::fs;
use std::path::Path;

use hostler_model::spec::Limits;

/// The period of `cpu.max`, microseconds.
const PERIOD_US: u64 = 100_000;

/// The controllers that the groups of runs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Controllers {
    memory: bool,
    cpu: bool,
    pids: bool,
}

impl Controllers {
    /// Asks for them in the group that has those of the runs. The kernel refuses that while processes are in it, but
    /// for the root of all.
    pub(crate) fn of(group: &Path) -> Self {
        let file = group.join("cgroup.subtree_control");
        let words = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        for name in ["memory", "cpu", "pids"].into_iter().filter(|name| has(&words, name)) {
            let _ = fs::write(&file, format!("+{name}"));
        }
        let words = fs::read_to_string(file).unwrap_or_default();
        Self { memory: has(&words, "memory"), cpu: has(&words, "cpu"), pids: has(&words, "pids") }
    }

    /// The files of a run's group that hold it to these limits. Of memory the whole group is killed: half a tree
    /// serves nobody.
    pub(crate) fn files(self, limits: &Limits) -> Vec<(String, String)> {
        let mut files = Vec::new();
        let mut set = |file: &str, value: String| files.push((file.to_owned(), value));
        if let Some(bytes) = limits.memory_bytes.filter(|_| self.memory) {
            set("memory.max", bytes.to_string());
            set("memory.swap.max", "0".to_owned());
            set("memory.oom.group", "1".to_owned());
        }
        if let Some(percent) = limits.cpu_percent.filter(|_| self.cpu) {
            set("cpu.max", format!("{} {PERIOD_US}", (u64::from(percent) * PERIOD_US / 100).max(1000)));
        }
        if let Some(number) = limits.processes.filter(|_| self.pids) {
            set("pids.max", number.to_string());
        }
        files
    }
}

fn has(words: &str, name: &str) -> bool {
    words.split_ascii_whitespace().any(|word| word == name)
}

/// What the kernel holds a run's group to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// `memory.max`.
    pub memory: bool,
    /// `cpu.max`.
    pub cpu: bool,
    /// `pids.max`.
    pub processes: bool,
}

/// Reads it from the files of the group.
#[must_use]
pub fn held(group: &Path) -> Held {
    let is_set =
        |file: &str| fs::read_to_string(group.join(file)).is_ok_and(|value| !value.starts_with("max"));
    Held { memory: is_set("memory.max"), cpu: is_set("cpu.max"), processes: is_set("pids.max") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_lets_us_is_asked_for_and_what_it_holds_is_told() {
        let group = tempfile::tempdir().unwrap();
        let limits = Limits {
            memory_bytes: Some(1 << 20),
            cpu_percent: Some(150),
            processes: Some(9),
            open_files: Some(3),
        };
        assert_eq!(Controllers::of(group.path()).files(&limits), []);
        assert_eq!(held(group.path()), Held::default());
        let all = Controllers { memory: true, cpu: true, pids: true };
        for (file, value) in all.files(&limits) {
            fs::write(group.path().join(file), value).unwrap();
        }
        assert_eq!(fs::read_to_string(group.path().join("cpu.max")).unwrap(), "150000 100000");
        assert_eq!(held(group.path()), Held { memory: true, cpu: true, processes: true });
        fs::write(group.path().join("memory.max"), "max\n").unwrap();
        assert!(!held(group.path()).memory);
        assert_eq!(all.files(&Limits::default()), []);
    }

    #[test]
    fn controllers_are_those_that_the_kernel_gave() {
        let group = tempfile::tempdir().unwrap();
        fs::write(group.path().join("cgroup.controllers"), "cpuset cpu memory").unwrap();
        // A file here keeps the last word written to it.
        let controllers = Controllers::of(group.path());
        assert!(!controllers.pids && !controllers.memory);
        fs::remove_file(group.path().join("cgroup.controllers")).unwrap();
        fs::write(group.path().join("cgroup.subtree_control"), "cpu memory\n").unwrap();
        assert_eq!(Controllers::of(group.path()), Controllers { memory: true, cpu: true, pids: false });
    }
}
