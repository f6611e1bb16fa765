//! Random outcomes at random times.

use proptest::prelude::*;

use super::*;
use crate::ids::RunNo;
use crate::restart::Jitter;
use crate::time::Timestamp;

const START: Timestamp = Timestamp(1_000_000_000_000_000);

fn spec(failure_threshold: u32, success_threshold: u32) -> CheckSpec {
    CheckSpec {
        plugin: "http".to_owned(),
        config: Map::new(),
        schedule: Schedule {
            interval_ms: 1_000,
            start_period_ms: 0,
            failure_threshold,
            success_threshold,
            ..Schedule::default()
        },
        on_unhealthy: OnUnhealthy::Restart,
    }
}

fn at(ms: u64, outcome: Outcome) -> Last {
    Last { at: START.plus_ms(ms), outcome, message: "seen".to_owned(), latency_us: 7 }
}

const WELL: Outcome = Outcome::Found(Verdict::Healthy);
const SLOW: Outcome = Outcome::Found(Verdict::Degraded);
const ILL: Outcome = Outcome::Found(Verdict::Unhealthy);

#[test]
fn thresholds_count_in_both_directions() {
    let spec = spec(3, 2);
    let mut state = CheckState::new(RunNo(1), START);
    let mut after = |ms, outcome| {
        let taken = state.take(&spec, at(ms, outcome), START, false);
        (state.status, taken.restart)
    };
    assert_eq!(after(1_000, WELL), (Status::Unknown, false), "the first of two");
    assert_eq!(after(2_000, SLOW), (Status::Degraded, false));
    assert_eq!(after(3_000, WELL), (Status::Healthy, false));
    assert_eq!(after(4_000, ILL), (Status::Healthy, false));
    assert_eq!(after(5_000, ILL), (Status::Healthy, false));
    assert_eq!(after(6_000, ILL), (Status::Unhealthy, true));
    assert_eq!(after(7_000, ILL), (Status::Unhealthy, true), "as long as it is so");
    assert_eq!(after(8_000, WELL), (Status::Unhealthy, false));
    assert_eq!(after(9_000, WELL), (Status::Healthy, false));
}

#[test]
fn a_check_that_cannot_be_made_says_nothing_and_is_left_alone_for_longer_and_longer() {
    let spec = spec(1, 1);
    let mut state = CheckState::new(RunNo(1), START);
    state.take(&spec, at(1_000, WELL), START, false);
    let mut breaks = Vec::new();
    for n in 2..20 {
        let taken = state.take(&spec, at(n * 1_000, Outcome::NotMade), START, false);
        assert_eq!((state.status, taken.restart), (Status::Unknown, false));
        let now = START.plus_ms(n * 1_000);
        breaks.push(spec.schedule.next(&state, START, now, Jitter(500)).at.ms_since(now));
    }
    assert_eq!(breaks[..5], [1_000, 1_000, 2_000, 4_000, 8_000]);
    assert_eq!(breaks.last(), Some(&600_000));
    assert_eq!(state.breaker(), Breaker::Open);
    state.take(&spec, at(50_000, WELL), START, false);
    assert_eq!((state.breaker(), state.status), (Breaker::Closed, Status::Healthy));
}

#[test]
fn a_new_run_is_looked_at_early_and_cannot_fail_before_its_time() {
    let spec =
        CheckSpec { schedule: Schedule { start_period_ms: 3_000, ..spec(1, 1).schedule }, ..spec(1, 1) };
    let mut state = CheckState::new(RunNo(1), START);
    let (mut now, mut looks) = (START, Vec::new());
    loop {
        let due = spec.schedule.next(&state, START, now, Jitter(500));
        now = due.at;
        looks.push(now.ms_since(START));
        let taken = state.take(&spec, at(now.ms_since(START), ILL), START, due.early);
        if taken.restart {
            break;
        }
        assert_eq!(state.status, Status::Unknown);
    }
    assert_eq!(looks, [50, 100, 200, 400, 800, 1_600, 2_600, 3_000]);
}

