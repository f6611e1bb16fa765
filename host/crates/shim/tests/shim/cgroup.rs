//! Trees that are hard to end, in a control group of their own and, where that can be, without.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hostler_shim::cgroup::Cgroup;
use hostler_shim::control::{Command, Event, Scope, Status};
use hostler_shim::exit_record::Outcome;
use hostler_shim::launch::LaunchSpec;
use hostler_shim::pid_file::PidFile;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::common::{PATIENCE, Shim, eventually, is_alive, script, signal, state};

/// A group in which the groups of runs are made; removed at the end of a test, when nothing is left in it.
struct Groups {
    group: Cgroup,
    /// Where cgroup v2 is mounted for this test alone.
    _mounted: Option<Mounted>,
}

impl Groups {
    /// `None`, and a note, when this machine lets nobody make one here.
    fn new() -> Option<Self> {
        let own = own_group();
        let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        if let Some(group) = places.iter().find_map(|place| make_in(&Path::new(place).join(&own))) {
            return Some(Self { group, _mounted: None });
        }
        let mounted = Mounted::new();
        let group = mounted.as_ref().and_then(|mounted| make_in(&mounted.0.path().join(&own)));
        if group.is_none() {
            skipped("no cgroup v2 can be written or mounted here");
        }
        Some(Self { group: group?, _mounted: mounted })
    }

    fn for_run(&self) -> PathBuf {
        self.group.path().join("run")
    }

    fn launch(&self, change: impl FnOnce(&mut LaunchSpec)) -> (Shim, Status) {
        Shim::launch(|spec| {
            spec.cgroup = Some(self.for_run());
            change(spec);
        })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let left = self.group.pids();
        let _ = self.group.kill();
        let runs = self.for_run().exists();
        let removed = self.group.remove();
        if !std::thread::panicking() {
            assert!(left.is_empty(), "left in the group: {left:?}");
            assert!(!runs, "the group of the run is still there");
            removed.unwrap();
        }
    }
}

/// The group of this test, below the root of cgroup v2.
fn own_group() -> PathBuf {
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    cgroups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().into()
}

/// Makes a group in this one, if that is one of cgroup v2 and the kernel ends groups.
fn make_in(own: &Path) -> Option<Cgroup> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    own.join("cgroup.stat").exists().then_some(())?;
    let group = Cgroup::make(own.join(format!("hostler-test-{}-{number}", std::process::id()))).ok()?;
    if group.path().join("cgroup.kill").exists() {
        return Some(group);
    }
    let _ = group.remove();
    None
}

/// cgroup v2, mounted in a place of its own.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// `None` where mounting is not permitted.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        mount("none", dir.path(), "cgroup2", MountFlags::empty(), None).ok()?;
        Some(Self(dir))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

/// Past the test's captured output, so that it is seen.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED, for {why}");
}

/// Runs a test with and without a control group; `None` stands for without.
fn both_ways(test: impl Fn(Option<&Groups>)) {
    test(None);
    if let Some(groups) = Groups::new() {
        test(Some(&groups));
    }
}

fn launch(groups: Option<&Groups>, change: impl FnOnce(&mut LaunchSpec)) -> (Shim, Status) {
    match groups {
        Some(groups) => groups.launch(change),
        None => Shim::launch(change),
    }
}

/// Runs a script whose path is its `$0`.
fn run_file(spec: &mut LaunchSpec, text: &str) {
    let path = script(&spec.run_dir, text);
    spec.argv = vec!["sh".into(), path.into()];
}

/// The numbers that the process wrote into files of its directory.
fn noted(shim: &Shim, name: &str, count: usize) -> Vec<i32> {
    let read =
        |n: usize| std::fs::read_to_string(shim.dir().join(format!("{name}{n}"))).ok()?.trim().parse().ok();
    let mut found = Vec::new();
    eventually(name, || {
        found = (0..count).filter_map(read).collect();
        found.len() == count
    });
    found
}

/// A daemon as they are made: forked twice, in a session of its own, without its environment. It writes its number to
/// a file.
fn daemonize(number: usize, command: &str) -> String {
    format!("(setsid env -i /bin/sh -c 'echo $$ > d{number}; {command}' &); ")
}

