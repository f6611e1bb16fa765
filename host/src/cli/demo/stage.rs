//! Where the tour takes place.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::agent::Agent;
use super::{check, list};
use crate::cli::exit::{Failure, Outcome};
use crate::daemon::home;

/// A private home and project.
pub(super) struct Stage {
    root: PathBuf,
    program: PathBuf,
}

impl Stage {
    pub(super) fn build() -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| Failure::failed(e.to_string()))?;
        let root = std::env::temp_dir().join(format!("hostler-demo-{}", std::process::id()));
        let stage = Self { root, program };
        let policy = format!(
            "# The demo's own program, which is neither on PATH nor in the project.\n[commands]\nallow = [{:?}]\n",
            stage.program
        );
        std::fs::create_dir_all(stage.project())
            .and_then(|()| std::fs::create_dir_all(stage.home()))
            .and_then(|()| std::fs::write(stage.home().join("policy.toml"), policy))
            .map_err(|e| Failure::failed(format!("cannot write {}: {e}", stage.root.display())))?;
        Ok(stage)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// This program, which plays those that the tour needs.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn project(&self) -> PathBuf {
        self.root.join("shop")
    }

    /// Writes a file of the project.
    pub(super) fn write(&self, file: &str, content: &str) -> Outcome {
        std::fs::write(self.project().join(file), content)
            .map_err(|e| Failure::failed(format!("cannot write {file}: {e}")))
    }

    /// A text without the paths that are long and different each time.
    pub(super) fn in_short(&self, text: &str) -> String {
        let project = format!("{}/", self.project().display());
        text.replace(&project, "").replace(&self.program.display().to_string(), "hostler")
    }

    pub(super) fn hostler(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env(home::VARIABLE, self.home())
            .env_remove(home::POLICY_VARIABLE)
            .current_dir(self.project());
        command
    }

    pub(super) fn daemon_pid(&self) -> Result<i64, Failure> {
        let output = self.hostler().args(["daemon", "status", "--json"]).output();
        let output = output.map_err(|e| Failure::failed(e.to_string()))?;
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        status["pid"].as_i64().ok_or_else(|| Failure::failed("the daemon does not tell its pid"))
    }

    /// Ends everything, also after a tour that failed in the middle.
    pub(super) fn clear(&self) -> Outcome {
        if let Ok(mut agent) = Agent::connect(self) {
            let all = agent.call("list_processes", json!({"all_projects": true}))?;
            for process in list(&all, "/processes") {
                let stop = json!({"process": process["id"], "remove": true, "grace_ms": 1000});
                agent.call("stop_process", stop)?;
            }
        }
        let stopped = self.hostler().args(["daemon", "stop"]).stdout(Stdio::null()).status();
        check(stopped.is_ok_and(|s| s.success()), "the daemon ends")?;
        std::fs::remove_dir_all(&self.root)
            .map_err(|e| Failure::failed(format!("cannot remove {}: {e}", self.root.display())))
    }
}