#[test]
fn who_asks_often_does_not_make_it_unhealthy() {
    let spec = spec(3, 1);
    let mut state = CheckState::new(RunNo(1), START);
    for ms in 0..400 {
        state.take(&spec, at(2_000 + ms, ILL), START, false);
    }
    assert_eq!((state.failures, state.status), (1, Status::Unknown));
}

#[test]
fn the_worst_check_speaks_for_the_process() {
    let spec = spec(1, 1);
    let state = |outcome| {
        let mut state = CheckState::new(RunNo(1), START);
        state.take(&spec, at(1_000, outcome), START, false);
        state
    };
    let of = |states: &[CheckState]| Health::of(states.iter().map(|state| (&spec, state)));
    assert_eq!(of(&[state(WELL), state(WELL)]).status, Status::Healthy);
    assert!(of(&[state(WELL), state(SLOW)]).all_passed);
    let unknown = of(&[state(WELL), state(Outcome::NotMade)]);
    assert_eq!((unknown.status, unknown.all_passed), (Status::Unknown, false));
    assert_eq!(unknown.reason.as_deref(), Some("http: seen"));
    assert_eq!(of(&[state(Outcome::NotMade), state(SLOW), state(ILL)]).status, Status::Unhealthy);
    let paused = CheckState { paused: true, ..state(ILL) };
    assert_eq!(of(&[paused.clone(), state(WELL)]).status, Status::Healthy);
    assert_eq!(of(&[paused]).status, Status::Unknown);
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![1 => Just(WELL), 1 => Just(SLOW), 3 => Just(ILL), 1 => Just(Outcome::NotMade)]
}

