//! Random groups in a toy world whose processes start, end, fail and recover in any order.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

fn name(text: &str) -> ProcessName {
    ProcessName::try_from(text.to_owned()).unwrap()
}

fn member(process: &str, on: &[(&str, Condition)]) -> Member {
    let depends_on = on.iter().map(|(on, condition)| (name(on), *condition)).collect();
    Member { process: name(process), depends_on, delay_ms: 0 }
}

fn declared(members: Vec<Member>) -> Declared {
    Declared { name: name("shop"), description: None, members, stop_strategy: StopStrategy::Reverse }
}

fn refused(members: Vec<Member>) -> String {
    Group::new(declared(members)).unwrap_err().to_string()
}

const STARTED: Condition = Condition::Started;
const ENDING: Phase = Phase::Ending { on_request: true };

/// It runs, and has not said that it is ready.
fn up(since: Timestamp) -> Phase {
    Phase::Up { since, ready: false }
}

#[test]
fn a_cycle_is_refused_with_its_path() {
    let message = refused(vec![
        member("free", &[]),
        member("web", &[("api", STARTED), ("free", STARTED)]),
        member("api", &[("db", STARTED)]),
        member("db", &[("api", STARTED)]),
    ]);
    assert_eq!(message, "these wait for one another: `api` → `db` → `api`; take one of the dependencies out");
    assert!(refused(vec![member("a", &[("a", STARTED)])]).contains("`a` → `a`"));
}

#[test]
fn a_stranger_is_named_with_the_nearest_member() {
    let message = refused(vec![member("web", &[("postgrse", STARTED)]), member("postgres", &[])]);
    assert_eq!(
        message,
        "`web` depends on `postgrse`, which is no member of the group; did you mean `postgres`?"
    );
    assert!(refused(vec![member("web", &[]), member("web", &[])]).contains("twice"));
}

#[test]
fn a_failed_dependency_is_named_by_all_that_wait_behind_it_and_its_recovery_starts_them() {
    let mut world = World::new(vec![
        member("db", &[]),
        member("api", &[("db", Condition::Ready)]),
        member("web", &[("api", STARTED)]),
    ]);
    world.input(GroupInput::Start).unwrap();
    world.set("db", Phase::Failed("exit code 1".into())).unwrap();
    let (standings, status, health) = world.summary();
    let blocked = Standing::Blocked { by: name("db"), because: "exit code 1".into() };
    assert_eq!(standings, [Standing::Failed("exit code 1".into()), blocked.clone(), blocked]);
    assert_eq!((status, health), (GroupStatus::Failed, GroupHealth::Unhealthy));

    world.set("db", up(world.now)).unwrap();
    assert_eq!(world.started, ["db"], "it has to be ready first");
    world.pass(SETTLE_MS).unwrap();
    assert_eq!(world.started, ["db"], "it lives, and has not said that it is ready");
    let since = world.now;
    world.set("db", Phase::Up { since, ready: true }).unwrap();
    assert_eq!(world.started, ["db", "api"]);
    let since = world.now;
    world.set("api", up(since)).unwrap();
    world.set("web", up(since)).unwrap();
    assert_eq!(world.summary().1, GroupStatus::Running);
}

#[test]
fn one_that_never_says_that_it_is_ready_is_waited_for_and_not_for_ever() {
    let mut world = World::new(vec![member("db", &[]), member("api", &[("db", Condition::Ready)])]);
    world.input(GroupInput::Start).unwrap();
    world.set("db", up(world.now)).unwrap();
    world.pass(QUIET_MS - 1).unwrap();
    let because = "it listens on no port yet and has not sent READY=1".to_owned();
    assert_eq!(world.summary().0[1], Standing::Waiting { on: name("db"), because });
    world.pass(1).unwrap();
    assert_eq!(world.started, ["db", "api"]);
}

