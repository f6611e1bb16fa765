//! Health checks: what they learn from the daemon, and what they may do.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Guest, engine};
use hostler_plugin_host::{
    BoxFuture, BreakerPolicy, CallError, Command, CommandError, CommandOutput, Consents, Digest, Grants,
    Health, Instance, Plugin, PluginSettings, ProcessFacts, Spent, Surroundings, Trust,
};

/// A daemon that remembers what it was asked for.
#[derive(Default)]
struct Daemon {
    commands: Mutex<Vec<Command>>,
    /// Whether commands never end.
    stuck: bool,
    /// Number of its restarts.
    restarts: AtomicU32,
}

impl Surroundings for Daemon {
    fn facts(&self) -> BoxFuture<'_, ProcessFacts> {
        let restarts = self.restarts.load(Relaxed);
        Box::pin(async move {
            ProcessFacts { name: "web".into(), uptime_ms: 42, restarts, ..ProcessFacts::default() }
        })
    }

    fn run(&self, command: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        self.commands.lock().unwrap().push(command);
        let stuck = self.stuck;
        Box::pin(async move {
            if stuck {
                std::future::pending::<()>().await;
            }
            Ok(CommandOutput { code: Some(7), stdout: vec![b'x'; 100_000], stderr: Vec::new() })
        })
    }
}

const OK: u32 = 0;

/// A check that answers with this message.
fn answering(guest: &mut Guest, status: u32, message: &str) -> u32 {
    let (at, len) = guest.text(message);
    guest.words(&[OK, status, at, len, 0, 0])
}

/// A check that runs `pg_isready -q` for at most `timeout_ms`, and reports as its metric `seen` what it got: the exit
/// code, or 100 and the number of the error.
fn runner(timeout_ms: u32) -> Guest {
    let mut guest = Guest::checker();
    let report = answering(&mut guest, 0, "ran");
    let (exit, exit_len) = guest.text("seen");
    let (length, length_len) = guest.text("stdout_bytes");
    let metrics = guest.words(&[exit, exit_len, 0, 0, 0, 0, length, length_len, 0, 0, 0, 0]);
    let (program, program_len) = guest.text("pg_isready");
    let (argument, argument_len) = guest.text("-q");
    let arguments = guest.words(&[argument, argument_len]);
    let result = guest.words(&[0; 16]);
    guest.imports =
        "(import \"hostler:plugin/commands@1.0.0\" \"run\" (func $run (param i32 i32 i32 i32 i32 i32)))"
            .into();
    guest.main = format!(
        "(call $run (i32.const {program}) (i32.const {program_len}) (i32.const {arguments}) (i32.const 1)
            (i32.const {timeout_ms}) (i32.const {result}))
         (i32.store offset=16 (i32.const {report}) (i32.const {metrics}))
         (i32.store offset=20 (i32.const {report}) (i32.const 2))
         (f64.store offset=8 (i32.const {metrics}) (f64.convert_i32_s
            (if (result i32) (i32.load8_u (i32.const {result}))
                (then (i32.add (i32.const 100) (i32.load8_u offset=4 (i32.const {result}))))
                (else (i32.load offset=8 (i32.const {result}))))))
         (f64.store offset=32 (i32.const {metrics}) (f64.convert_i32_s (i32.load offset=16 (i32.const {result}))))
         (i32.const {report})"
    );
    guest
}

