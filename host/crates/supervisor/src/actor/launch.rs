//! How a run begins: from the decision to start it to a shim that was asked to.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_model::lifecycle::{Input, State};
use hostler_model::{Exit, RunNo};
use hostler_shim::adopt::MARK;
use hostler_shim::control::{LaunchFailure, Step};
use hostler_shim::launch::{JournalLimits, LaunchSpec, Stdio};
use hostler_shim::streams::{self, Streams};

use super::{Actor, grace};
use crate::handle::RunFacts;
use crate::host::{Cause, Host, NewRun, Program, RunEnd, RunKey};
use crate::notify::{self, Notify};
use crate::run_lock;

/// The window of a pseudo terminal until somebody attaches to it.
const PTY_SIZE: Stdio = Stdio::Pty { rows: 40, cols: 120 };

/// All that a shim is given.
pub(super) struct Prepared {
    spec: LaunchSpec,
    lock: OwnedFd,
    streams: Streams,
}

impl<H: Host> Actor<H> {
    /// Asks a shim to start the program. The answer comes as an event; an error is what to tell the lifecycle.
    pub(super) async fn launch(&mut self, run: RunNo, unhealthy: bool) -> Result<(), Input> {
        let cause = match self.life.restarts {
            0 => self.asked.clone(),
            _ if unhealthy => Cause::Unhealthy,
            _ => Cause::Policy,
        };
        self.facts = RunFacts { run, ..RunFacts::default() };
        self.start_recorded = false;
        let dir = self.host.run_dir(self.id, run);
        let new_run = NewRun { run, dir: dir.clone(), cause, at: self.host.now() };
        let (host, id, life, before) =
            (Arc::clone(&self.host), self.id, self.life.clone(), self.unrecorded.take());
        // What can be made ready without anybody noticing is, while the run is being recorded.
        let (key, prepared) =
            tokio::join!(host.begin_run(id, &new_run, &life, before), async { self.prepare(dir.clone()) });
        let Some(key) = key else {
            self.discard(prepared);
            let why = "a new run cannot be recorded now; `hostler daemon status` says why".to_owned();
            self.facts.launch_error = Some(why.clone());
            return Err(Input::NotBegun(why));
        };
        self.facts.key = Some(key);
        let Err(why) = prepared.and_then(|prepared| self.ask_shim(prepared)) else { return Ok(()) };
        self.facts.launch_error = Some(why.clone());
        self.host.run_ended(self.never_ran(key, &why)).await;
        self.host.journal_closed(self.id, key, &dir);
        Err(Input::LaunchFailed(why))
    }

    /// Makes everything ready for a shim to be asked.
    pub(super) fn prepare(&mut self, dir: PathBuf) -> Result<Prepared, String> {
        let mut program = match self.resolved.take() {
            Some(program) => program,
            None => self.host.resolve(&self.spec).map_err(|e| e.0)?,
        };
        let trouble = |e| format!("cannot use {}: {e}", dir.display());
        std::fs::create_dir_all(&dir).map_err(trouble)?;
        let (name, declaration) = self.host.declaration(self.id, &self.spec);
        if let Err(error) = std::fs::write(dir.join(name), declaration) {
            tracing::warn!(%error, dir = %dir.display(), "cannot write down what this run is of");
        }
        let lock =
            run_lock::take(&dir).map_err(trouble)?.ok_or("another shim is responsible for this run")?;
        // By it the processes of the tree are found again should their shim be killed.
        program.env.retain(|(name, _)| name != MARK);
        program.env.push((MARK.into(), dir.clone().into()));
        self.offer_notify(&dir, &mut program);
        let spec = LaunchSpec {
            cgroup: self.pool.cgroup_for(&dir),
            cgroup_limits: self.pool.cgroup_limits(&self.spec.limits),
            run_dir: dir,
            exec: program.exec,
            argv: program.argv,
            env: program.env,
            cwd: self.spec.cwd.clone().into(),
            stdio: if self.spec.pty { PTY_SIZE } else { Stdio::Pipes },
            rlimits: program.rlimits,
            no_new_privs: self.spec.no_new_privs,
            leftover_grace_ms: grace(self.spec.stop.grace_ms),
            journal: JournalLimits::default(),
        };
        let streams = streams::open(spec.stdio).map_err(|e| format!("cannot open its streams: {e}"))?;
        Ok(Prepared { spec, lock, streams })
    }