#[test]
fn what_runs_is_not_started_and_a_job_is_done_once_in_a_run_of_the_group() {
    let mut world = World::new(vec![member("job", &[]), member("web", &[("job", Condition::Completed)])]);
    // What it did before this start of the group does not count.
    world.set("job", Phase::Completed).unwrap();
    world.set("web", Phase::Down).unwrap();
    world.input(GroupInput::Start).unwrap();
    assert_eq!(world.started, ["job"]);
    world.set("job", Phase::Completed).unwrap();
    assert_eq!(world.started, ["job", "web"]);
    world.set("web", up(world.now)).unwrap();
    world.input(GroupInput::Start).unwrap();
    assert_eq!(world.started, ["job", "web"], "a second start has nothing to do");
}

#[test]
fn a_stop_in_the_middle_of_a_start_ends_what_was_begun_and_begins_nothing_more() {
    let mut world = World::new(vec![
        member("db", &[]),
        member("api", &[("db", STARTED)]),
        member("web", &[("api", Condition::Completed)]),
    ]);
    world.input(GroupInput::Start).unwrap();
    world.set("db", up(world.now)).unwrap();
    assert_eq!(world.started, ["db", "api"]);
    world.input(GroupInput::Stop { strategy: None, grace_ms: None }).unwrap();
    assert_eq!(world.stopped, ["api"], "those that depend on others go first");
    world.set("api", Phase::Down).unwrap();
    assert_eq!(world.stopped, ["api", "db"]);
    world.set("db", Phase::Down).unwrap();
    assert_eq!(world.summary().1, GroupStatus::Stopped);
    assert_eq!(world.started, ["db", "api"]);
}

#[test]
fn a_member_with_a_schedule_is_armed_in_its_turn_and_then_waits_for_its_time() {
    let mut world = World::new(vec![
        member("db", &[]),
        member("backup", &[("db", STARTED)]),
        member("report", &[("backup", Condition::Completed)]),
    ]);
    world.real.get_mut(&name("backup")).unwrap().schedule = Some(false);
    world.input(GroupInput::Start).unwrap();
    assert_eq!(world.started, ["db"]);
    world.set("db", up(world.now)).unwrap();
    assert_eq!(world.started, ["db", "backup"]);
    let (standings, status, _) = world.summary();
    assert_eq!(standings[1], Standing::Scheduled(Last::None));
    assert!(matches!(standings[2], Standing::Waiting { .. }), "{standings:?}");
    assert_eq!(status, GroupStatus::Starting);
    world.set("backup", up(world.now)).unwrap();
    world.set("backup", Phase::Completed).unwrap();
    assert_eq!(world.started, ["db", "backup", "report"]);
    world.set("report", Phase::Completed).unwrap();
    world.set("backup", up(world.now)).unwrap();
    world.set("backup", Phase::Failed("exit code 1".into())).unwrap();
    let (_, status, health) = world.summary();
    assert_eq!((status, health), (GroupStatus::Degraded, GroupHealth::Unhealthy), "its last run failed");
    world.input(GroupInput::Stop { strategy: None, grace_ms: None }).unwrap();
    assert_eq!(world.stopped, ["backup", "db"]);
    assert_eq!(world.real[&name("backup")].seen.phase, Phase::Down);
}

#[test]
fn what_is_needed_through_a_job_that_is_done_is_stopped_after_those_that_need_it() {
    let mut world = World::new(vec![
        member("db", &[]),
        member("migrate", &[("db", STARTED)]),
        member("api", &[("migrate", Condition::Completed)]),
    ]);
    world.input(GroupInput::Start).unwrap();
    world.set("db", up(world.now)).unwrap();
    world.set("migrate", Phase::Completed).unwrap();
    world.set("api", up(world.now)).unwrap();
    world.input(GroupInput::Stop { strategy: None, grace_ms: None }).unwrap();
    assert_eq!(world.stopped, ["api"]);
    world.set("api", Phase::Down).unwrap();
    assert_eq!(world.stopped, ["api", "db"]);
}

