//! Random histories of requests and events, played against a toy shim that obeys the actions.

use proptest::prelude::*;

use super::*;
use crate::exit::Outcome;
use crate::restart::{Jitter, RestartWhen};
use crate::signal::Signal;

const STOP: StopSpec = StopSpec { signal: Signal::TERM, grace_ms: 1_000 };

fn ctx(now: u64) -> Context {
    Context { now: Timestamp(0).plus_ms(now), jitter: Jitter(1000) }
}

fn exit(code: i32, at: u64) -> Exit {
    Exit { outcome: Outcome::Code(code), ..Exit::unknown(Timestamp(0).plus_ms(at)) }
}

fn always() -> RestartPolicy {
    RestartPolicy { when: RestartWhen::Always, max_restarts: 2, ..RestartPolicy::default() }
}

fn running(policy: &RestartPolicy) -> Lifecycle {
    let mut life = Lifecycle::default();
    assert_eq!(life.apply(Input::Start, policy, ctx(0)), [Action::ClearTimer, Action::Launch(RunNo(1))]);
    assert_eq!(life.apply(Input::Launched(Pid(7)), policy, ctx(1)), []);
    life
}

#[test]
fn a_crash_is_restarted_with_growing_delays_until_it_is_a_loop() {
    let policy = always();
    let mut life = running(&policy);
    for (attempt, delay) in [(1, 500), (2, 1_000)] {
        let now = u64::from(attempt) * 5_000;
        life.apply(Input::MainExited(exit(1, now)), &policy, ctx(now));
        let actions = life.apply(Input::Closed, &policy, ctx(now));
        let until = Timestamp(0).plus_ms(now + delay);
        assert_eq!(actions, [Action::SetTimer(until)]);
        assert_eq!(
            life.apply(Input::TimerElapsed, &policy, ctx(now)),
            [Action::SetTimer(until)],
            "too early"
        );
        let run = RunNo(attempt + 1);
        assert_eq!(
            life.apply(Input::TimerElapsed, &policy, ctx(now + delay)),
            [Action::ClearTimer, Action::Launch(run)]
        );
        life.apply(Input::Launched(Pid(8)), &policy, ctx(now + delay));
    }
    life.apply(Input::MainExited(exit(1, 20_000)), &policy, ctx(20_000));
    life.apply(Input::Closed, &policy, ctx(20_000));
    assert!(matches!(life.state, State::Failed { crash_loop: Some(2), .. }), "{:?}", life.state);
    assert_eq!(life.restarts, 2);
    assert_eq!(
        life.apply(Input::Start, &policy, ctx(30_000)),
        [Action::ClearTimer, Action::Launch(RunNo(4))],
        "by hand it starts again"
    );
    assert_eq!((life.restarts, life.history.recent.len()), (0, 0));
}

#[test]
fn a_stop_before_the_launch_is_answered_is_carried_out_after_it() {
    let policy = RestartPolicy::default();
    let mut life = Lifecycle::default();
    life.apply(Input::Start, &policy, ctx(0));
    assert_eq!(life.apply(Input::Stop(STOP), &policy, ctx(1)), []);
    assert_eq!(life.apply(Input::Launched(Pid(7)), &policy, ctx(2)), [Action::End(Ending::Stop(STOP))]);
}

#[test]
fn restart_then_stop_rests_and_stop_then_start_starts() {
    let policy = RestartPolicy::default();
    let mut life = running(&policy);
    life.apply(Input::Restart(STOP), &policy, ctx(5));
    life.apply(Input::Stop(STOP), &policy, ctx(6));
    life.apply(Input::MainExited(exit(0, 7)), &policy, ctx(7));
    life.apply(Input::Closed, &policy, ctx(8));
    assert!(matches!(life.state, State::Stopped { last: Some(_) }));

    let mut life = running(&policy);
    life.apply(Input::Stop(STOP), &policy, ctx(5));
    life.apply(Input::Start, &policy, ctx(6));
    assert_eq!(life.apply(Input::Closed, &policy, ctx(8)), [Action::ClearTimer, Action::Launch(RunNo(2))]);
}

#[test]
fn a_kill_shortens_a_stop_and_a_patient_stop_does_not_lengthen_it() {
    let policy = RestartPolicy::default();
    let mut life = running(&policy);
    life.apply(Input::Stop(STOP), &policy, ctx(5));
    assert_eq!(
        life.apply(Input::Kill(Signal::KILL), &policy, ctx(6)),
        [Action::End(Ending::Kill(Signal::KILL))]
    );
    let patient = StopSpec { grace_ms: 60_000, ..STOP };
    assert_eq!(life.apply(Input::Stop(patient), &policy, ctx(7)), []);
}