#[test]
fn a_process_is_born_in_its_group_and_the_group_goes_with_it() {
    let Some(groups) = Groups::new() else { return };
    let (mut shim, status) =
        groups.launch(|spec| spec.argv[2] = "cat /proc/self/cgroup; read go; exit 3".into());
    let said = shim.said("/run\n");
    assert!(said.lines().any(|line| line.starts_with("0::") && line.ends_with("/run")), "{said}");
    eventually("it is alone", || Cgroup::at(groups.for_run()).pids() == [status.pid]);
    eventually("pid file", || PidFile::read(shim.dir()).is_some());
    assert_eq!(PidFile::read(shim.dir()).unwrap().cgroup, Some(groups.for_run()));
    shim.send(Command::Write(b"\n".to_vec()));
    assert_eq!(shim.closed().outcome, Outcome::Code(3));
    assert!(!groups.for_run().exists());
}

#[test]
fn daemons_that_hide_are_ended_and_counted() {
    both_ways(|groups| {
        for grace_ms in [0, 20_000] {
            let text: String = (0..5).map(|n| daemonize(n, "exec sleep 1000")).collect();
            let (mut shim, _) = launch(groups, |spec| spec.argv[2] = (text + "exec sleep 1000").into());
            let daemons = noted(&shim, "d", 5);
            shim.stop(grace_ms, Scope::Tree);
            assert_eq!(shim.closed().descendants_ended, 5);
            assert!(daemons.iter().all(|pid| !is_alive(*pid)));
        }
    });
}

#[test]
fn a_successor_finds_daemons_that_hide() {
    // By descent and mark it could not: their parents, their session and their environment are gone.
    let Some(groups) = Groups::new() else { return };
    for grace_ms in [0, 20_000] {
        let text: String = (0..5).map(|n| daemonize(n, "exec sleep 1000")).collect();
        let (mut shim, status) = groups.launch(|spec| spec.argv[2] = (text + "exec sleep 1000").into());
        let daemons = noted(&shim, "d", 5);
        eventually("pid file", || PidFile::read(shim.dir()).is_some());
        let successor = shim.succeed(&status);
        assert!(successor.adopted);
        assert_eq!(PidFile::read(shim.dir()).unwrap().cgroup, Some(groups.for_run()), "for the next one");
        shim.succeed(&successor);
        shim.stop(grace_ms, Scope::Tree);
        assert_eq!(shim.closed().descendants_ended, 5);
        assert!(daemons.iter().all(|pid| !is_alive(*pid)));
    }
}

#[test]
fn what_hides_and_outlives_the_main_process_is_waited_for_by_a_successor() {
    let Some(groups) = Groups::new() else { return };
    let daemon = daemonize(0, "trap \"\" TERM; while :; do sleep 1000; done");
    let (mut shim, status) = groups.launch(|spec| spec.argv[2] = (daemon + "read go; exit 4").into());
    let daemons = noted(&shim, "d", 1);
    eventually("pid file", || PidFile::read(shim.dir()).is_some());
    shim.succeed(&status);
    shim.send(Command::Write(b"\n".to_vec()));
    assert_eq!(shim.exited().outcome, Outcome::Code(4));
    assert!(is_alive(daemons[0]));
    shim.stop(0, Scope::Tree);
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(4));
    assert!(record.descendants_ended >= 1);
    assert!(!is_alive(daemons[0]));
}

#[test]
fn who_is_paused_or_deaf_is_ended() {
    both_ways(|groups| {
        for grace_ms in [0, 300] {
            let paused = daemonize(0, "kill -STOP $$");
            let deaf = daemonize(1, "trap \"\" TERM INT HUP; while :; do sleep 1000; done");
            let (mut shim, _) = launch(groups, |spec| {
                spec.argv[2] =
                    format!("{paused}{deaf}trap '' TERM; echo $$ > d2; while :; do sleep 1000; done").into();
            });
            // With the main process, which is deaf by then.
            let daemons = noted(&shim, "d", 3);
            eventually("paused", || state(daemons[0]) == Some('T'));
            shim.stop(grace_ms, Scope::Tree);
            let record = shim.closed();
            assert_eq!(record.outcome, Outcome::Signal { signal: libc::SIGKILL, core_dumped: false });
            assert!(record.descendants_ended >= 2, "{record:?}");
            assert!(daemons.iter().all(|pid| !is_alive(*pid)));
        }
    });
}