    /// Lets go of a run that does not begin.
    fn discard(&mut self, prepared: Result<Prepared, String>) {
        self.notify = None;
        if let Ok(Prepared { spec, .. }) = prepared {
            let _ = std::fs::remove_dir_all(&spec.run_dir);
        }
    }

    pub(super) fn ask_shim(&mut self, prepared: Prepared) -> Result<(), String> {
        let Prepared { spec, lock, streams } = prepared;
        let shim = self.pool.take().map_err(|e| format!("cannot start a shim: {e}"))?;
        shim.launch(&spec, &lock, &streams).map_err(|e| format!("cannot reach the shim: {e}"))?;
        self.held = streams.ours;
        self.shim = Some(shim);
        Ok(())
    }

    /// What the daemon before this one had decided and not carried out.
    pub(super) async fn launch_after_all(&mut self, run: RunNo) {
        if let State::Stopping { .. } = self.life.state {
            self.apply(Input::LaunchFailed("the daemon ended before it was started".into())).await;
            return;
        }
        if let Err(input) = self.launch(run, false).await {
            self.apply(input).await;
        }
    }

    fn never_ran(&self, key: RunKey, why: &str) -> RunEnd {
        RunEnd { key, exit: Exit::unknown(self.host.now()), descendants_ended: 0, note: Some(why.to_owned()) }
    }

    pub(super) async fn on_launch_failed(&mut self, why: String) {
        self.facts.launch_error = Some(why.clone());
        self.shim = None;
        self.held.clear();
        if let Some(key) = self.facts.key {
            self.host.run_ended(self.never_ran(key, &why)).await;
            self.host.journal_closed(self.id, key, &self.host.run_dir(self.id, self.facts.run));
        }
        self.apply_one(Input::LaunchFailed(why)).await;
    }

    /// A process without health checks can say itself that it is ready. A socket that it was declared with is its own
    /// affair; the daemon's own is none of its.
    fn offer_notify(&mut self, dir: &Path, program: &mut Program) {
        if self.spec.env.contains_key(notify::VARIABLE) {
            return;
        }
        program.env.retain(|(name, _)| name != notify::VARIABLE);
        let offered = if self.spec.health.is_empty() { Notify::begin(dir) } else { None };
        self.notify = offered.map(|(socket, path)| {
            program.env.push((notify::VARIABLE.into(), path.into()));
            socket
        });
    }
}

/// A failed launch in words.
pub(super) fn explain(failure: &LaunchFailure) -> String {
    let path = failure.path.display();
    let error = std::io::Error::from_raw_os_error(failure.errno);
    match (failure.step, failure.errno) {
        (Step::Exec, libc::E2BIG) => format!(
            "cannot execute {path}: arguments and environment are too long for the kernel (each at most \
             128 KiB, together about 2 MiB); pass long input in a file"
        ),
        (Step::Exec, libc::ENOEXEC) => format!(
            "cannot execute {path}: it is neither a program of this machine nor a script that begins with \
             #!interpreter"
        ),
        (Step::Exec, libc::ENOENT) => format!(
            "cannot execute {path}: the file, or the interpreter that its first line names, does not exist"
        ),
        (Step::Exec, _) => format!("cannot execute {path}: {error}"),
        (Step::Chdir, _) => format!("cannot enter the working directory {path}: {error}"),
        (Step::Rlimit, _) => format!("cannot set a limit for {path}: {error}"),
        (Step::Prepare | Step::Fork | Step::Setup, _) => format!("cannot start {path}: {error}"),
    }
}
