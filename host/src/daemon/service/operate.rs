//! Start, stop, restart, kill. Every request may be repeated: what is already so is answered, not refused.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::waiting::{LONGEST, Waited, Wish};
use super::{Client, Patience, Service, declare, gone, store_error, views};
use crate::daemon::groups::GroupEntry;
use crate::daemon::registry::Entry;
use crate::daemon::resolve::{self, resolve};
use hostler_api::process::{
    KillProcess, KillResult, RestartProcess, SpecArgs, StartProcess, StartResult, StopProcess, StopResult,
};
use hostler_api::{ErrorKind, ToolError};
use hostler_model::lifecycle::State;
use hostler_model::spec::{Lifetime, StopSpec};
use hostler_model::{Lifecycle, ProcessName, ProcessSpec, RunNo, Signal};
use hostler_store::{NewProcess, Project, StoreError};
use hostler_supervisor::actor::{self, Beginning};
use hostler_supervisor::{Program, Snapshot};

/// After the grace of a stop, the kernel needs a moment to carry out SIGKILL.
const AFTER_GRACE: Duration = Duration::from_secs(5);

impl Service {
    /// `start_process`.
    ///
    /// # Errors
    /// When an argument is wrong, the program is missing or forbidden. A program that runs and fails is an
    /// answer with evidence.
    pub(crate) async fn start(
        &self,
        client: &Client,
        request: StartProcess,
        patience: &Patience,
    ) -> Result<StartResult, ToolError> {
        let wish = Wish::read(&request.wait)?;
        let name = ProcessName::try_from(request.name.clone())
            .map_err(|e| ToolError::invalid(format!("`name`: {e}")))?;
        let project = self.project(client, request.project.as_deref()).await?;
        let group = super::group_declare::name_of(request.spec.group.as_deref())?;
        self.plugins.of(project.id).check(&request.spec).await?;
        self.count_start()?;
        let declaring = self.declaring.lock().await;
        let (entry, Redeclared { spec, program, note }) = match self.registry.find(project.id, name.as_str())
        {
            None => self.declare(client, &project, name, &request.spec, &wish).await?,
            Some(entry) => {
                let redeclared = self.redeclare(client, &entry, &request.spec, &wish).await?;
                (entry, redeclared)
            }
        };
        if let Some(group) = group {
            self.join_group(&entry, group).await?;
        }
        self.leases.renew(entry.id);
        let lifetime = spec.as_ref().map_or_else(|| entry.handle.snapshot().spec.lifetime, |s| s.lifetime);
        self.set_owner(entry.id, lifetime, client).await;
        self.leases.grant(entry.id, lifetime);
        let accepted = entry.handle.start(spec, program).await.map_err(gone)?;
        self.follow_health(&entry);
        drop(declaring);
        let run = run_after(&accepted, &entry.handle.snapshot());
        self.await_start(&entry, run, &wish, note, patience).await
    }

    /// Counts a start that a client asked for; those by policy are bounded by their backoff.
    fn count_start(&self) -> Result<(), ToolError> {
        let per_minute = self.config.current().limits.starts_per_minute;
        self.starts.take("starts", "starts_per_minute", per_minute, crate::daemon::now())
    }

    /// A process that was not known before.
    async fn declare(
        &self,
        client: &Client,
        project: &Project,
        name: ProcessName,
        args: &SpecArgs,
        wish: &Wish,
    ) -> Result<(Arc<Entry>, Redeclared), ToolError> {
        if args.command.is_none() {
            let mut error = self.not_found(client, project, name.as_str());
            error.message.push_str("; to start a new one, give its `command`");
            return Err(error);
        }
        self.room(project, 1)?;
        let spec = declare::new_spec(args, project, &client.search_path)?;
        self.check_lifetime(None, spec.lifetime, client)?;
        wish.suits(&spec)?;
        let program = self.resolve(project, &spec)?;
        let entry = self.insert(project, name, spec).await?;
        Ok((entry, Redeclared { program: Some(program), ..Redeclared::default() }))
    }

    /// Whether so many more processes may be declared in a project.
    pub(super) fn room(&self, project: &Project, more: usize) -> Result<(), ToolError> {
        let all = self.registry.all();
        let of_project = all.iter().filter(|e| e.project.id == project.id).count();
        self.config.current().limits.room(more, of_project, all.len())
    }