/// Sixty pairs, of which each half begins anew what was killed of the other, in sessions of their own.
const HYDRA: &str = "case \"$1\" in \
    '') i=0; while [ $i -lt 60 ]; do i=$((i+1)); (setsid sh \"$0\" head &); done; echo up; while :; do sleep 1000; done;; \
    head) trap '' TERM; while :; do setsid sh \"$0\" tail $$; done;; \
    tail) trap '' TERM; while kill -0 $2 2>/dev/null; do sleep 0.3; done; exec setsid sh \"$0\" head;; \
    esac";

#[test]
fn those_who_begin_each_other_anew_are_gone() {
    both_ways(|groups| {
        let (mut shim, _) = launch(groups, |spec| run_file(spec, HYDRA));
        eventually("many", || shim.processes().len() >= 120);
        // That it does come back.
        let victim = shim.processes().into_iter().find(|pid| *pid != shim.main_pid).unwrap();
        signal(victim, libc::SIGKILL);
        eventually("again", || shim.processes().len() >= 120);
        shim.stop(0, Scope::Tree);
        let record = shim.closed();
        assert!(record.descendants_ended >= 110, "{record:?}");
        assert_eq!(shim.processes(), []);
    });
}

#[test]
fn a_successor_ends_those_who_begin_each_other_anew() {
    let Some(groups) = Groups::new() else { return };
    let (mut shim, status) = groups.launch(|spec| run_file(spec, HYDRA));
    eventually("many", || shim.processes().len() >= 120);
    shim.succeed(&status);
    shim.stop(100, Scope::Tree);
    assert!(shim.closed().descendants_ended >= 110);
    assert_eq!(shim.processes(), []);
}

#[test]
fn groups_that_the_process_makes_are_ended_and_removed_too() {
    let Some(groups) = Groups::new() else { return };
    let run = groups.for_run();
    let inner = run.join("inner/most");
    let text = format!(
        "mkdir -p {0} && echo 0 > {0}/cgroup.procs && {1}exec sleep 1000",
        inner.display(),
        daemonize(0, "exec sleep 1000")
    );
    let (mut shim, status) = groups.launch(|spec| spec.argv[2] = text.into());
    let daemons = noted(&shim, "d", 1);
    assert_eq!(Cgroup::at(inner).pids().len(), 2);
    shim.succeed(&status);
    shim.stop(0, Scope::Tree);
    assert_eq!(shim.closed().descendants_ended, 1);
    assert!(!is_alive(daemons[0]) && !run.exists());
}

#[test]
fn who_left_the_group_is_found_by_descent() {
    let Some(groups) = Groups::new() else { return };
    let other = Cgroup::make(groups.group.path().join("other")).unwrap();
    let daemon = daemonize(
        0,
        &format!("echo 0 > {}/cgroup.procs; echo $$ > d1; exec sleep 1000", other.path().display()),
    );
    let (mut shim, _) = groups.launch(|spec| spec.argv[2] = (daemon + "exec sleep 1000").into());
    let daemons = noted(&shim, "d", 2);
    assert_eq!(other.pids(), [daemons[0]]);
    shim.stop(0, Scope::Tree);
    assert_eq!(shim.closed().descendants_ended, 1);
    assert!(!is_alive(daemons[0]));
    other.remove().unwrap();
}

#[test]
fn a_stranger_in_the_group_is_part_of_the_tree() {
    // As one that went into another pid namespace and was orphaned there: nobody of the tree is its ancestor.
    let Some(groups) = Groups::new() else { return };
    let (mut shim, _) = groups.launch(|spec| spec.argv[2] = "echo up; read go; exit 5".into());
    shim.said("up");
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    std::fs::write(groups.for_run().join("cgroup.procs"), stranger.id().to_string()).unwrap();
    shim.send(Command::Write(b"\n".to_vec()));
    let record = shim.closed();
    assert_eq!((record.outcome, record.descendants_ended), (Outcome::Code(5), 1));
    assert!(!stranger.wait().unwrap().success());
}

