//! What others ask of the actor and tell it.

use std::path::Path;

use hostler_model::health::Health;
use hostler_model::lifecycle::{Input, Ready, State};
use hostler_model::{Desired, ProcessSpec, RunNo};
use hostler_shim::control::{Command, Scope};

use super::Actor;
use crate::handle::{Accepted, Request};
use crate::host::{Cause, Host};
use crate::notify::Notify;

impl<H: Host> Actor<H> {
    pub(super) async fn on_request(&mut self, request: Request) {
        let mut accepted = Accepted {
            before: self.life.last_run,
            was_at_rest: self.life.state.live_run().is_none(),
            was_up: matches!(self.life.state, State::Starting { .. } | State::Running { .. }),
            delivered: self.life.state.pid().is_some(),
        };
        let (reply, input) = match request {
            Request::Start { spec, program, reply } => {
                self.declare(spec);
                self.resolved = program.map(|program| *program);
                self.asked = Cause::Start;
                (reply, Some(Input::Start))
            }
            Request::Declare { spec, reply } => {
                self.declare(Some(spec));
                self.publish();
                (reply, None)
            }
            Request::Arm { reply } => (reply, Some(Input::Arm)),
            Request::Stop { stop, reply } => (reply, Some(Input::Stop(stop))),
            Request::Restart { spec, stop, reply } => {
                self.declare(spec);
                self.asked = Cause::Restart;
                (reply, Some(Input::Restart(stop)))
            }
            Request::Kill { signal, reply } => (reply, Some(Input::Kill(signal))),
            Request::Signal { signal, reply } => {
                let scope = if signal.is_job_control() { Scope::Tree } else { Scope::Main };
                accepted.delivered &= self.command(&Command::Signal { signal: signal.number(), scope });
                (reply, None)
            }
            Request::Write { data, reply } => return self.on_write(data, reply),
            Request::CloseInput { reply } => return drop(reply.send(self.on_close_input())),
            Request::Resize { rows, cols } => return drop(self.command(&Command::Resize { rows, cols })),
            Request::Consumed { run, position } => {
                if self.facts.key == Some(run) {
                    self.command(&Command::Consumed(position));
                }
                return;
            }
            Request::Breach { run, cause } => return self.on_breach(run, cause).await,
            Request::Ready { run, by } => return self.apply(Input::Ready(run, by)).await,
            Request::Checked { run, health } => return self.on_checked(run, health).await,
            Request::Unhealthy { run, why } => return self.on_unhealthy(run, why).await,
            Request::StartFor { cause } => return self.begin_for(cause, Input::Start).await,
            Request::RestartFor { cause } => {
                return self.begin_for(cause, Input::Restart(self.spec.stop)).await;
            }
            Request::Detach => return,
        };
        if let Some(input) = input {
            self.apply(input).await;
            self.resolved = None;
        }
        // Whoever asked may have gone meanwhile; the request stands.
        let _ = reply.send(accepted);
    }

    /// What somebody stopped meanwhile stays so.
    async fn begin_for(&mut self, cause: Cause, input: Input) {
        if self.life.desired == Desired::Running {
            self.asked = cause;
            self.apply(input).await;
        }
    }

    fn declare(&mut self, spec: Option<Box<ProcessSpec>>) {
        if let Some(spec) = spec {
            self.spec = *spec;
        }
    }

    /// What its health checks say is published, and that they all passed makes the run ready.
    async fn on_checked(&mut self, run: RunNo, health: Health) {
        if self.life.state.running() != Some(run) {
            return;
        }
        let (before, all_passed) = (self.checked.take().filter(|(of, _)| *of == run), health.all_passed);
        let changed = before.map(|(_, health)| health.status).unwrap_or_default() != health.status;
        self.checked = Some((run, health));
        self.life.generation.0 += u64::from(changed);
        // Who sees that it is healthy also finds it ready.
        if all_passed && self.life.state.ready(run).is_none() {
            return self.apply(Input::Ready(run, Ready::Checks)).await;
        }
        self.publish();
        if changed {
            self.host.save(self.id, &self.life).await;
        }
    }

    async fn on_unhealthy(&mut self, run: RunNo, why: String) {
        let was = self.life.unhealthy().is_some();
        let note = format!("ended because it was unhealthy: {why}");
        self.apply(Input::Unhealthy { run, why, stop: self.spec.stop }).await;
        if let Some(key) = self.facts.key.filter(|_| !was && self.life.unhealthy().is_some()) {
            tracing::info!(process = %self.id, %run, %note, "restarting an unhealthy process");
            self.host.run_noted(key, &note).await;
        }
    }

    /// Goes on hearing a run that an earlier daemon gave a socket to.
    pub(super) fn resume_notify(&mut self, run: RunNo, dir: &Path) {
        if self.life.state.ready(run).is_none() {
            self.notify = Notify::resume(dir);
        }
    }
}