    /// Records a process that is not started yet.
    pub(super) async fn insert(
        &self,
        project: &Project,
        name: ProcessName,
        spec: ProcessSpec,
    ) -> Result<Arc<Entry>, ToolError> {
        let lifecycle = Lifecycle::default();
        let new = NewProcess {
            project_id: project.id,
            name: name.clone(),
            spec: spec.clone(),
            lifecycle: lifecycle.clone(),
            now: crate::daemon::now(),
        };
        let id = self.store.insert_process(new).await.map_err(store_error)?;
        let beginning = Beginning { id, spec, lifecycle, last_run: None };
        let entry = self.adopt_entry(project.clone(), name, beginning);
        // A group may have been waiting for one of this name.
        self.groups.label();
        Ok(entry)
    }

    pub(super) fn resolve(&self, project: &Project, spec: &ProcessSpec) -> Result<Program, ToolError> {
        resolve(&self.home, Path::new(&project.root), spec).map_err(|e| launch_error(&e.0))
    }

    /// Makes a process known to the daemon and starts its actor.
    pub(crate) fn adopt_entry(
        &self,
        project: Project,
        name: ProcessName,
        beginning: Beginning,
    ) -> Arc<Entry> {
        let (id, lifetime) = (beginning.id, beginning.spec.lifetime);
        let handle = actor::spawn(self.recorder(&project, &name), self.pool.clone(), beginning);
        let entry = Arc::new(Entry::new(id, project, name, handle));
        self.registry.insert(entry.clone());
        self.follow_health(&entry);
        self.follow_triggers(&entry);
        self.leases.grant(id, lifetime);
        entry
    }

    /// Sees to it that the schedule and the files of a process are followed.
    pub(super) fn follow_triggers(&self, entry: &Arc<Entry>) {
        self.triggers.follow(entry, || self.recorder(&entry.project, &entry.name));
    }

    /// A process that is known, and is to be started, perhaps with another declaration.
    async fn redeclare(
        &self,
        client: &Client,
        entry: &Entry,
        args: &SpecArgs,
        wish: &Wish,
    ) -> Result<Redeclared, ToolError> {
        let Snapshot { lifecycle, spec: old, .. } = entry.handle.snapshot();
        let spec = if args.command.is_some() {
            declare::new_spec(args, &entry.project, &client.search_path)?
        } else {
            declare::changed_spec(old.clone(), args, &entry.project)?
        };
        let spec = looked_anew(&old, spec);
        if let State::Starting { .. } | State::Running { .. } = lifecycle.state {
            wish.suits(&old)?;
            // The PATH of another client is no wish for another declaration.
            let (search_path, env_digest) = (spec.search_path.clone(), spec.env_digest.clone());
            let same = spec == ProcessSpec { search_path, env_digest, ..old };
            return Ok(Redeclared { note: Some(already_running(client, same)), ..Redeclared::default() });
        }
        self.check_lifetime(Some(entry.id), spec.lifetime, client)?;
        wish.suits(&spec)?;
        let program = self.resolve(&entry.project, &spec)?;
        let changed = spec != old;
        if changed {
            self.store.update_spec(entry.id, &spec, crate::daemon::now()).await.map_err(store_error)?;
        }
        Ok(Redeclared { spec: changed.then_some(spec), program: Some(program), note: None })
    }