#[test]
fn a_program_that_cannot_be_executed_fails_at_once_but_a_restart_of_it_is_retried() {
    let policy = always();
    let mut life = Lifecycle::default();
    life.apply(Input::Start, &policy, ctx(0));
    life.apply(Input::LaunchFailed("gone".into()), &policy, ctx(1));
    assert!(matches!(life.state, State::Failed { crash_loop: None, .. }));

    let mut life = running(&policy);
    life.apply(Input::MainExited(exit(1, 10)), &policy, ctx(10));
    life.apply(Input::Closed, &policy, ctx(10));
    life.apply(Input::TimerElapsed, &policy, ctx(10_000));
    life.apply(Input::LaunchFailed("being rebuilt".into()), &policy, ctx(10_001));
    assert!(matches!(life.state, State::Backoff { attempt: 2, .. }), "{:?}", life.state);
}

#[test]
fn a_run_that_cannot_be_recorded_is_told_to_who_asked_and_tried_again_for_the_policy() {
    let policy = always();
    let mut life = Lifecycle::default();
    life.apply(Input::Start, &policy, ctx(0));
    life.apply(Input::NotBegun("full".into()), &policy, ctx(0));
    assert!(matches!(life.state, State::Failed { crash_loop: None, .. }));
    assert_eq!(life.last_run, RunNo(0));

    let mut life = running(&policy);
    life.apply(Input::MainExited(exit(1, 10)), &policy, ctx(10));
    life.apply(Input::Closed, &policy, ctx(10));
    // However long the disk is full: it is no failure of the process.
    for n in 1..100 {
        let actions = life.apply(Input::TimerElapsed, &policy, ctx(n * 10_000));
        assert_eq!(actions.last(), Some(&Action::Launch(RunNo(2))));
        life.apply(Input::NotBegun("full".into()), &policy, ctx(n * 10_000));
        assert!(matches!(life.state, State::Backoff { attempt: 1, .. }), "{:?}", life.state);
    }
    assert_eq!(life.restarts, 1);
}

fn unhealthy(run: u32) -> Input {
    Input::Unhealthy { run: RunNo(run), why: "http: GET / answered 503".into(), stop: STOP }
}

#[test]
fn a_crash_and_an_unhealthy_run_count_in_one_budget_and_the_reason_stays() {
    let policy = RestartPolicy { when: RestartWhen::OnFailure, max_restarts: 2, ..RestartPolicy::default() };
    let mut life = running(&policy);
    life.apply(Input::MainExited(exit(1, 1_000)), &policy, ctx(1_000));
    life.apply(Input::Closed, &policy, ctx(1_000));
    life.apply(Input::TimerElapsed, &policy, ctx(2_000));
    life.apply(Input::Launched(Pid(8)), &policy, ctx(2_000));
    assert_eq!(life.apply(unhealthy(1), &policy, ctx(3_000)), [], "news of an earlier run");
    assert_eq!(life.apply(unhealthy(2), &policy, ctx(3_000)), [Action::End(Ending::Stop(STOP))]);
    assert_eq!(life.unhealthy(), Some("http: GET / answered 503"));
    assert_eq!(life.desired, Desired::Running);
    // It ends politely, and is started again all the same.
    life.apply(Input::MainExited(exit(0, 3_100)), &policy, ctx(3_100));
    let until = Timestamp(0).plus_ms(3_100 + 1_000);
    assert_eq!(life.apply(Input::Closed, &policy, ctx(3_100)), [Action::SetTimer(until)]);
    life.apply(Input::TimerElapsed, &policy, ctx(5_000));
    life.apply(Input::Launched(Pid(9)), &policy, ctx(5_000));
    assert_eq!(life.restarts, 2);
    life.apply(unhealthy(3), &policy, ctx(6_000));
    life.apply(Input::MainExited(exit(0, 6_100)), &policy, ctx(6_100));
    life.apply(Input::Closed, &policy, ctx(6_100));
    assert!(
        matches!(&life.state, State::Failed { crash_loop: Some(2), why: Failure::Unhealthy { .. }, .. }),
        "{:?}",
        life.state
    );
}

#[test]
fn a_stop_while_an_unhealthy_run_is_ended_is_not_lost() {
    let policy = always();
    let mut life = running(&policy);
    life.apply(unhealthy(1), &policy, ctx(10));
    life.apply(Input::Stop(STOP), &policy, ctx(11));
    life.apply(unhealthy(1), &policy, ctx(12));
    life.apply(Input::MainExited(exit(0, 13)), &policy, ctx(13));
    life.apply(Input::Closed, &policy, ctx(13));
    assert!(matches!(life.state, State::Stopped { .. }), "{:?}", life.state);
}