proptest! {
    /// Whatever comes in whatever order: a restart needs as many failures in a row as the threshold says, half an interval
    /// apart, and the newest of them just now; a check that could not be made never brings one about.
    #[test]
    fn nobody_is_restarted_without_enough_failures(
        steps in prop::collection::vec((outcome(), 0_u64..1_500, any::<bool>()), 0..100),
        failure_threshold in 1_u32..5,
        success_threshold in 1_u32..4,
    ) {
        let spec = spec(failure_threshold, success_threshold);
        let mut state = CheckState::new(RunNo(1), START);
        let (mut now, mut apart): (u64, Vec<u64>) = (0, Vec::new());
        for (outcome, gap, early) in steps {
            now += gap;
            let before = state.status;
            let taken = state.take(&spec, at(now, outcome), START, early);
            prop_assert_eq!(taken.was, (state.status != before).then_some(before));
            match outcome {
                ILL if apart.last().is_none_or(|at| now - at >= 500) => apart.push(now),
                ILL => {}
                Outcome::NotMade => prop_assert_eq!((state.status, taken.restart), (Status::Unknown, false)),
                Outcome::Found(_) => apart.clear(),
            }
            if taken.restart {
                prop_assert!(outcome == ILL && apart.len() >= failure_threshold as usize);
            }
        }
        // From anywhere, enough of one kind decides.
        for n in 1..=u64::from(success_threshold) {
            state.take(&spec, at(now + n * 1_000, WELL), START, false);
        }
        prop_assert_eq!(state.status, Status::Healthy);
        now += 10_000;
        for n in 1..=u64::from(failure_threshold) {
            state.take(&spec, at(now + n * 1_000, ILL), START, false);
        }
        prop_assert_eq!(state.status, Status::Unhealthy);
    }

    /// The next check is always later than now, and not later than the interval, or the longest break, allows.
    #[test]
    fn there_is_always_a_next_check(
        interval_ms in 10_u64..1_000_000, start_period_ms in 0_u64..1_000_000, passed in any::<bool>(),
        troubles in 0_u32..100, since_start in 0_u64..2_000_000, jitter in 0_u16..=1_000,
    ) {
        let schedule = Schedule { interval_ms, start_period_ms, ..Schedule::default() };
        let state = CheckState { passed, troubles, ..CheckState::new(RunNo(1), START) };
        let now = START.plus_ms(since_start);
        let due = schedule.next(&state, START, now, Jitter(jitter));
        let wait = due.at.ms_since(now);
        prop_assert!(wait > 0 || due.at == now.plus_ms(wait));
        prop_assert!(wait <= interval_ms.max(600_000).max(50) * 11 / 10 + 1, "{}", wait);
        prop_assert!(!due.early || due.at < START.plus_ms(start_period_ms.max(interval_ms)));
    }

    /// A daemon that is restarted at any time: the next check comes when it would have come without that, or, when that is
    /// past, at once but for a tenth of the interval.
    #[test]
    fn a_new_daemon_goes_on_at_the_same_times(
        interval_ms in 10_u64..100_000, passed in any::<bool>(), troubles in 0_u32..20,
        last_ms in 0_u64..300_000, away_ms in 0_u64..300_000, jitter in 0_u16..=1_000,
    ) {
        let schedule = Schedule { interval_ms, ..Schedule::default() };
        let last = at(last_ms, if troubles > 0 { Outcome::NotMade } else { WELL });
        let state = CheckState { passed, troubles, last: Some(last), ..CheckState::new(RunNo(1), START) };
        let (then, now) = (START.plus_ms(last_ms), START.plus_ms(last_ms + away_ms));
        let planned = schedule.next(&state, START, then, Jitter(jitter));
        let due = schedule.resume(&state, START, now, Jitter(jitter));
        if planned.at > now {
            prop_assert_eq!(due, planned);
        } else {
            prop_assert!(due.at >= now && due.at.ms_since(now) <= interval_ms / 10);
            prop_assert!(planned.early || !due.early);
        }
        // A clock that was set back, or a result of an earlier run, is no reason to wait longer than ever.
        let before = schedule.resume(&state, START.plus_ms(last_ms + 1), now, Jitter(jitter));
        let back = schedule.resume(&state, START, START, Jitter(jitter));
        for (due, now) in [(before, now), (back, START)] {
            prop_assert!(due.at.ms_since(now) <= interval_ms.max(600_000) * 11 / 10 + 1);
        }
    }

    /// However short a daemon lives, as long as that is a tenth of the interval, checks are made.
    #[test]
    fn daemons_that_live_shortly_make_checks_all_the_same(
        interval_ms in 100_u64..10_000, lives in prop::collection::vec(0.1_f64..1.0, 40), jitter in 0_u16..=1_000,
    ) {
        let schedule = Schedule { interval_ms, ..Schedule::default() };
        let mut state = CheckState { passed: true, last: Some(at(0, WELL)), ..CheckState::new(RunNo(1), START) };
        let (mut begun, mut latest) = (START, 0);
        for life in lives {
            let end = begun.plus_ms((interval_ms as f64 * life).ceil() as u64 + 1);
            let mut due = schedule.resume(&state, START, begun, Jitter(jitter)).at;
            while due <= end {
                let last = state.last.as_ref().map_or(START, |last| last.at);
                latest = latest.max(due.ms_since(last));
                state.last = Some(Last { at: due, ..at(0, WELL) });
                due = schedule.next(&state, START, due, Jitter(jitter)).at;
            }
            begun = end;
        }
        prop_assert!(latest > 0 && latest <= interval_ms * 12 / 10 + 2, "{latest} ms between two");
    }

    #[test]
    fn a_declaration_and_a_state_come_back_as_they_were(failures in any::<u32>(), paused in any::<bool>()) {
        let state = CheckState { failures, paused, ..CheckState::new(RunNo(3), START) };
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<CheckState>(&text).unwrap(), state);
        let text = serde_json::to_string(&spec(2, 1)).unwrap();
        prop_assert_eq!(serde_json::from_str::<CheckSpec>(&text).unwrap(), spec(2, 1));
    }
}