    /// `restart_process`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) async fn restart(
        &self,
        client: &Client,
        request: RestartProcess,
        patience: &Patience,
    ) -> Result<StartResult, ToolError> {
        let wish = Wish::read(&request.wait)?;
        let entry = self.entry(client, request.project.as_deref(), &request.process).await?;
        let group = super::group_declare::name_of(request.spec.group.as_deref())?;
        self.plugins.of(entry.project.id).check(&request.spec).await?;
        self.count_start()?;
        let declaring = self.declaring.lock().await;
        let old = entry.handle.snapshot().spec;
        let spec = looked_anew(&old, declare::changed_spec(old.clone(), &request.spec, &entry.project)?);
        self.check_lifetime(Some(entry.id), spec.lifetime, client)?;
        wish.suits(&spec)?;
        // Looked at before the old run is ended: a restart that cannot work must not stop what does.
        self.resolve(&entry.project, &spec)?;
        if let Some(group) = group {
            self.join_group(&entry, group).await?;
        }
        if spec != old {
            self.store.update_spec(entry.id, &spec, crate::daemon::now()).await.map_err(store_error)?;
        }
        self.set_owner(entry.id, spec.lifetime, client).await;
        self.leases.grant(entry.id, spec.lifetime);
        let accepted = entry.handle.restart(Some(spec), old.stop).await.map_err(gone)?;
        self.follow_health(&entry);
        drop(declaring);
        let run = accepted.before.next();
        self.await_start(&entry, run, &wish, None, patience).await
    }

    async fn await_start(
        &self,
        entry: &Entry,
        run: RunNo,
        wish: &Wish,
        note: Option<String>,
        patience: &Patience,
    ) -> Result<StartResult, ToolError> {
        let waited = wish.wait(&self.store, entry, run, patience).await?;
        let facts = entry.handle.snapshot().run;
        // A one-off job that was waited for and failed is explained too.
        let failed_job = facts.run == run && facts.exit.is_some_and(|e| !e.is_success());
        let evidence = match waited {
            Waited::Failed => Some(self.evidence(entry, run).await),
            Waited::Done if failed_job => Some(self.evidence(entry, run).await),
            Waited::Done | Waited::NotYet => None,
        };
        let note = match waited {
            Waited::NotYet => Some(wish.in_vain(entry)),
            Waited::Done | Waited::Failed => note,
        };
        let process = views::process_view(entry, &entry.handle.snapshot(), None);
        Ok(StartResult { process, done: waited == Waited::Done, note, evidence })
    }

    /// `stop_process`.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn stop(
        &self,
        client: &Client,
        request: StopProcess,
        patience: &Patience,
    ) -> Result<StopResult, ToolError> {
        let entry = self.entry(client, request.project.as_deref(), &request.process).await?;
        let declared = entry.handle.snapshot().spec.stop;
        let stop = StopSpec { grace_ms: request.grace_ms.unwrap_or(declared.grace_ms), ..declared };
        let accepted = entry.handle.stop(stop).await.map_err(gone)?;
        let timeout = Duration::from_millis(stop.grace_ms) + AFTER_GRACE;
        let mut result =
            self.await_end(&entry, accepted.before, accepted.was_at_rest, timeout, patience).await?;
        if request.remove && result.done {
            self.remove(&entry).await?;
            result.removed = true;
        }
        Ok(result)
    }

    /// `kill_process`.
    ///
    /// # Errors
    /// When there is no such process, group or signal, or nothing runs that a harmless signal could reach.
    pub(crate) async fn kill(
        &self,
        client: &Client,
        request: KillProcess,
        patience: &Patience,
    ) -> Result<KillResult, ToolError> {
        let signal: Signal = match &request.signal {
            Some(text) => text.parse().map_err(|e| ToolError::invalid(format!("`signal`: {e}")))?,
            None => Signal::KILL,
        };
        let project = request.project.as_deref();
        match (&request.process, &request.group) {
            (Some(process), None) => {
                let entry = self.entry(client, project, process).await?;
                Ok(self.kill_one(&entry, signal, patience).await?.into())
            }
            (None, Some(group)) => {
                let entry = self.group(client, project, group).await?;
                self.kill_members(&entry, signal, patience).await
            }
            _ => Err(ToolError::invalid(
                "kill_process: give `process`, or `group` for all members of a group, and not both",
            )),
        }
    }

    async fn kill_one(
        &self,
        entry: &Entry,
        signal: Signal,
        patience: &Patience,
    ) -> Result<StopResult, ToolError> {
        if !signal.is_terminating() {
            return self.send_signal(entry, signal).await;
        }
        let accepted = entry.handle.kill(signal).await.map_err(gone)?;
        let timeout = Duration::from_millis(hostler_model::lifecycle::KILL_GRACE_MS) + AFTER_GRACE;
        self.await_end(entry, accepted.before, accepted.was_at_rest, timeout, patience).await
    }

    /// All members at once, in no order. Who still waits for one of them is not started any more.
    async fn kill_members(
        &self,
        group: &GroupEntry,
        signal: Signal,
        patience: &Patience,
    ) -> Result<KillResult, ToolError> {
        let running = |entry: &Arc<Entry>| !entry.handle.snapshot().lifecycle.state.is_at_rest();
        let members: Vec<Arc<Entry>> = self.members_of(group).into_iter().filter(running).collect();
        if members.is_empty() && !signal.is_terminating() {
            let message = format!(
                "no member of `{}` runs: there is no process to send {signal} to; start_group starts them",
                group.shown().group.name()
            );
            return Err(ToolError::new(ErrorKind::Conflict, message));
        }
        let sent = members.iter().map(|entry| self.kill_one(entry, signal, patience));
        let ended = futures_util::future::try_join_all(sent).await?;
        if signal.is_terminating() {
            self.end_members(group).await;
        }
        Ok(KillResult {
            process: None,
            members: self.group_view(group).members,
            descendants_ended: ended.iter().map(|one| one.descendants_ended).sum(),
            descendants_killed: ended.iter().map(|one| one.descendants_killed).sum(),
            done: ended.iter().all(|one| one.done),
        })
    }

    async fn send_signal(&self, entry: &Entry, signal: Signal) -> Result<StopResult, ToolError> {
        let accepted = entry.handle.signal(signal).await.map_err(gone)?;
        let snapshot = entry.handle.snapshot();
        if !accepted.delivered {
            let status = views::status(&snapshot.lifecycle.state).as_str();
            return Err(ToolError::new(
                ErrorKind::Conflict,
                format!(
                    "`{}` is {status}: there is no process to send {signal} to; start_process starts it",
                    entry.name
                ),
            ));
        }
        let process = views::process_view(entry, &snapshot, None);
        let (descendants_ended, descendants_killed) = (0, 0);
        Ok(StopResult { process, descendants_ended, descendants_killed, done: true, removed: false })
    }

    async fn await_end(
        &self,
        entry: &Entry,
        run: RunNo,
        was_at_rest: bool,
        timeout: Duration,
        patience: &Patience,
    ) -> Result<StopResult, ToolError> {
        let ended = |s: &Snapshot| s.lifecycle.state.is_at_rest() || s.run.run > run;
        let waiting = entry.handle.wait(timeout.min(LONGEST), ended);
        let snapshot = tokio::select! {
            snapshot = waiting => snapshot.map_err(gone)?,
            () = patience.cut_short.cancelled() => None,
        };
        let done = snapshot.is_some();
        let snapshot = snapshot.unwrap_or_else(|| entry.handle.snapshot());
        let ended_now = !was_at_rest && snapshot.run.run == run;
        let counted = |count: u32| if ended_now { count } else { 0 };
        Ok(StopResult {
            process: views::process_view(entry, &snapshot, None),
            descendants_ended: counted(snapshot.run.descendants_ended),
            descendants_killed: counted(snapshot.run.descendants_killed),
            done,
            removed: false,
        })
    }

    /// Forgets a process that is at rest.
    pub(super) async fn remove(&self, entry: &Entry) -> Result<(), ToolError> {
        let _declaring = self.declaring.lock().await;
        entry.handle.detach();
        self.registry.remove(entry.id);
        self.leases.grant(entry.id, Lifetime::Persistent);
        self.monitor.forget(entry.id);
        self.checkers.forget(entry.id);
        self.triggers.forget(entry.id);
        match self.store.remove_process(entry.id).await {
            Ok(_) => Ok(()),
            Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(store_error(error)),
        }
    }
}

