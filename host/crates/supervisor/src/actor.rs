//! The actor of one process: gathers what happens, lets the lifecycle decide, and carries the actions out.

use std::collections::VecDeque;
use std::future::pending;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use hostler_model::health::Health;
use hostler_model::lifecycle::{Action, Context, Ending, Input, Ready, State, Then};
use hostler_model::restart::Jitter;
use hostler_model::{Cause as EndCause, Exit, Lifecycle, Pid, ProcessId, ProcessSpec, RunNo, Timestamp};
use hostler_shim::control::{Command, Event, Scope, Status};
use hostler_shim::descriptors::Descriptor;
use hostler_shim::exit_record::ExitRecord;
use tokio::sync::{mpsc, oneshot, watch};

use crate::adopt::{self, Found, Look, Takeover};
use crate::handle::{ProcessHandle, Request, RunFacts, Snapshot, Written};
use crate::host::{Cause, Host, Program, RunEnd, RunKey};
use crate::notify::Notify;
use crate::orphan::{self, Main};
use crate::shim_client::{Received, ShimClient};
use crate::shim_pool::ShimPool;

mod input;
mod launch;
mod requests;
mod succession;

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
    /// Who waits to hear how much of their input was taken, in the order in which it was given.
    writes: VecDeque<oneshot::Sender<Written>>,
    /// A successor was asked and has not answered.
    adopting: bool,
    timer: Option<tokio::time::Instant>,
    /// Where the process says that it is ready, until it is.
    notify: Option<Notify>,
    /// What its health checks said last, and of which run.
    checked: Option<(RunNo, Health)>,
    /// Whether the start of the newest run is on record.
    start_recorded: bool,
    /// The end of the newest run, while it is not on record. A run that follows at once is recorded along with it.
    unrecorded: Option<RunEnd>,
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
        writes: VecDeque::new(),
        adopting: false,
        timer: None,
        notify: None,
        checked: None,
        start_recorded: last_run.is_some_and(|run| run.started),
        unrecorded: None,
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
            Event::LaunchFailed(failure) => self.on_launch_failed(launch::explain(&failure)).await,
            Event::Status(status) => self.on_attached(status, received.fds).await,
            Event::JournalGrew => self.read_journal(),
            Event::JournalRefused(errno) => self.on_refused(errno),
            Event::Exited(record) => self.on_exited(&record).await,
            Event::Closed(record) => self.on_closed(&record, None).await,
            Event::StdinAccepted(bytes) => self.on_input_taken(bytes),
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
        self.on_refused(status.refused);
    }

    fn on_refused(&self, errno: Option<i32>) {
        self.host.journal_refused(self.id, errno.map(std::io::Error::from_raw_os_error));
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

    /// The start of a run whose shim is gone and told nobody of it, by what it wrote down.
    async fn recall_start(&mut self, main: Option<Main>) {
        if let Some(main) = main {
            let at = crate::proc::started_at(main.start_ticks, self.host.now());
            self.record_start(main.pid, main.start_ticks, at).await;
        }
        if self.life.state.pid().is_none() {
            self.apply(Input::Launched(Pid(main.map_or(0, |main| main.pid)))).await;
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
        // What was said of it once stands.
        let known = self.facts.exit.and_then(|exit| exit.cause).or(self.facts.breach);
        let exit = adopt::exit_of(record).explained(known, record.oom_kills, self.spec.limits.memory_bytes);
        let nobody_asked = self.life.state.running().is_some();
        if nobody_asked && exit.is_unexplained_kill() {
            return exit.suspected(self.host.oom_kills_around(exit.at));
        }
        exit
    }

    async fn on_exited(&mut self, record: &ExitRecord) {
        let exit = self.exit_of(record);
        self.facts.exit = Some(exit);
        self.apply(Input::MainExited(exit)).await;
    }

    async fn on_closed(&mut self, record: &ExitRecord, note: Option<String>) {
        if !self.start_recorded {
            // A shim that is about to end may have nothing else to say to a daemon that came later.
            let main = orphan::main_process(&self.host.run_dir(self.id, self.facts.run));
            if main.is_some() {
                self.recall_start(main).await;
            }
        }
        self.facts.descendants_killed = record.descendants_killed;
        self.finish_run(self.exit_of(record), record.descendants_ended, note).await;
    }

    /// The tree is gone: the run is over, and the lifecycle goes on.
    async fn finish_run(&mut self, exit: Exit, descendants_ended: u32, note: Option<String>) {
        self.shim = None;
        self.shim_pid = None;
        self.held.clear();
        self.forget_writes();
        self.facts.exit = Some(exit);
        self.apply(Input::MainExited(exit)).await;
        self.facts.closed = true;
        self.facts.descendants_ended = descendants_ended;
        let dir = self.host.run_dir(self.id, self.facts.run);
        let key = self.facts.key;
        self.unrecorded = key.map(|key| RunEnd { key, exit, descendants_ended, note });
        self.apply(Input::Closed).await;
        if let Some(key) = key {
            self.host.journal_closed(self.id, key, &dir);
        }
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
        let found = look.found();
        let takeover = adopt::plan(&self.life, self.spec.lifetime, found, this_boot, self.host.now());
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
                self.recall_start(orphan::main_process(&dir).filter(|_| this_boot)).await;
                let exit = if let Found::Record(record) = found { self.exit_of(&record) } else { exit };
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
        // Recorded before anybody is told, so that who sees the end also finds its record.
        if let Some(end) = self.unrecorded.take() {
            self.host.run_ended(end).await;
        }
        self.publish();
        // That a run is ending is no use to the next daemon: the run directory tells it as well.
        let is_passing = matches!(self.life.state, State::Ending { then: Then::Policy, .. });
        if self.life.generation != generation && !launches && !is_passing {
            self.host.save(self.id, &self.life).await;
        }
        follow_up
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