async fn check_with(guest: &Guest, commands: &[&str], daemon: &Arc<Daemon>) -> (Plugin, Instance) {
    let wasm = guest.build();
    let grants =
        Grants { commands: commands.iter().map(|name| (*name).to_owned()).collect(), ..Grants::default() };
    let consents = Consents::default().with(Digest::of(&wasm), grants);
    let settings = PluginSettings { consents, ..PluginSettings::default() };
    let plugin = Plugin::load(&engine(), "check", wasm, settings).await.unwrap();
    let instance = plugin.instance(Arc::clone(daemon) as Arc<dyn Surroundings>);
    (plugin, instance)
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_granted_command_runs_and_its_output_is_bounded() {
    let daemon = Arc::new(Daemon::default());
    let (_plugin, mut instance) = check_with(&runner(5_000), &["pg_isready"], &daemon).await;
    let report = instance.check(LONG).await.unwrap();
    assert_eq!(report.health, Health::Healthy);
    let seen: Vec<_> = report.metrics.iter().map(|metric| metric.value).collect();
    assert_eq!(seen, [7.0, 65_536.0]);
    let commands = daemon.commands.lock().unwrap();
    assert_eq!(
        (commands[0].program.as_str(), &commands[0].arguments[..]),
        ("pg_isready", &["-q".to_owned()][..])
    );
    assert_eq!(commands[0].timeout, Duration::from_secs(5));
}

#[tokio::test]
async fn a_command_without_a_grant_does_not_reach_the_daemon() {
    let daemon = Arc::new(Daemon::default());
    let (_plugin, mut instance) =
        check_with(&runner(5_000), &["pg_isready2", "/usr/bin/pg_isready"], &daemon).await;
    let report = instance.check(LONG).await.unwrap();
    assert_eq!(report.metrics[0].value, 100.0, "denied");
    assert!(daemon.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_grant_that_is_taken_back_is_gone_at_the_next_call_of_a_warm_instance() {
    let daemon = Arc::new(Daemon::default());
    let (plugin, mut instance) = check_with(&runner(5_000), &["pg_isready"], &daemon).await;
    assert_eq!(instance.check(LONG).await.unwrap().metrics[0].value, 7.0);
    assert!(instance.is_warm());
    let granted = plugin.status().granted;
    assert!(plugin.regrant(Grants::default()).await);
    assert!(!plugin.regrant(Grants::default()).await, "nothing more to take");
    assert_eq!(instance.check(LONG).await.unwrap().metrics[0].value, 100.0, "denied");
    assert_eq!(daemon.commands.lock().unwrap().len(), 1);
    let status = plugin.status();
    assert_eq!((status.revision, status.reload_error), (2, None));
    assert!(status.granted.is_empty());
    assert!(plugin.regrant(granted).await);
    assert_eq!(instance.check(LONG).await.unwrap().metrics[0].value, 7.0);
}

#[tokio::test]
async fn a_command_ends_at_its_timeout_and_a_check_at_its_own() {
    let daemon = Arc::new(Daemon { stuck: true, ..Daemon::default() });
    let (_plugin, mut instance) = check_with(&runner(10), &["pg_isready"], &daemon).await;
    let report = instance.check(LONG).await.unwrap();
    assert_eq!(report.metrics[0].value, 102.0, "timeout");
    // The check's own time is the shorter one: either the command is told so in time, or the check ends with it.
    let (plugin, mut instance) = check_with(&runner(60_000), &["pg_isready"], &daemon).await;
    let limit = Duration::from_millis(30);
    match instance.check(limit).await {
        Ok(report) => assert_eq!(report.metrics[0].value, 102.0),
        Err(error) => {
            assert_eq!(error, CallError::Timeout { after: limit, spent: Spent::Wall });
            assert_eq!(plugin.stats().timeouts, 1);
        }
    }
    assert!(
        daemon.commands.lock().unwrap().iter().all(|command| command.timeout <= Duration::from_millis(30))
    );
}

#[tokio::test]
async fn facts_are_those_of_the_process() {
    let mut guest = Guest::checker();
    let report = answering(&mut guest, 1, "up");
    let facts = guest.words(&[0; 48]);
    guest.imports =
        "(import \"hostler:plugin/process@1.0.0\" \"get-facts\" (func $facts (param i32)))".into();
    // The message becomes the name of the process.
    guest.main = format!(
        "(call $facts (i32.const {facts}))
         (i32.store offset=8 (i32.const {report}) (i32.load (i32.const {facts})))
         (i32.store offset=12 (i32.const {report}) (i32.load offset=4 (i32.const {facts})))
         (i32.const {report})"
    );
    let (_plugin, mut instance) = check_with(&guest, &[], &Arc::default()).await;
    let report = instance.check(LONG).await.unwrap();
    assert_eq!((report.health, report.message.as_str()), (Health::Degraded, "web"));
}

#[tokio::test]
async fn what_a_plugin_logs_is_kept_under_its_name() {
    let mut guest = Guest::checker();
    let report = answering(&mut guest, 2, "down");
    let (text, len) = guest.text("looked\nand saw");
    guest.imports =
        "(import \"hostler:plugin/log@1.0.0\" \"write\" (func $write (param i32 i32 i32)))".into();
    guest.main = format!(
        "(local $i i32) (loop $again
            (call $write (i32.const 13) (i32.const {text}) (i32.const {len}))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 1000))))
         (i32.const {report})"
    );
    let (plugin, mut instance) = check_with(&guest, &[], &Arc::default()).await;
    assert_eq!(instance.check(LONG).await.unwrap().health, Health::Unhealthy);
    let log = plugin.recent_log();
    assert_eq!((log.entries[0].severity, log.entries[0].message.as_str()), (13, "looked and saw"));
    assert_eq!(log.entries.len(), 100);
    assert!(log.suppressed > 0);
}

