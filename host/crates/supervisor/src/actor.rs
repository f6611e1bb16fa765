//! The actor of one process: gathers what happens, lets the lifecycle decide, and carries the actions out.

use std::collections::VecDeque;
use std::future::pending;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use hostler_model::health::Health;
use hostler_model::lifecycle::{Action, Context, Ending, Input, Ready, State};
use hostler_model::restart::Jitter;
use hostler_model::{Cause as EndCause, Exit, Lifecycle, Pid, ProcessId, ProcessSpec, RunNo, Timestamp};
use hostler_shim::adopt::MARK;
use hostler_shim::control::{Command, Event, LaunchFailure, Scope, Status, Step};
use hostler_shim::descriptors::Descriptor;
use hostler_shim::exit_record::ExitRecord;
use hostler_shim::launch::{JournalLimits, LaunchSpec, Stdio};
use hostler_shim::streams;
use tokio::sync::{mpsc, watch};

use crate::adopt::{self, Look, Takeover};
use crate::handle::{ProcessHandle, Request, RunFacts, Snapshot};
use crate::host::{Cause, Host, NewRun, Program, RunKey};
use crate::notify::{self, Notify};
use crate::orphan;
use crate::run_lock;
use crate::shim_client::{Received, ShimClient};
use crate::shim_pool::ShimPool;

mod requests;
mod succession;

/// The window of a pseudo terminal until somebody attaches to it.
const PTY_SIZE: Stdio = Stdio::Pty { rows: 40, cols: 120 };

/// What an actor begins with.
#[derive(Debug)]
pub struct Beginning {
    /// Which process.
    pub id: ProcessId,
    /// Its declaration.
    pub spec: ProcessSpec,
    /// Its lifecycle: a new one, or what the records have.
    pub lifecycle: Lifecycle,
    /// Its newest run, if it had one.
    pub last_run: Option<LastRun>,
}

/// The newest run of a process, as the records have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// Its key.
    pub key: RunKey,
    /// Whether it began since the machine's last start: an older one has no process any more.
    pub this_boot: bool,
    /// Whether it is on record that the program was executed. The daemon may have been killed just before.
    pub started: bool,
}

struct Actor<H> {
    id: ProcessId,
    host: Arc<H>,
    pool: ShimPool,
    spec: ProcessSpec,
    life: Lifecycle,
    facts: RunFacts,
    shim: Option<ShimClient>,
    shim_pid: Option<i32>,
    /// When the main process started, clock ticks since boot: tells it from a later one of its number.
    start_ticks: u64,
    /// The pidfd of the main process and our copies of its streams: while they are open it cannot see a
    /// broken pipe, whatever happens to its shim, and a successor gets them.
    held: Vec<(Descriptor, OwnedFd)>,
    /// How many shims of the run were killed in a row before they answered.
    attempts: u32,
    /// A successor was asked and has not answered.
    adopting: bool,
    timer: Option<tokio::time::Instant>,
    /// Where the process says that it is ready, until it is.
    notify: Option<Notify>,
    /// What its health checks said last, and of which run.
    checked: Option<(RunNo, Health)>,
    /// Whether the start of the newest run is on record.
    start_recorded: bool,
    /// The newest request that it should run.
    asked: Cause,
    /// The program of a start that is being carried out.
    resolved: Option<Program>,
    requests: mpsc::UnboundedReceiver<Request>,
    snapshots: watch::Sender<Snapshot>,
}

