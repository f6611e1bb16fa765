//! After a start of the daemon: what became of the runs that its predecessor left.
//!
//! Looking ([`look`]) is apart from deciding ([`plan`]), so that every case of the latter is a plain test.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use hostler_model::lifecycle::{Desired, State};
use hostler_model::spec::Lifetime;
use hostler_model::{Exit, Lifecycle, Outcome, Signal, Timestamp};
use hostler_shim::LOCK_FILE;
use hostler_shim::exit_record::{self, ExitRecord};

use crate::orphan::{self, Main};
use crate::run_lock;
use crate::shim_client::ShimClient;

/// What was found of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its shim lives.
    Shim,
    /// Its shim is gone and left the record of its end.
    Record(ExitRecord),
    /// Its shim was killed: the program was executed, and nobody knows what became of its tree.
    Orphan,
    /// Nothing: the program was never executed.
    Nothing,
}

/// What was found, and by what to go on.
pub(crate) enum Look {
    Shim(ShimClient),
    Record(ExitRecord),
    Orphan(Main, OwnedFd),
    Nothing,
}

impl Look {
    pub(crate) fn found(&self) -> Found {
        match self {
            Self::Shim(_) => Found::Shim,
            Self::Record(record) => Found::Record(*record),
            Self::Orphan(..) => Found::Orphan,
            Self::Nothing => Found::Nothing,
        }
    }
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing was running.
    None,
    /// Attach to its shim and go on.
    Attach,
    /// Let another shim take over what the killed one left.
    Adopt,
    /// It ended meanwhile, in this way.
    Ended {
        /// How.
        exit: Exit,
        /// Descendants that were ended with it.
        descendants_ended: u32,
        /// What to say of it.
        note: Option<String>,
        /// Start it again whatever its restart policy says: the machine was restarted, not the process ended.
        start_again: bool,
    },
    /// The daemon died between deciding to start it and doing so: start it now.
    LaunchAgain,
}

/// Decides what to do about a process whose lifecycle was read from the records. `this_boot` tells whether its
/// run began since the machine's last start.
#[must_use]
pub fn plan(
    lifecycle: &Lifecycle,
    lifetime: Lifetime,
    found: Found,
    this_boot: bool,
    now: Timestamp,
) -> Takeover {
    match (&lifecycle.state, found) {
        (state, _) if state.live_run().is_none() => Takeover::None,
        (_, Found::Shim) => Takeover::Attach,
        (_, Found::Record(record)) => Takeover::Ended {
            exit: exit_of(&record),
            descendants_ended: record.descendants_ended,
            note: None,
            start_again: false,
        },
        (_, Found::Orphan | Found::Nothing) if !this_boot => Takeover::Ended {
            exit: Exit::unknown(now),
            descendants_ended: 0,
            note: Some("the machine was restarted".to_owned()),
            // A session or a lease does not outlive the machine; what was stopped on purpose stays so.
            start_again: lifetime == Lifetime::Persistent && lifecycle.desired == Desired::Running,
        },
        (_, Found::Orphan) => Takeover::Adopt,
        (State::Starting { .. } | State::Stopping { pid: None, .. }, Found::Nothing) => Takeover::LaunchAgain,
        (_, Found::Nothing) => Takeover::Ended {
            exit: Exit::unknown(now),
            descendants_ended: 0,
            note: Some("lost: neither its shim nor its run directory is there any more".to_owned()),
            start_again: false,
        },
    }
}

/// How often a shim is looked for that holds the lock of its run and cannot be reached yet: at first, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// How long a shim of the first version may take, which does not say that it is there.
const UNSEEN: Duration = Duration::from_millis(200);

