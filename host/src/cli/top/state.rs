//! What the live view knows, and what a key means: no terminal, no daemon.

use std::collections::{HashMap, VecDeque};

use hostler_api::monitoring::SystemStats;
use hostler_api::view::ProcessView;

/// Looks that are remembered for the graphs.
const REMEMBERED: usize = 120;

/// All that is shown.
#[derive(Default)]
pub(super) struct State {
    pub(super) processes: Vec<ProcessView>,
    pub(super) system: Option<SystemStats>,
    /// Lines of the selected one's log, oldest first.
    pub(super) log: Vec<String>,
    /// What the last key brought about.
    pub(super) message: String,
    selected: Option<String>,
    history: HashMap<String, VecDeque<(u64, u64)>>,
}

/// A key, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Start,
    Stop,
    Restart,
    Quit,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    None,
    Quit,
    /// Call this tool for a process.
    Call {
        tool: &'static str,
        id: String,
        project: String,
        name: String,
    },
}

impl State {
    /// Takes a new list. Who was selected stays so, wherever it is now.
    pub(super) fn update(&mut self, processes: Vec<ProcessView>) {
        self.history.retain(|id, _| processes.iter().any(|p| p.id == *id));
        for process in &processes {
            let history = self.history.entry(process.id.clone()).or_default();
            let cpu = (process.cpu_percent.unwrap_or(0.0) * 10.0) as u64;
            history.push_back((cpu, process.memory_bytes.unwrap_or(0)));
            if history.len() > REMEMBERED {
                history.pop_front();
            }
        }
        if !processes.iter().any(|p| Some(&p.id) == self.selected.as_ref()) {
            self.selected = processes.first().map(|p| p.id.clone());
            self.log.clear();
        }
        self.processes = processes;
    }

    /// Where the selected one stands in the list.
    pub(super) fn position(&self) -> Option<usize> {
        self.processes.iter().position(|p| Some(&p.id) == self.selected.as_ref())
    }

    pub(super) fn selected(&self) -> Option<&ProcessView> {
        self.position().map(|at| &self.processes[at])
    }

    /// CPU in tenths of a percent and memory in bytes of the selected one, oldest first.
    pub(super) fn graphs(&self) -> (Vec<u64>, Vec<u64>) {
        let history = self.selected.as_ref().and_then(|id| self.history.get(id));
        history.into_iter().flatten().copied().unzip()
    }

    /// What a key asks for.
    pub(super) fn on_key(&mut self, key: Key) -> Action {
        let tool = match key {
            Key::Quit => return Action::Quit,
            Key::Up => return self.go(-1),
            Key::Down => return self.go(1),
            Key::Start => "start_process",
            Key::Stop => "stop_process",
            Key::Restart => "restart_process",
        };
        let Some(process) = self.selected() else { return Action::None };
        let (id, project, name) = (process.id.clone(), process.project.clone(), process.name.clone());
        self.message = format!("{tool} {name} …");
        Action::Call { tool, id, project, name }
    }

    fn go(&mut self, by: isize) -> Action {
        let last = self.processes.len().saturating_sub(1);
        let to = self.position().map_or(0, |at| at.saturating_add_signed(by).min(last));
        self.selected = self.processes.get(to).map(|p| p.id.clone());
        self.log.clear();
        Action::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn process(id: &str, cpu: f64) -> ProcessView {
        let view = json!({"id": id, "name": id, "project": "shop", "status": "running", "restarts": 0,
            "command": "x", "generation": 1, "cpu_percent": cpu, "memory_bytes": 5});
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn the_selection_follows_its_process() {
        let mut state = State::default();
        assert_eq!(state.on_key(Key::Stop), Action::None);
        state.update(vec![process("a", 1.0), process("b", 2.0)]);
        assert_eq!(state.on_key(Key::Down), Action::None);
        assert_eq!(state.on_key(Key::Down), Action::None);
        state.update(vec![process("b", 3.0), process("c", 0.0)]);
        assert_eq!(state.selected().unwrap().id, "b");
        assert_eq!(state.graphs(), (vec![20, 30], vec![5, 5]));
        let project = "shop".to_owned();
        let call = Action::Call { tool: "restart_process", id: "b".into(), project, name: "b".into() };
        assert_eq!(state.on_key(Key::Restart), call);
        state.update(vec![process("c", 0.0)]);
        assert_eq!(state.selected().unwrap().id, "c", "whoever is gone is not selected any more");
        assert_eq!(state.on_key(Key::Up), Action::None);
        assert_eq!(state.on_key(Key::Quit), Action::Quit);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut state = State::default();
        for n in 0..1000 {
            state.update(vec![process("a", f64::from(n))]);
        }
        assert_eq!(state.graphs().0.len(), REMEMBERED);
        state.update(Vec::new());
        assert!(state.history.is_empty() && state.selected().is_none());
    }
}