/// Starts the actor of a process and answers its handle. A process that was running is taken over first.
pub fn spawn<H: Host>(host: Arc<H>, pool: ShimPool, beginning: Beginning) -> ProcessHandle {
    let Beginning { id, spec, lifecycle, last_run } = beginning;
    let facts = RunFacts {
        run: lifecycle.last_run,
        key: last_run.map(|run| run.key),
        launched: lifecycle.state.pid().is_some(),
        exit: lifecycle.last_exit(),
        closed: lifecycle.state.live_run().is_none(),
        ..RunFacts::default()
    };
    let snapshot = Snapshot {
        lifecycle: lifecycle.clone(),
        spec: spec.clone(),
        shim_pid: None,
        run: facts.clone(),
        checked: None,
    };
    let (requests_in, requests) = mpsc::unbounded_channel();
    let (snapshots, snapshots_out) = watch::channel(snapshot);
    let actor = Actor {
        id,
        host,
        pool,
        spec,
        life: lifecycle,
        facts,
        shim: None,
        shim_pid: None,
        start_ticks: 0,
        held: Vec::new(),
        attempts: 0,
        adopting: false,
        timer: None,
        notify: None,
        checked: None,
        start_recorded: last_run.is_some_and(|run| run.started),
        asked: Cause::Start,
        resolved: None,
        requests,
        snapshots,
    };
    let this_boot = last_run.is_none_or(|run| run.this_boot);
    tokio::spawn(actor.run(this_boot));
    ProcessHandle { id, requests: requests_in, snapshots: snapshots_out }
}

enum Happened {
    Request(Option<Request>),
    Shim(std::io::Result<Option<Received>>),
    Timer,
    Notified,
}

impl<H: Host> Actor<H> {
    async fn run(mut self, this_boot: bool) {
        self.take_over(this_boot).await;
        loop {
            // What a process says before it is known to run waits in its socket.
            let running = self.life.state.running().is_some();
            let happened = tokio::select! {
                request = self.requests.recv() => Happened::Request(request),
                received = recv(&mut self.shim) => Happened::Shim(received),
                () = until(self.timer) => Happened::Timer,
                () = notified(self.notify.as_ref().filter(|_| running)) => Happened::Notified,
            };
            match happened {
                Happened::Request(None | Some(Request::Detach)) => return,
                Happened::Request(Some(request)) => self.on_request(request).await,
                Happened::Shim(Ok(Some(received))) => self.on_event(received).await,
                Happened::Shim(Ok(None)) => self.on_shim_gone().await,
                Happened::Shim(Err(error)) => {
                    tracing::warn!(process = %self.id, %error, "lost the connection to a shim");
                    self.on_shim_gone().await;
                }
                Happened::Timer => {
                    self.timer = None;
                    self.apply(Input::TimerElapsed).await;
                }
                Happened::Notified => self.apply(Input::Ready(self.facts.run, Ready::Notified)).await,
            }
        }
    }

    async fn on_event(&mut self, received: Received) {
        match received.event {
            Event::Launched(status) => self.on_launched(status, received.fds).await,
            Event::LaunchFailed(failure) => self.on_launch_failed(explain(&failure)).await,
            Event::Status(status) => self.on_attached(status, received.fds).await,
            Event::JournalGrew => self.read_journal(),
            Event::Exited(record) => self.on_exited(&record).await,
            Event::Closed(record) => self.on_closed(&record, None).await,
            Event::StdinAccepted(_) => {}
            Event::Refused(reason) => {
                tracing::warn!(process = %self.id, %reason, "a shim refused a command");
            }
        }
    }

    async fn on_launched(&mut self, status: Status, fds: Vec<OwnedFd>) {
        self.know(&status, fds);
        self.record_launch(&status).await;
        let pool = self.pool.clone();
        tokio::spawn(async move { pool.replenish() });
    }

    fn know(&mut self, status: &Status, fds: Vec<OwnedFd>) {
        self.hold(status.descriptors, fds);
        self.attempts = 0;
        self.shim_pid = Some(status.shim_pid);
        self.start_ticks = status.start_ticks;
        self.facts.launched = true;
    }

    async fn record_launch(&mut self, status: &Status) {
        self.apply(Input::Launched(Pid(status.pid))).await;
        self.record_start(status.pid, status.start_ticks, Timestamp(status.started_unix_nanos)).await;
    }

    async fn record_start(&mut self, pid: i32, start_ticks: u64, at: Timestamp) {
        if let Some(key) = self.facts.key.filter(|_| !self.start_recorded) {
            self.host.run_started(key, Pid(pid), start_ticks, at).await;
            self.start_recorded = true;
        }
    }