#[test]
fn a_new_daemon_does_nothing_before_it_has_looked_at_all() {
    let mut world = World::new(vec![member("a", &[]), member("b", &[]), member("c", &[])]);
    world.group.declared.stop_strategy = StopStrategy::Sequential;
    world.input(GroupInput::Start).unwrap();
    world.input(GroupInput::Stop { strategy: None, grace_ms: None }).unwrap();
    // While `c` is being ended, somebody else ends `a`.
    world.set("a", ENDING).unwrap();
    for _ in 0..2 {
        world.play(Happening::NewDaemon).unwrap();
    }
    assert_eq!(world.stopped, ["c"], "one after the other, and `a` is still being ended");
    world.set("c", Phase::Down).unwrap();
    world.set("a", Phase::Down).unwrap();
    // Whom somebody else ends is told once more, which changes nothing, and is waited for.
    assert_eq!(world.stopped, ["c", "a", "b"]);
}

#[test]
fn a_delay_runs_after_the_condition_holds() {
    let late = Member { delay_ms: 1_000, ..member("web", &[("db", STARTED)]) };
    let mut world = World::new(vec![member("db", &[]), late]);
    world.input(GroupInput::Start).unwrap();
    world.set("db", up(world.now)).unwrap();
    world.pass(999).unwrap();
    assert_eq!(world.started, ["db"]);
    world.pass(1).unwrap();
    assert_eq!(world.started, ["db", "web"]);
}

/// Processes that do what a step of the test says, and a group that learns of it.
struct World {
    group: Group,
    run: GroupRun,
    real: BTreeMap<ProcessName, Real>,
    now: Timestamp,
    wake: Option<Timestamp>,
    started: Vec<String>,
    stopped: Vec<String>,
}

struct Real {
    seen: Seen,
    /// Whether it was started since the group was last wanted.
    begun: bool,
    /// Started by somebody else after the group was stopped: no business of the group.
    foreign: bool,
    /// It is started at certain times; whether it is to be just now.
    schedule: Option<bool>,
}

impl Real {
    /// What a phase is where a schedule says when it begins anew.
    fn between_times(&mut self, phase: Phase) -> Phase {
        let Some(armed) = &mut self.schedule else { return phase };
        match phase {
            Phase::Starting | Phase::Up { .. } => *armed = true,
            Phase::Ending { on_request: true } => *armed = false,
            Phase::Completed if *armed => return Phase::Scheduled(Last::Completed),
            Phase::Failed(why) if *armed => return Phase::Scheduled(Last::Failed(why)),
            _ => {}
        }
        phase
    }
}

impl World {
    fn new(members: Vec<Member>) -> Self {
        let group = Group::new(declared(members)).unwrap();
        let seen = Seen { generation: 0, phase: Phase::Down, health: Health::Unchecked };
        let real = group.members().iter().map(|m| m.process.clone());
        let fresh = || Real { seen: seen.clone(), begun: false, foreign: false, schedule: None };
        let real = real.map(|name| (name, fresh())).collect();
        let mut world = Self {
            group,
            run: GroupRun::default(),
            real,
            now: Timestamp(0),
            wake: None,
            started: Vec::new(),
            stopped: Vec::new(),
        };
        world.look_at_all().unwrap();
        world
    }

    fn look_at_all(&mut self) -> Result<(), TestCaseError> {
        let names: Vec<ProcessName> = self.real.keys().cloned().collect();
        names.into_iter().try_for_each(|name| self.look(&name))
    }

    fn look(&mut self, name: &ProcessName) -> Result<(), TestCaseError> {
        let seen = self.real[name].seen.clone();
        self.input(GroupInput::Seen(name.clone(), seen))
    }

    fn summary(&self) -> (Vec<Standing>, GroupStatus, GroupHealth) {
        summary(&self.group, &self.run, self.now)
    }

    /// A process changes, and the group hears of it.
    fn set(&mut self, process: &str, phase: Phase) -> Result<(), TestCaseError> {
        let name = name(process);
        let real = self.real.get_mut(&name).unwrap();
        let starts = real.seen.phase.is_at_rest() && !phase.is_at_rest();
        real.begun |= starts;
        real.foreign |= starts && !self.run.is_wanted();
        real.seen.phase = real.between_times(phase);
        real.seen.generation += 1;
        self.look(&name)
    }