#[test]
fn after_a_time_to_cool_down_a_crash_loop_is_tried_again_with_a_new_budget() {
    let policy = RestartPolicy { max_restarts: 0, cooldown_ms: Some(60_000), ..always() };
    let mut life = running(&policy);
    life.apply(Input::MainExited(exit(1, 10)), &policy, ctx(10));
    let retry_at = Timestamp(0).plus_ms(60_010);
    assert_eq!(life.apply(Input::Closed, &policy, ctx(10)), [Action::SetTimer(retry_at)]);
    assert!(matches!(life.state, State::Failed { crash_loop: Some(0), .. }) && !life.state.is_at_rest());
    assert_eq!(life.apply(Input::TimerElapsed, &policy, ctx(50)), [Action::SetTimer(retry_at)], "too early");
    let actions = life.apply(Input::TimerElapsed, &policy, ctx(60_010));
    assert_eq!(actions, [Action::ClearTimer, Action::Launch(RunNo(2))]);
    assert_eq!(life.restarts, 1);
}

#[test]
fn a_run_is_ready_once_and_an_earlier_one_cannot_make_it_so() {
    let policy = always();
    let mut life = running(&policy);
    let generation = life.generation;
    life.apply(Input::Ready(RunNo(0), Ready::Notified), &policy, ctx(2));
    assert_eq!((life.state.ready(RunNo(1)), life.generation), (None, generation));
    life.apply(Input::Ready(RunNo(1), Ready::Port(80)), &policy, ctx(2));
    life.apply(Input::Ready(RunNo(1), Ready::Notified), &policy, ctx(3));
    assert_eq!(
        (life.state.ready(RunNo(1)), life.generation),
        (Some(Ready::Port(80)), Generation(generation.0 + 1))
    );
}

/// Declared by a daemon that knew neither readiness nor cool-downs.
#[test]
fn earlier_records_are_read() {
    let text = r#"{"desired":"running","state":{"status":"running","run":3,"pid":7,"since":5},"last_run":3,
        "restarts":0,"history":{"recent":[],"attempt":0},"generation":4}"#;
    let life: Lifecycle = serde_json::from_str(text).unwrap();
    assert_eq!(life.state.ready(RunNo(3)), None);
    let text = r#"{"status":"failed","why":{"launch":"gone"},"crash_loop":null}"#;
    assert!(serde_json::from_str::<State>(text).unwrap().is_at_rest());
}

#[test]
fn it_survives_its_own_serialization() {
    let life = running(&always());
    let text = serde_json::to_string(&life).unwrap();
    assert_eq!(serde_json::from_str::<Lifecycle>(&text).unwrap(), life);
}

/// The shim's side of the contract: it launches when told and answers in order.
#[derive(Default)]
struct ToyShim {
    launching: Option<RunNo>,
    alive: Option<RunNo>,
    told_to_end: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Start,
    Arm,
    Stop,
    Restart,
    Kill,
    Ready,
    Unhealthy,
    ShimAnswers { ok: bool },
    ProcessEnds { code: i32 },
    TreeGone,
    TimePasses(u64),
    Disk { full: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Start),
        Just(Step::Arm),
        Just(Step::Stop),
        Just(Step::Restart),
        Just(Step::Kill),
        Just(Step::Ready),
        Just(Step::Unhealthy),
        any::<bool>().prop_map(|ok| Step::ShimAnswers { ok }),
        (0..2).prop_map(|code| Step::ProcessEnds { code }),
        Just(Step::TreeGone),
        (1_u64..40_000).prop_map(Step::TimePasses),
        any::<bool>().prop_map(|full| Step::Disk { full }),
    ]
}

struct World {
    life: Lifecycle,
    policy: RestartPolicy,
    shim: ToyShim,
    main_ended: bool,
    disk_full: bool,
    timer: Option<Timestamp>,
    now: u64,
}