    /// A shim that was there before this daemon, or that took over from one that was killed.
    async fn on_attached(&mut self, status: Status, fds: Vec<OwnedFd>) {
        self.know(&status, fds);
        self.read_journal();
        if status.adopted && self.adopting {
            self.on_adopted().await;
        }
        self.adopting = false;
        if matches!(self.life.state, State::Starting { .. } | State::Stopping { pid: None, .. }) {
            self.record_launch(&status).await;
        } else {
            let at = Timestamp(status.started_unix_nanos);
            self.record_start(status.pid, status.start_ticks, at).await;
        }
        if let State::Stopping { pid: Some(_), how, deadline, .. } = self.life.state
            && !status.stopping
        {
            // The stop that its predecessor was carrying out, with what is left of its time.
            self.end(how, deadline.ms_since(self.host.now()));
        }
        match status.exit {
            Some(record) => self.on_exited(&record).await,
            None => self.publish(),
        }
    }

    async fn on_launch_failed(&mut self, why: String) {
        self.facts.launch_error = Some(why.clone());
        self.shim = None;
        self.held.clear();
        if let Some(key) = self.facts.key {
            let exit = Exit::unknown(self.host.now());
            self.host.run_ended(key, &exit, 0, Some(why.clone())).await;
            self.host.journal_closed(self.id, key, &self.host.run_dir(self.id, self.facts.run));
        }
        self.apply_one(Input::LaunchFailed(why)).await;
    }

    /// The tree is ended at once, by force: who is beyond a limit of memory may not get further. Its restart policy
    /// sees an end like any other.
    async fn on_breach(&mut self, run: RunNo, cause: EndCause) {
        if self.facts.run != run || self.facts.exit.is_some() || self.facts.breach.is_some() {
            return;
        }
        if let (State::Running { .. }, Some(key)) = (&self.life.state, self.facts.key) {
            self.facts.breach = Some(cause);
            tracing::warn!(process = %self.id, run = run.0, %cause, "ending it");
            self.host.run_noted(key, &cause.to_string()).await;
            self.command(&Command::Signal { signal: libc::SIGKILL, scope: Scope::Tree });
            self.publish();
        }
    }

    /// How the main process ended, with what ended it.
    fn exit_of(&self, record: &ExitRecord) -> Exit {
        adopt::exit_of(record).explained(self.facts.breach, record.oom_kills, self.spec.limits.memory_bytes)
    }

    async fn on_exited(&mut self, record: &ExitRecord) {
        let exit = self.exit_of(record);
        self.facts.exit = Some(exit);
        self.apply(Input::MainExited(exit)).await;
    }

    async fn on_closed(&mut self, record: &ExitRecord, note: Option<String>) {
        self.finish_run(self.exit_of(record), record.descendants_ended, note).await;
    }

    /// The tree is gone: the run is over, and the lifecycle goes on.
    async fn finish_run(&mut self, exit: Exit, descendants_ended: u32, note: Option<String>) {
        self.shim = None;
        self.shim_pid = None;
        self.held.clear();
        self.facts.exit = Some(exit);
        self.facts.closed = true;
        self.facts.descendants_ended = descendants_ended;
        if let Some(key) = self.facts.key {
            self.host.journal_closed(self.id, key, &self.host.run_dir(self.id, self.facts.run));
        }
        // Recorded before anybody is told, so that who sees the end also finds its record.
        if let Some(key) = self.facts.key {
            self.host.run_ended(key, &exit, descendants_ended, note).await;
        }
        self.apply(Input::MainExited(exit)).await;
        self.apply(Input::Closed).await;
    }