/// Looks what is left of a run. `starting` tells whether a shim may have been asked for it and not be known yet. Waits
/// for one that holds the lock of the run, however long it takes until it can be reached: who thought that it is not
/// there would start the process twice.
pub(crate) async fn look(run_dir: &Path, starting: bool, this_boot: bool) -> Look {
    let begun = tokio::time::Instant::now();
    let mut pause = LOOK.0;
    loop {
        if let Ok(shim) = ShimClient::attach(run_dir) {
            return Look::Shim(shim);
        }
        match exit_record::read(run_dir) {
            Ok(Some(record)) if record.closed || !this_boot => return Look::Record(record),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, dir = %run_dir.display(), "unreadable exit record"),
        }
        if !this_boot || !run_dir.exists() {
            return Look::Nothing;
        }
        let patience = if starting && !run_dir.join(LOCK_FILE).exists() { UNSEEN } else { Duration::ZERO };
        if begun.elapsed() >= patience
            && let Ok(Some(lock)) = run_lock::take(run_dir)
        {
            let main = orphan::main_process(run_dir);
            return main.map_or(Look::Nothing, |main| Look::Orphan(main, lock));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}

/// The record of a shim as the model's exit.
#[must_use]
pub fn exit_of(record: &ExitRecord) -> Exit {
    let outcome = match record.outcome {
        exit_record::Outcome::Code(code) => Outcome::Code(code),
        exit_record::Outcome::Unknown => Outcome::Unknown,
        exit_record::Outcome::Signal { signal, core_dumped } => Signal::from_number(signal)
            .map_or(Outcome::Unknown, |signal| Outcome::Signal { signal, core_dumped }),
    };
    Exit {
        outcome,
        at: Timestamp(record.at_unix_nanos),
        user_us: record.user_us,
        system_us: record.system_us,
        max_rss_bytes: record.max_rss_bytes,
        cause: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_model::lifecycle::{Ending, Then};
    use hostler_model::spec::StopSpec;
    use hostler_model::{Pid, RunNo};

    const NOW: Timestamp = Timestamp(5);

    fn with(state: State) -> Lifecycle {
        Lifecycle { state, last_run: RunNo(3), ..Lifecycle::default() }
    }

    #[test]
    fn every_state_has_its_takeover() {
        let run = RunNo(3);
        let starting = with(State::Starting { run, since: NOW });
        let running = with(State::Running { run, pid: Pid(7), since: NOW, ready: None });
        let stopping = with(State::Stopping {
            run,
            pid: Some(Pid(7)),
            since: NOW,
            deadline: NOW,
            how: Ending::Stop(StopSpec::default()),
            then: Then::Rest,
            exit: None,
        });
        let record = ExitRecord {
            outcome: exit_record::Outcome::Code(3),
            at_unix_nanos: 4,
            user_us: 0,
            system_us: 0,
            max_rss_bytes: 0,
            descendants_ended: 2,
            descendants_killed: 0,
            oom_kills: 0,
            closed: true,
        };
        let rest = with(State::Stopped { last: None });
        let plan = |life: &Lifecycle, found| plan(life, Lifetime::Persistent, found, true, NOW);
        assert_eq!(plan(&rest, Found::Record(record)), Takeover::None);
        for life in [&starting, &running, &stopping] {
            assert_eq!(plan(life, Found::Shim), Takeover::Attach);
            let ended = Takeover::Ended {
                exit: exit_of(&record),
                descendants_ended: 2,
                note: None,
                start_again: false,
            };
            assert_eq!(plan(life, Found::Record(record)), ended);
            assert_eq!(plan(life, Found::Orphan), Takeover::Adopt);
        }
        assert_eq!(plan(&starting, Found::Nothing), Takeover::LaunchAgain);
        for life in [&running, &stopping] {
            assert!(matches!(plan(life, Found::Nothing), Takeover::Ended { exit, start_again: false, .. }
                if exit.outcome == Outcome::Unknown));
        }
    }

    /// The whole plan at a look: each state with each finding, in this boot and in a later one.
    #[test]
    fn the_plan_as_a_table() {
        let run = RunNo(3);
        let states = [
            ("stopped", State::Stopped { last: None }),
            ("starting", State::Starting { run, since: NOW }),
            ("running", State::Running { run, pid: Pid(7), since: NOW, ready: None }),
        ];
        let record = ExitRecord {
            outcome: exit_record::Outcome::Code(3),
            at_unix_nanos: 4,
            user_us: 0,
            system_us: 0,
            max_rss_bytes: 0,
            descendants_ended: 0,
            descendants_killed: 0,
            oom_kills: 0,
            closed: true,
        };
        let findings = [
            ("shim", Found::Shim),
            ("record", Found::Record(record)),
            ("orphan", Found::Orphan),
            ("nothing", Found::Nothing),
        ];
        let mut table = String::new();
        for (state_name, state) in &states {
            for (found_name, found) in findings {
                let life = Lifecycle { desired: Desired::Running, ..with(state.clone()) };
                let [now, later] =
                    [true, false].map(|boot| in_words(&plan(&life, Lifetime::Persistent, found, boot, NOW)));
                table.push_str(&format!("{state_name:8} {found_name:7} | {now:28} | {later}\n"));
            }
        }
        assert_eq!(
            table,
            "\
stopped  shim    | nothing                      | nothing
stopped  record  | nothing                      | nothing
stopped  orphan  | nothing                      | nothing
stopped  nothing | nothing                      | nothing
starting shim    | attach                       | attach
starting record  | over: exit code 3            | over: exit code 3
starting orphan  | adopt                        | over: exit unknown, again
starting nothing | launch                       | over: exit unknown, again
running  shim    | attach                       | attach
running  record  | over: exit code 3            | over: exit code 3
running  orphan  | adopt                        | over: exit unknown, again
running  nothing | over: exit unknown           | over: exit unknown, again
"
        );
    }

    fn in_words(takeover: &Takeover) -> String {
        match takeover {
            Takeover::None => "nothing".to_owned(),
            Takeover::Attach => "attach".to_owned(),
            Takeover::Adopt => "adopt".to_owned(),
            Takeover::LaunchAgain => "launch".to_owned(),
            Takeover::Ended { exit, start_again, .. } => {
                let how = match exit.outcome {
                    Outcome::Unknown => "exit unknown".to_owned(),
                    _ => exit.to_string(),
                };
                format!("over: {how}{}", if *start_again { ", again" } else { "" })
            }
        }
    }

    #[test]
    fn after_a_restart_of_the_machine_what_should_run_is_started_again() {
        let state = State::Running { run: RunNo(3), pid: Pid(7), since: NOW, ready: None };
        let starts = |desired, lifetime| {
            let life = Lifecycle { desired, ..with(state.clone()) };
            let plans = [Found::Nothing, Found::Orphan].map(|found| plan(&life, lifetime, found, false, NOW));
            assert_eq!(plans[0], plans[1]);
            matches!(plans[0], Takeover::Ended { start_again: true, .. })
        };
        assert!(starts(Desired::Running, Lifetime::Persistent));
        assert!(!starts(Desired::Stopped, Lifetime::Persistent));
        assert!(!starts(Desired::Running, Lifetime::Session));
        assert!(!starts(Desired::Running, Lifetime::Lease { ttl_ms: 1 }));
    }
}