#[test]
fn a_process_whose_first_thread_ended_is_ended() {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return skipped("there is no python3");
    }
    both_ways(|groups| {
        let text = "import ctypes, os, threading, time\n\
                    threading.Thread(target=time.sleep, args=(1000,)).start()\n\
                    ctypes.CDLL(None).pthread_exit(None)";
        let (mut shim, status) = launch(groups, |spec| {
            spec.exec = python.into();
            spec.argv = vec!["python3".into(), "-c".into(), text.into()];
        });
        eventually("half ended", || state(status.pid) == Some('Z'));
        shim.stop(0, Scope::Tree);
        assert_eq!(shim.closed().outcome, Outcome::Signal { signal: libc::SIGKILL, core_dumped: false });
    });
}

#[test]
fn a_failed_launch_leaves_no_group() {
    let Some(groups) = Groups::new() else { return };
    let cases: [fn(&mut LaunchSpec); 2] =
        [|spec| spec.exec = "/no/such".into(), |spec| spec.cwd = "/no/such".into()];
    for change in cases {
        let mut shim = Shim::spare();
        let mut spec = shim.sh("exit 0");
        spec.cgroup = Some(groups.for_run());
        change(&mut spec);
        shim.send_launch(&spec);
        match shim.event() {
            Event::LaunchFailed(failure) => {
                assert_eq!((failure.errno, failure.path.to_str()), (libc::ENOENT, Some("/no/such")));
            }
            other => panic!("launched: {other:?}"),
        }
        assert!(shim.gone().success());
        assert!(!groups.for_run().exists());
    }
}

#[test]
fn where_no_group_can_be_made_it_runs_without() {
    for path in ["/no/such/place/hostler-run", "/proc/hostler-run"] {
        let (mut shim, _) = Shim::launch(|spec| {
            spec.cgroup = Some(path.into());
            spec.argv[2] = "(setsid sleep 1000 &); echo up; exit 2".into();
        });
        let record = shim.closed();
        assert_eq!((record.outcome, record.descendants_ended), (Outcome::Code(2), 1));
        assert_eq!(PidFile::read(shim.dir()).unwrap().cgroup, None);
    }
    // A directory, but not the kernel's: nobody can be born in it.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostler-run");
    let (mut shim, _) = Shim::launch(|spec| {
        spec.cgroup = Some(path.clone());
        spec.argv[2] = "exit 2".into();
    });
    assert_eq!(shim.closed().outcome, Outcome::Code(2));
    assert!(!path.exists());
}

#[test]
fn a_group_that_a_killed_shim_left_is_made_anew() {
    let Some(groups) = Groups::new() else { return };
    let old = Cgroup::make(groups.for_run()).unwrap();
    let mut left = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    std::fs::write(old.path().join("cgroup.procs"), left.id().to_string()).unwrap();
    let (mut shim, status) = groups.launch(|spec| spec.argv[2] = "exec sleep 1000".into());
    assert!(!left.wait().unwrap().success());
    assert_eq!(old.pids(), [status.pid]);
    shim.stop(0, Scope::Tree);
    shim.closed();
}

/// `cargo test --release -p hostler-shim -- --ignored --nocapture how_long`
#[test]
#[ignore = "a measurement"]
fn how_long_a_start_takes() {
    let Some(groups) = Groups::new() else { return };
    for round in 0..3 {
        for (way, cgroup) in [("without a group", None), ("in a group", Some(groups.for_run()))] {
            let mut starts: Vec<Duration> = (0..100).map(|_| measure(cgroup.clone())).collect();
            starts.sort();
            eprintln!("{round}: {way}: median {:?}, of ten one under {:?}", starts[50], starts[10]);
        }
    }
    assert!(groups.group.path().exists());
}

/// From the order to the answer that the program runs.
fn measure(cgroup: Option<PathBuf>) -> Duration {
    let mut shim = Shim::spare();
    let mut spec = shim.sh("exit 0");
    spec.cgroup = cgroup;
    // The shim has got ready meanwhile, as those of a pool have.
    crate::common::pass(Duration::from_millis(20));
    let begun = Instant::now();
    shim.send_launch(&spec);
    shim.launched();
    let took = begun.elapsed();
    assert!(took < PATIENCE);
    shim.closed();
    took
}