    async fn take_over(&mut self, this_boot: bool) {
        let Some(run) = self.life.state.live_run() else {
            if let State::Backoff { until: at, .. } | State::Failed { retry_at: Some(at), .. } =
                self.life.state
            {
                self.set_timer(at);
            }
            return;
        };
        let dir = self.host.run_dir(self.id, run);
        let starting = self.life.state.pid().is_none();
        let look = adopt::look(&dir, starting, this_boot).await;
        let takeover = adopt::plan(&self.life, self.spec.lifetime, look.found(), this_boot, self.host.now());
        match (takeover, look) {
            (Takeover::Attach, Look::Shim(shim)) => {
                self.shim = Some(shim);
                self.resume_notify(run, &dir);
            }
            (Takeover::Adopt, Look::Orphan(main, lock)) => {
                self.resume_notify(run, &dir);
                if let Err(why) = self.adopt(&dir, main, lock) {
                    self.give_up(why).await;
                }
            }
            (Takeover::LaunchAgain, _) => self.launch_after_all(run).await,
            (Takeover::Ended { exit, descendants_ended, note, start_again }, _) => {
                let main = orphan::main_process(&dir).filter(|_| this_boot);
                if let Some(main) = main {
                    let at = crate::proc::started_at(main.start_ticks, self.host.now());
                    self.record_start(main.pid, main.start_ticks, at).await;
                }
                if starting {
                    self.apply(Input::Launched(Pid(main.map_or(0, |main| main.pid)))).await;
                }
                self.finish_run(exit, descendants_ended, note).await;
                // What a schedule starts comes at its next time, unless it is to make up for what it missed.
                if start_again && self.spec.schedule.as_ref().is_none_or(|schedule| schedule.catch_up) {
                    self.apply(Input::Start).await;
                }
            }
            (Takeover::None | Takeover::Attach | Takeover::Adopt, _) => {}
        }
        self.publish();
    }

    async fn launch_after_all(&mut self, run: RunNo) {
        if let State::Stopping { .. } = self.life.state {
            self.apply(Input::LaunchFailed("the daemon ended before it was started".into())).await;
            return;
        }
        if let Err(input) = self.launch(run, false).await {
            self.apply(input).await;
        }
    }

