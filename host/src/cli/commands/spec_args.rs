//! The options that declare a process, shared by `start` and `restart`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use hostler_api::process::{
    Evidence, LifetimeKind, LimitArgs, LogArgs, RestartArgs, SpecArgs, StartResult, StopArgs, WaitArgs,
    WaitFor,
};
use hostler_model::restart::RestartWhen;

use crate::cli::client::{Answered, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::daemon::service::in_words;

/// How a process is declared.
#[derive(Args)]
pub(in crate::cli) struct Declaration {
    /// Working directory
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Set an environment variable; may be repeated
    #[arg(long = "env", short = 'e', value_name = "NAME=VALUE", value_parser = name_and_value)]
    env: Vec<(String, String)>,
    /// Read variables from a file; may be repeated
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// Group to belong to
    #[arg(long)]
    group: Option<String>,
    /// Read .env, .env.local, .env.PROFILE and .env.PROFILE.local
    #[arg(long, value_name = "PROFILE")]
    env_profile: Option<String>,
    /// When to restart it by itself
    #[arg(long, value_enum)]
    restart: Option<When>,
    /// Restarts within the window before it counts as a crash loop
    #[arg(long, value_name = "N")]
    max_restarts: Option<u32>,
    /// Time after a crash loop until it is tried again
    #[arg(long, value_name = "MS")]
    cooldown_ms: Option<u64>,
    /// Log parser that its lines go to; may be repeated, each gets what those before it did not understand
    #[arg(long, value_name = "PLUGIN")]
    parser: Vec<String>,
    #[command(flatten)]
    health: super::health_args::HealthOptions,
    /// Signal that asks it to end
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Milliseconds until SIGKILL after that
    #[arg(long, value_name = "MS")]
    stop_grace_ms: Option<u64>,
    /// Limit of memory of the whole tree, bytes
    #[arg(long, value_name = "BYTES")]
    memory_bytes: Option<u64>,
    /// Limit of CPU of the whole tree, percent of one core
    #[arg(long, value_name = "PERCENT")]
    cpu_percent: Option<u32>,
    /// Limit of processes and threads of the whole tree
    #[arg(long, value_name = "N")]
    processes: Option<u64>,
    /// Limit of open files of one process
    #[arg(long, value_name = "N")]
    open_files: Option<u64>,
    /// Stop it when nobody has asked about it for this long
    #[arg(long, value_name = "MS")]
    lease_ms: Option<u64>,
    /// Run it on a pseudo terminal
    #[arg(long)]
    pty: bool,
    /// It cannot gain rights through setuid programs
    #[arg(long)]
    no_new_privs: bool,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Args)]
struct Wait {
    /// What to wait for
    #[arg(long, value_enum)]
    wait_for: Option<For>,
    /// Wait until a line of its output matches this regular expression
    #[arg(long, value_name = "REGEX")]
    wait_for_log: Option<String>,
    /// Longest wait, milliseconds
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum When {
    Never,
    OnFailure,
    Always,
}

/// What to wait for.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum For {
    Started,
    Ready,
    Healthy,
    Exited,
}

impl From<For> for WaitFor {
    fn from(wish: For) -> Self {
        match wish {
            For::Started => Self::Started,
            For::Ready => Self::Ready,
            For::Healthy => Self::Healthy,
            For::Exited => Self::Exited,
        }
    }
}

impl Declaration {
    /// The declaration without its command.
    pub(in crate::cli) fn spec(&self) -> SpecArgs {
        let restart = RestartArgs {
            policy: self.restart.map(|w| match w {
                When::Never => RestartWhen::Never,
                When::OnFailure => RestartWhen::OnFailure,
                When::Always => RestartWhen::Always,
            }),
            max_restarts: self.max_restarts,
            cooldown_ms: self.cooldown_ms,
            ..RestartArgs::default()
        };
        let stop = StopArgs { signal: self.stop_signal.clone(), grace_ms: self.stop_grace_ms };
        let limits = LimitArgs {
            memory_bytes: self.memory_bytes,
            cpu_percent: self.cpu_percent,
            open_files: self.open_files,
            processes: self.processes,
        };
        let env: BTreeMap<String, String> = self.env.iter().cloned().collect();
        SpecArgs {
            cwd: self.cwd.as_ref().map(|d| from_here(d)),
            env: given(env, BTreeMap::is_empty),
            env_files: given(self.env_file.iter().map(|f| from_here(f)).collect(), Vec::is_empty),
            env_profile: self.env_profile.clone(),
            group: self.group.clone(),
            restart: given(restart, |r| *r == RestartArgs::default()),
            health: self.health.checks(),
            log: given(LogArgs { parsers: self.parser.clone() }, |log| log.parsers.is_empty()),
            stop: given(stop, |s| *s == StopArgs::default()),
            limits: given(limits, |l| *l == LimitArgs::default()),
            lifetime: self.lease_ms.map(|_| LifetimeKind::Lease),
            lease_ms: self.lease_ms,
            pty: self.pty.then_some(true),
            no_new_privs: self.no_new_privs.then_some(true),
            ..SpecArgs::default()
        }
    }

    /// What to wait for.
    pub(in crate::cli) fn wait(&self) -> WaitArgs {
        WaitArgs {
            wait_for: self.wait.wait_for.map(Into::into),
            wait_for_log: self.wait.wait_for_log.clone(),
            timeout_ms: self.wait.timeout_ms,
        }
    }
}

fn given<T>(value: T, is_empty: impl Fn(&T) -> bool) -> Option<T> {
    if is_empty(&value) { None } else { Some(value) }
}

/// On the command line a path is relative to where the person stands.
fn from_here(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |p| p.to_string_lossy().into_owned())
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`; write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Shows the answer of a start or a restart.
pub(in crate::cli) fn show_started(answered: Answered, json: bool) -> Outcome {
    if json {
        render::json(&answered.result);
    }
    if let Some(failure) = answered.failure {
        return Err(if json { Failure::failed("") } else { Failure::failed(failure) });
    }
    let started: StartResult = parse(answered.result)?;
    if !json {
        render::one_line(&started.process);
        started.note.iter().for_each(|note| render::note(note));
    }
    match &started.evidence {
        // A job that was waited for and failed: so does the command, as it would in a shell.
        Some(evidence) if json => Err(Failure { message: String::new(), ..failed_job(evidence) }),
        Some(evidence) => Err(failed_job(evidence)),
        None => Ok(()),
    }
}

fn failed_job(evidence: &Evidence) -> Failure {
    let how = evidence.exit.as_ref().map_or_else(|| "an unknown end".to_owned(), render::exit);
    Failure::failed(format!("it ended with {how}{}", in_words(evidence)))
}
