//! Plugins in the author's commands: a runtime, an engine, and surroundings without a daemon.

use std::path::PathBuf;

use hostler_api::ToolError;
use hostler_model::ProcessSpec;
use hostler_plugin_host::{
    BoxFuture, Command, CommandError, CommandOutput, Engine, EngineOptions, LoadError, ProcessFacts,
    Surroundings,
};
use serde::Deserialize;

use super::commands;
use crate::daemon::home::Home;

/// A runtime for one command.
///
/// # Errors
/// When the machine has no means for one.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, ToolError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ToolError::internal(format!("cannot make a runtime: {error}")))
}

/// An engine as the daemon has it, for few instances.
///
/// # Errors
/// When the machine has no means for one.
pub(crate) fn engine(cache_dir: Option<PathBuf>) -> Result<Engine, LoadError> {
    Engine::new(EngineOptions { cache_dir, warm_instances: 4, ..EngineOptions::default() })
}

/// In place of the daemon: facts that were given, and commands as the policy allows them, in the working directory.
#[derive(Debug)]
pub(crate) struct Workbench {
    /// What is said of the process.
    pub(crate) facts: ProcessFacts,
    /// Whose policy is asked.
    pub(crate) home: Home,
    /// Where commands run.
    pub(crate) cwd: PathBuf,
}

impl Surroundings for Workbench {
    fn facts(&self) -> BoxFuture<'_, ProcessFacts> {
        Box::pin(std::future::ready(self.facts.clone()))
    }

    fn run(&self, command: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        Box::pin(async move {
            let place = ProcessSpec {
                command: String::new(),
                args: Vec::new(),
                cwd: self.cwd.display().to_string(),
                search_path: std::env::var("PATH").unwrap_or_default(),
                env: std::collections::BTreeMap::new(),
                env_files: Vec::new(),
                env_profile: None,
                env_digest: None,
                restart: hostler_model::RestartPolicy::default(),
                schedule: None,
                watch: None,
                health: Vec::new(),
                stop: hostler_model::spec::StopSpec::default(),
                limits: hostler_model::spec::Limits::default(),
                lifetime: hostler_model::spec::Lifetime::default(),
                parsers: Vec::new(),
                pty: false,
                no_new_privs: false,
            };
            commands::run(&self.home, &self.cwd, &place, command).await
        })
    }
}

/// Facts as a person writes them down; what is left out is unknown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    name: String,
    pid: Option<u32>,
    uptime_ms: u64,
    restarts: u32,
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
    open_files: Option<u64>,
    threads: Option<u32>,
    ports: Vec<u16>,
    silent_ms: Option<u64>,
    lines_per_minute: u64,
}

/// Reads the facts of a process from JSON.
///
/// # Errors
/// What is wrong with them, and where.
pub(crate) fn read_facts(json: &[u8]) -> Result<ProcessFacts, ToolError> {
    let written: Written = serde_json::from_slice(json)
        .map_err(|error| ToolError::invalid(format!("the input has no facts of a process: {error}")))?;
    let Written {
        name, pid, uptime_ms, restarts, cpu_percent, memory_bytes, open_files, threads, ports, ..
    } = written;
    let (silent_ms, lines_per_minute) = (written.silent_ms, written.lines_per_minute);
    Ok(ProcessFacts {
        name,
        pid,
        uptime_ms,
        restarts,
        cpu_percent,
        memory_bytes,
        open_files,
        threads,
        ports,
        silent_ms,
        lines_per_minute,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bench(dir: &std::path::Path) -> Workbench {
        let home = Home::at(dir.to_owned()).unwrap();
        Workbench { facts: ProcessFacts::default(), home, cwd: dir.to_owned() }
    }

    fn run(program: &str, arguments: &[&str], timeout_ms: u64) -> Result<CommandOutput, CommandError> {
        let dir = tempfile::tempdir().unwrap();
        let command = Command {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            timeout: Duration::from_millis(timeout_ms),
        };
        runtime().unwrap().block_on(bench(dir.path()).run(command))
    }

    #[test]
    fn commands_run_as_the_policy_allows() {
        let output = run("printf", &["a b"], 10_000).unwrap();
        assert_eq!((output.code, output.stdout.as_slice()), (Some(0), &b"a b"[..]));
        assert!(matches!(run("sh", &["-c", "true"], 10_000), Err(CommandError::Denied(_))));
        assert_eq!(run("sleep", &["30"], 20), Err(CommandError::Timeout));
    }

    #[test]
    fn facts_are_named() {
        assert_eq!(read_facts(br#"{"pid": 7, "ports": [80]}"#).unwrap().ports, [80]);
        let message = read_facts(br#"{"pdi": 7}"#).unwrap_err().message;
        assert!(message.contains("unknown field `pdi`"), "{message}");
    }
}