    /// Feeds the lifecycle, and then what its actions bring about at once.
    async fn apply(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            inputs.extend(self.step(input).await);
        }
    }

    /// [`Self::apply`] for callers that `apply` itself may reach: only the immediate step; a launch that
    /// follows from it runs in a task of its own turn.
    async fn apply_one(&mut self, input: Input) {
        Box::pin(self.apply(input)).await;
    }

    async fn step(&mut self, input: Input) -> Option<Input> {
        let (desired, generation) = (self.life.desired, self.life.generation);
        let unhealthy = self.life.unhealthy().is_some();
        let context = Context { now: self.host.now(), jitter: jitter() };
        let actions = self.life.apply(input, &self.spec.restart, context);
        let launches = actions.iter().any(|a| matches!(a, Action::Launch(_)));
        // What is wanted is on record before anything is done about it. A launch records it along with the run.
        if self.life.desired != desired && !launches {
            self.host.save(self.id, &self.life).await;
        }
        let mut follow_up = None;
        for action in actions {
            match action {
                Action::Launch(run) => follow_up = self.launch(run, unhealthy).await.err(),
                Action::End(how) => self.end(how, how.grace_ms()),
                Action::SetTimer(at) => self.set_timer(at),
                Action::ClearTimer => self.timer = None,
            }
        }
        if !matches!(self.life.state, State::Starting { .. } | State::Running { ready: None, .. }) {
            self.notify = None;
        }
        self.publish();
        if self.life.generation != generation && !launches {
            self.host.save(self.id, &self.life).await;
        }
        follow_up
    }

    /// Asks a shim to start the program. The answer comes as an event; an error is what to tell the lifecycle.
    async fn launch(&mut self, run: RunNo, unhealthy: bool) -> Result<(), Input> {
        let cause = match self.life.restarts {
            0 => self.asked.clone(),
            _ if unhealthy => Cause::Unhealthy,
            _ => Cause::Policy,
        };
        self.facts = RunFacts { run, ..RunFacts::default() };
        self.start_recorded = false;
        let dir = self.host.run_dir(self.id, run);
        let new_run = NewRun { run, dir: dir.clone(), cause, at: self.host.now() };
        let Some(key) = self.host.begin_run(self.id, &new_run, &self.life).await else {
            let why = "a new run cannot be recorded now; `hostler daemon status` says why".to_owned();
            self.facts.launch_error = Some(why.clone());
            return Err(Input::NotBegun(why));
        };
        self.facts.key = Some(key);
        let Err(why) = self.ask_shim(dir.clone()).await else { return Ok(()) };
        self.facts.launch_error = Some(why.clone());
        let exit = Exit::unknown(self.host.now());
        self.host.run_ended(key, &exit, 0, Some(why.clone())).await;
        self.host.journal_closed(self.id, key, &dir);
        Err(Input::LaunchFailed(why))
    }

    async fn ask_shim(&mut self, dir: std::path::PathBuf) -> Result<(), String> {
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
        let shim = self.pool.take().map_err(|e| format!("cannot start a shim: {e}"))?;
        let streams = streams::open(spec.stdio).map_err(|e| format!("cannot open its streams: {e}"))?;
        shim.launch(&spec, &lock, &streams).map_err(|e| format!("cannot reach the shim: {e}"))?;
        self.held = streams.ours;
        self.shim = Some(shim);
        Ok(())
    }

    fn end(&mut self, how: Ending, grace_ms: u64) {
        let (signal, scope) = match how {
            Ending::Stop(stop) => (stop.signal, Scope::Main),
            Ending::Kill(signal) => (signal, Scope::Tree),
        };
        self.command(&Command::Stop { signal: signal.number(), grace_ms: grace(grace_ms), scope });
    }

    /// Sends a command; whether there was a shim to take it. One that does not take it is gone, which its
    /// closed connection will say.
    fn command(&mut self, command: &Command) -> bool {
        self.shim.as_ref().is_some_and(|shim| shim.send(command).is_ok())
    }

    fn read_journal(&self) {
        if let Some(key) = self.facts.key {
            self.host.journal_grew(self.id, key, &self.host.run_dir(self.id, self.facts.run));
        }
    }

    fn set_timer(&mut self, at: Timestamp) {
        let wait = Duration::from_millis(at.ms_since(self.host.now()) + 1);
        self.timer = Some(tokio::time::Instant::now() + wait);
    }

    /// When the newest run started, as far as that is known.
    fn started_at(&self) -> Timestamp {
        match self.life.state {
            State::Running { since, .. } | State::Stopping { since, .. } | State::Ending { since, .. } => {
                since
            }
            _ => self.host.now(),
        }
    }

    /// A process without health checks can say itself that it is ready. A socket that it was declared with is its own
    /// affair; the daemon's own is none of its.
    fn offer_notify(&mut self, dir: &std::path::Path, program: &mut Program) {
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

    fn publish(&self) {
        self.snapshots.send_replace(Snapshot {
            lifecycle: self.life.clone(),
            spec: self.spec.clone(),
            shim_pid: self.shim_pid,
            run: self.facts.clone(),
            checked: self.checked.clone(),
        });
    }
}

fn grace(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

async fn recv(shim: &mut Option<ShimClient>) -> std::io::Result<Option<Received>> {
    match shim {
        Some(shim) => shim.recv().await,
        None => pending().await,
    }
}

async fn until(timer: Option<tokio::time::Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => pending().await,
    }
}

async fn notified(notify: Option<&Notify>) {
    match notify {
        Some(notify) => notify.ready().await,
        None => pending().await,
    }
}

/// A draw for a backoff or an interval. The standard library seeds its hash keys from the system's randomness.
#[must_use]
pub fn jitter() -> Jitter {
    let draw = std::hash::RandomState::new().build_hasher().finish() % 1001;
    Jitter(u16::try_from(draw).unwrap_or(500))
}

/// A failed launch in words.
fn explain(failure: &LaunchFailure) -> String {
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