#[tokio::test]
async fn a_message_larger_than_what_may_cross_ends_the_call() {
    let mut guest = Guest::checker();
    guest.imports =
        "(import \"hostler:plugin/log@1.0.0\" \"write\" (func $write (param i32 i32 i32)))".into();
    guest.main =
        "(call $write (i32.const 9) (call $alloc (i32.const 20000000)) (i32.const 20000000)) unreachable"
            .into();
    let (_plugin, mut instance) = check_with(&guest, &[], &Arc::default()).await;
    let error = instance.check(LONG).await.unwrap_err();
    assert!(matches!(error, CallError::InvalidAnswer(_)), "{error}");
}

#[tokio::test]
async fn errors_are_categorized_one_by_one() {
    let mut guest = Guest::new("error-categorizer");
    let answer = guest.words(&[0; 6]);
    // As many `none` as there are texts: a list of variants whose first byte is 0.
    guest.main = format!(
        "(i32.store offset=4 (i32.const {answer}) (call $alloc (i32.mul (local.get 3) (i32.const 64))))
         (i32.store offset=8 (i32.const {answer}) (local.get 3))
         (i32.const {answer})"
    );
    let plugin = common::load(&guest).await;
    let mut instance = plugin.instance(Arc::new(Daemon::default()));
    let errors = [b"Error: a".as_slice(), b"panicked at b"].into_iter().collect();
    assert_eq!(instance.categorize(&errors).await.unwrap(), [None, None]);
    assert_eq!(plugin.stats().items, 2);
}

#[tokio::test]
async fn a_plugin_that_works_again_leaves_its_quarantine() {
    let mut guest = Guest::checker();
    let report = answering(&mut guest, 0, "up");
    let facts = guest.words(&[0; 48]);
    guest.imports =
        "(import \"hostler:plugin/process@1.0.0\" \"get-facts\" (func $facts (param i32)))".into();
    // Traps as long as the process was restarted.
    guest.main = format!(
        "(call $facts (i32.const {facts}))
         (if (i32.load offset=24 (i32.const {facts})) (then unreachable))
         (i32.const {report})"
    );
    let quarantine = BreakerPolicy { backoff_initial_ms: 1, backoff_max_ms: 1, ..BreakerPolicy::default() };
    let settings = PluginSettings { quarantine, ..PluginSettings::default() };
    let plugin = Plugin::load(&engine(), "check", guest.build(), settings).await.unwrap();
    let daemon = Arc::new(Daemon::default());
    let mut instance = plugin.instance(Arc::clone(&daemon) as Arc<dyn Surroundings>);
    assert!(instance.check(LONG).await.is_ok());
    daemon.restarts.store(1, Relaxed);
    while !matches!(instance.check(LONG).await, Err(CallError::Quarantined { .. })) {}
    daemon.restarts.store(0, Relaxed);
    while instance.check(LONG).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(plugin.status().trust, Trust::Trusted { recent_faults: 0 });
    assert!(plugin.stats().traps >= 3);
}