/// What is to be started.
#[derive(Default)]
struct Redeclared {
    /// A new declaration.
    spec: Option<ProcessSpec>,
    /// The program that was found for it.
    program: Option<Program>,
    /// What to say where nothing is to be done.
    note: Option<String>,
}

fn already_running(client: &Client, same: bool) -> String {
    if same {
        return "it was already running; nothing was changed".to_owned();
    }
    let change =
        client.words("restart_process with the new parameters", "`hostler restart` with the new options");
    format!("it was already running, with another declaration, and nothing was changed; {change} changes it")
}

/// What is started now reads its environment files now; where a stack remembers what they say, it is told.
fn looked_anew(old: &ProcessSpec, spec: ProcessSpec) -> ProcessSpec {
    let env_digest = old.env_digest.as_ref().and_then(|_| resolve::env_digest(&spec));
    ProcessSpec { env_digest, ..spec }
}

/// The run that a start brings about, or that already runs.
fn run_after(accepted: &hostler_supervisor::handle::Accepted, snapshot: &Snapshot) -> RunNo {
    if accepted.was_up {
        accepted.before
    } else {
        // A start that has to wait for a stop has the next number as well.
        accepted.before.next().max(snapshot.run.run)
    }
}

fn launch_error(why: &str) -> ToolError {
    let kind = if why.starts_with("not allowed") { ErrorKind::Forbidden } else { ErrorKind::InvalidInput };
    ToolError::new(kind, why)
}
