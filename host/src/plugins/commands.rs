//! A program that a plugin runs: found and allowed as the process's own program is, in its directory and environment.

use std::path::Path;
use std::process::Stdio;

use hostler_model::ProcessSpec;
use hostler_plugin_host::{Command, CommandError, CommandOutput};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::daemon;
use crate::daemon::home::Home;

/// What is kept of the output of a command, bytes; the host hands over less.
const MAX_OUTPUT: u64 = 128 * 1024;

/// Runs a program in the place of a process. When its time is over, or nobody waits any more, it is killed with all
/// that it started in its group.
///
/// # Errors
/// When the policy forbids it, it cannot be executed, or does not end in time.
pub(crate) async fn run(
    home: &Home,
    project: &Path,
    place: &ProcessSpec,
    command: Command,
) -> Result<CommandOutput, CommandError> {
    match tokio::time::timeout(command.timeout, execute(home, project, place, &command)).await {
        Ok(done) => done,
        Err(_) => Err(CommandError::Timeout),
    }
}

async fn execute(
    home: &Home,
    project: &Path,
    place: &ProcessSpec,
    command: &Command,
) -> Result<CommandOutput, CommandError> {
    let spec =
        ProcessSpec { command: command.program.clone(), args: command.arguments.clone(), ..place.clone() };
    let program = daemon::resolve_program(home, project, &spec).map_err(CommandError::Denied)?;
    let mut child = tokio::process::Command::new(&program.exec)
        .args(&command.arguments)
        .env_clear()
        .envs(program.env)
        .current_dir(&spec.cwd)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| CommandError::NotStarted(error.to_string()))?;
    let mut group = Group(child.id());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr, status) = tokio::join!(read(out), read(err), child.wait());
    group.0 = None;
    let status = status.map_err(|error| CommandError::Other(error.to_string()))?;
    Ok(CommandOutput { code: status.code(), stdout, stderr })
}

/// The process group of a command that nobody has reaped yet, so that its number is still its own.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Reads to the end, and keeps the beginning.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        // What cannot be read is as if it had not been written.
        let _ = (&mut pipe).take(MAX_OUTPUT).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    kept
}