impl World {
    fn play(&mut self, step: Step) -> Result<(), TestCaseError> {
        let input = match step {
            Step::Start => Input::Start,
            Step::Arm => Input::Arm,
            Step::Stop => Input::Stop(STOP),
            Step::Restart => Input::Restart(STOP),
            Step::Kill => Input::Kill(Signal::KILL),
            // Of the newest run, which may be over: news may come late.
            Step::Ready => Input::Ready(self.life.last_run, Ready::Checks),
            Step::Unhealthy => unhealthy(self.life.last_run.0),
            Step::ShimAnswers { ok } => {
                let Some(run) = self.shim.launching.take() else {
                    return Ok(());
                };
                if ok {
                    self.shim.alive = Some(run);
                    self.main_ended = false;
                    Input::Launched(Pid(100))
                } else {
                    Input::LaunchFailed("no".into())
                }
            }
            Step::ProcessEnds { code } if self.shim.alive.is_some() && !self.main_ended => {
                self.main_ended = true;
                Input::MainExited(exit(code, self.now))
            }
            Step::TreeGone if self.shim.alive.is_some() && self.main_ended => {
                self.shim = ToyShim::default();
                Input::Closed
            }
            Step::TimePasses(ms) => {
                self.now += ms;
                match self.timer {
                    Some(at) if ctx(self.now).now >= at => Input::TimerElapsed,
                    _ => return Ok(()),
                }
            }
            Step::ProcessEnds { .. } | Step::TreeGone => return Ok(()),
            Step::Disk { full } => {
                self.disk_full = full;
                return Ok(());
            }
        };
        self.feed(input)
    }

    fn feed(&mut self, input: Input) -> Result<(), TestCaseError> {
        let (before, generation) = (self.life.state.clone(), self.life.generation);
        let (restarts, mut not_begun) = (self.life.restarts, false);
        for action in self.life.apply(input, &self.policy, ctx(self.now)) {
            match action {
                Action::Launch(_) if self.disk_full => not_begun = true,
                Action::Launch(run) => {
                    prop_assert!(self.shim.alive.is_none() && self.shim.launching.is_none(), "two at once");
                    self.shim.launching = Some(run);
                }
                Action::End(_) => {
                    prop_assert!(self.shim.alive.is_some(), "nothing to end");
                    self.shim.told_to_end = true;
                }
                Action::SetTimer(at) => self.timer = Some(at),
                Action::ClearTimer => self.timer = None,
            }
        }
        prop_assert_eq!(self.life.state != before, self.life.generation != generation);
        if not_begun {
            let run = self.life.last_run;
            self.life
                .apply(Input::NotBegun("no room".into()), &self.policy, ctx(self.now))
                .into_iter()
                .for_each(|action| match action {
                    Action::SetTimer(at) => self.timer = Some(at),
                    _ => self.timer = None,
                });
            prop_assert_eq!(self.life.last_run.next(), run, "its number is free for the next one");
            prop_assert!(self.life.restarts <= restarts + 1);
        }
        self.check()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let state = &self.life.state;
        let has_shim = self.shim.alive.or(self.shim.launching);
        prop_assert_eq!(state.live_run(), has_shim, "state {:?}", state);
        if let State::Stopping { pid: Some(_), .. } = state {
            prop_assert!(self.shim.told_to_end, "stopping, and nobody told the shim");
        }
        if let State::Backoff { until, .. } | State::Failed { retry_at: Some(until), .. } = state {
            prop_assert_eq!(self.timer, Some(*until), "it waits without a timer");
        }
        prop_assert!(self.life.history.recent.len() <= self.policy.max_restarts as usize);
        if self.life.desired == Desired::Stopped {
            let comes_back =
                matches!(state, State::Running { .. } | State::Starting { .. } | State::Backoff { .. });
            prop_assert!(!comes_back, "stopped on purpose, and {:?}", state);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens in whatever order: never two runs at once, never a stop that nobody carries out,
    /// never a backoff that nobody wakes, and what was stopped on purpose does not come back.
    #[test]
    fn random_histories_keep_the_invariants(
        steps in prop::collection::vec(step(), 0..80),
        when in 0..3,
        max_restarts in 0_u32..6,
        cooldown_ms in prop::option::of(1_u64..60_000),
    ) {
        let when = [RestartWhen::Never, RestartWhen::OnFailure, RestartWhen::Always][when as usize];
        let policy = RestartPolicy { when, max_restarts, cooldown_ms, ..RestartPolicy::default() };
        let mut world = World { life: Lifecycle::default(), policy, shim: ToyShim::default(), main_ended: false, disk_full: false, timer: None, now: 0 };
        for step in steps {
            world.play(step)?;
        }
        // From anywhere, a stop and obedient processes lead to rest.
        world.feed(Input::Stop(STOP))?;
        world.play(Step::ShimAnswers { ok: true })?;
        world.play(Step::ProcessEnds { code: 0 })?;
        world.play(Step::TreeGone)?;
        let rests = matches!(world.life.state, State::Stopped { .. });
        prop_assert!(rests, "{:?}", world.life.state);
    }
}