    fn pass(&mut self, ms: u64) -> Result<(), TestCaseError> {
        self.now = self.now.plus_ms(ms);
        if self.wake.is_some_and(|at| self.now >= at) {
            self.wake = None;
            return self.input(GroupInput::Tick);
        }
        Ok(())
    }

    /// Feeds an input and carries out what follows from it.
    fn input(&mut self, input: GroupInput) -> Result<(), TestCaseError> {
        if input == GroupInput::Start && !self.run.is_wanted() {
            self.real.values_mut().for_each(|real| real.begun = !real.seen.phase.is_at_rest());
        }
        if let GroupInput::Stop { .. } = input {
            self.real.values_mut().for_each(|real| real.foreign = false);
        }
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.run.apply(&self.group, input, self.now) {
                match action {
                    GroupAction::Start(member) => {
                        self.start(&member)?;
                        inputs.push_back(GroupInput::Seen(member.clone(), self.real[&member].seen.clone()));
                    }
                    GroupAction::Stop { member, .. } => {
                        self.stop(&member)?;
                        inputs.push_back(GroupInput::Seen(member.clone(), self.real[&member].seen.clone()));
                    }
                    GroupAction::WakeAt(at) => self.wake = at,
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, name: &ProcessName) -> Result<(), TestCaseError> {
        prop_assert!(self.run.is_wanted(), "{} is started while the group is to end", name);
        let member = self.group.member(name.as_str()).unwrap();
        for (on, condition) in &member.depends_on {
            prop_assert!(self.holds(on, *condition), "{} before {} is {:?}", name, on, condition);
        }
        let real = self.real.get_mut(name).unwrap();
        prop_assert!(real.seen.phase.is_at_rest(), "{} is started twice", name);
        real.seen.phase = match &mut real.schedule {
            Some(armed) => {
                *armed = true;
                Phase::Scheduled(Last::None)
            }
            None => Phase::Starting,
        };
        real.seen.generation += 1;
        real.begun = true;
        self.started.push(name.to_string());
        Ok(())
    }

    fn holds(&self, on: &ProcessName, condition: Condition) -> bool {
        let Real { seen, begun, .. } = &self.real[on];
        match (&seen.phase, condition) {
            (Phase::Completed, Condition::Healthy) => false,
            (Phase::Completed, _) | (Phase::Scheduled(Last::Completed), Condition::Completed) => *begun,
            (Phase::Up { .. }, Condition::Started) => true,
            (Phase::Up { .. }, Condition::Healthy) => seen.health == Health::Healthy,
            (Phase::Up { since, ready }, Condition::Ready) => match seen.health {
                Health::Unchecked => *ready || self.now >= since.plus_ms(QUIET_MS),
                other => other == Health::Healthy,
            },
            _ => false,
        }
    }

    fn stop(&mut self, name: &ProcessName) -> Result<(), TestCaseError> {
        prop_assert!(!self.run.is_wanted(), "{} is stopped while the group is to run", name);
        let at_rest = |n: &ProcessName| self.real[n].foreign || self.real[n].seen.phase.is_at_rest();
        match self.group.declared().stop_strategy {
            StopStrategy::Parallel => {}
            StopStrategy::Reverse => {
                for dependent in self.group.dependents(name) {
                    prop_assert!(at_rest(dependent), "{} before {}", name, dependent);
                }
            }
            StopStrategy::Sequential => {
                let others = self.real.iter().filter(|(other, r)| *other != name && !r.foreign);
                let ending = others.filter(|(_, r)| r.seen.phase == ENDING).count();
                prop_assert!(ending == 0, "{} while another one is being ended", name);
            }
        }
        let real = self.real.get_mut(name).unwrap();
        if !real.seen.phase.is_at_rest() {
            let between = matches!(real.seen.phase, Phase::Scheduled(_));
            real.schedule = real.schedule.map(|_| false);
            real.seen.phase = if between { Phase::Down } else { ENDING };
            real.seen.generation += 1;
        }
        self.stopped.push(name.to_string());
        Ok(())
    }

    /// Lets everybody do as told until nothing more happens.
    fn settle(&mut self, jobs: bool) -> Result<(), TestCaseError> {
        for _ in 0..4 * self.real.len() + 8 {
            let names: Vec<ProcessName> = self.real.keys().cloned().collect();
            for process in names {
                let is_waited_for = |m: &Member| m.depends_on.get(&process) == Some(&Condition::Completed);
                let is_job = jobs && self.group.members().iter().any(is_waited_for);
                let next = match self.real[&process].seen.phase {
                    Phase::Starting | Phase::Backoff(_) => Some(up(self.now)),
                    Phase::Ending { .. } => Some(Phase::Down),
                    Phase::Up { .. } if is_job => Some(Phase::Completed),
                    _ => None,
                };
                if let Some(next) = next {
                    self.set(process.as_str(), next)?;
                }
            }
            self.pass(QUIET_MS)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Happening {
    Start,
    Stop,
    Process(usize, u8),
    Health(usize, bool),
    Passes(u64),
    NewDaemon,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Start),
        1 => Just(Happening::Stop),
        12 => (0_usize..12, any::<u8>()).prop_map(|(at, what)| Happening::Process(at, what)),
        3 => (0_usize..12, any::<bool>()).prop_map(|(at, well)| Happening::Health(at, well)),
        4 => (1_u64..2_000).prop_map(Happening::Passes),
        1 => Just(Happening::NewDaemon),
    ]
}

/// Groups without a cycle: each member depends on some of those before it.
fn groups() -> impl Strategy<Value = Vec<Member>> {
    let edges = prop::collection::vec(prop::option::weighted(0.35, 0_usize..4), 12);
    let member = (edges, prop_oneof![3 => Just(0_u64), 1 => 1_u64..1_500]);
    prop::collection::vec(member, 1..12).prop_map(|rows| {
        let conditions = [STARTED, Condition::Ready, Condition::Healthy, Condition::Completed];
        rows.iter()
            .enumerate()
            .map(|(at, (edges, delay_ms))| Member {
                process: name(&format!("m{at}")),
                depends_on: (0..at)
                    .filter_map(|on| Some((name(&format!("m{on}")), conditions[edges[on]?])))
                    .collect(),
                delay_ms: *delay_ms,
            })
            .collect()
    })
}

impl World {
    fn play(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        match happening {
            Happening::Start => self.input(GroupInput::Start),
            Happening::Stop => self.input(GroupInput::Stop { strategy: None, grace_ms: None }),
            Happening::Passes(ms) => self.pass(ms),
            Happening::Health(at, well) => {
                let Some(process) = self.real.keys().nth(at).cloned() else { return Ok(()) };
                let real = self.real.get_mut(&process).unwrap();
                real.seen.health = if well { Health::Healthy } else { Health::Unhealthy };
                self.look(&process)
            }
            Happening::NewDaemon => {
                let stored = serde_json::to_string(&self.run).unwrap();
                self.run = serde_json::from_str(&stored).unwrap();
                self.look_at_all()?;
                self.input(GroupInput::Resume)
            }
            Happening::Process(at, what) => {
                let Some(process) = self.real.keys().nth(at).cloned() else { return Ok(()) };
                let failed = || Phase::Failed("exit code 1".into());
                let running = up(self.now);
                let next = match (&self.real[&process].seen.phase, what % 8) {
                    (Phase::Starting, 0) => failed(),
                    (Phase::Starting, _) => running,
                    (Phase::Up { .. }, 0 | 1) => Phase::Completed,
                    (Phase::Up { .. }, 2) => failed(),
                    (Phase::Up { .. }, 3) => ENDING,
                    (Phase::Up { .. }, 4) => Phase::Backoff("exit code 2".into()),
                    (Phase::Up { since, .. }, 5) => Phase::Up { since: *since, ready: true },
                    (Phase::Scheduled(_), 0..4) => Phase::Starting,
                    (Phase::Backoff(_), 0..4) => running,
                    (Phase::Backoff(_), _) => failed(),
                    (Phase::Ending { .. }, _) => Phase::Down,
                    // By hand.
                    (phase, 0) if phase.is_at_rest() => Phase::Starting,
                    _ => return Ok(()),
                };
                self.set(process.as_str(), next)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever happens in whatever order: never a member before its condition, never one twice (both checked at each
    /// action), and nobody waits for what cannot come.
    #[test]
    fn random_groups_keep_their_order_and_never_hang(
        members in groups(),
        happenings in prop::collection::vec(happening(), 0..60),
        strategy in 0..3,
        schedules in prop::collection::vec(prop::bool::weighted(0.2), 12),
    ) {
        let mut world = World::new(members);
        world.real.values_mut().zip(schedules).for_each(|(real, has)| real.schedule = has.then_some(false));
        let strategy = [StopStrategy::Reverse, StopStrategy::Parallel, StopStrategy::Sequential][strategy as usize];
        world.group.declared.stop_strategy = strategy;
        for happening in happenings {
            world.play(happening)?;
        }
        // Obedient processes lead to rest: all is up, done, or says truly who is in the way.
        world.input(GroupInput::Start)?;
        world.settle(true)?;
        let (standings, _, _) = world.summary();
        for (member, standing) in world.group.members().iter().zip(&standings) {
            let is_at_end = match standing {
                Standing::Up { .. } | Standing::Completed | Standing::Scheduled(_) => true,
                Standing::Blocked { by, .. } => {
                    // Nothing fails any more, so only conditions that the process cannot fulfil are left.
                    let seen = &world.real[by].seen;
                    seen.health == Health::Unchecked || seen.phase == Phase::Completed
                }
                Standing::Waiting { on, .. } => {
                    let mut on = on;
                    while let Some(Standing::Waiting { on: next, .. }) =
                        world.group.members().iter().position(|m| m.process == *on).map(|at| &standings[at])
                    {
                        on = next;
                    }
                    let seen = &world.real[on].seen;
                    seen.health == Health::Unhealthy || matches!(seen.phase, Phase::Scheduled(_))
                }
                _ => false,
            };
            prop_assert!(is_at_end, "{} hangs: {:?}", member.process, standing);
        }
        // And from anywhere a stop leads to rest.
        world.input(GroupInput::Stop { strategy: None, grace_ms: None })?;
        world.settle(false)?;
        for (name, real) in &world.real {
            prop_assert!(real.seen.phase.is_at_rest(), "{} is still {:?}", name, real.seen.phase);
        }
        prop_assert_eq!(world.summary().1, GroupStatus::Stopped);
    }

    /// Once all that failed is mended by hand, all that waited for it comes up by itself.
    #[test]
    fn recovery_starts_all_that_waited(members in groups(), failing in prop::collection::vec(any::<bool>(), 12)) {
        let plain = members.into_iter().map(|mut m| {
            m.depends_on.values_mut().for_each(|c| *c = STARTED);
            m
        });
        let mut world = World::new(plain.collect());
        world.input(GroupInput::Start)?;
        let names: Vec<ProcessName> = world.real.keys().cloned().collect();
        for (name, _) in names.iter().zip(&failing).filter(|(_, fails)| **fails) {
            if world.real[name].seen.phase == Phase::Starting {
                world.set(name.as_str(), Phase::Failed("exit code 1".into()))?;
            }
        }
        world.settle(false)?;
        for name in &names {
            if let Phase::Failed(_) = world.real[name].seen.phase {
                world.set(name.as_str(), Phase::Starting)?;
            }
        }
        world.settle(false)?;
        prop_assert_eq!(world.summary().1, GroupStatus::Running);
    }
}
