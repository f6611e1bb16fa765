//! Calls of plugins that keep the contract, and of plugins that break it in every way that was thought of.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Guest, instance, load_with};
use hostler_plugin_host::{
    BreakerPolicy, CallError, Engine, EngineOptions, Instance, Limits, Nowhere, Plugin, PluginSettings,
    Spent, TextBatch, Trust,
};

fn lines(count: usize) -> TextBatch {
    (0..count).map(|_| b"0123456789".as_slice()).collect()
}

fn limits(change: impl FnOnce(&mut Limits)) -> PluginSettings {
    let mut limits = Limits { cpu: Duration::from_millis(50), ..Limits::default() };
    change(&mut limits);
    PluginSettings { limits, ..PluginSettings::default() }
}

async fn with_limits(guest: &Guest, change: impl FnOnce(&mut Limits)) -> (Plugin, Instance) {
    let plugin = load_with(guest, limits(change)).await;
    let instance = plugin.instance(Arc::new(Nowhere));
    (plugin, instance)
}

async fn failure(guest: &Guest) -> CallError {
    let (_plugin, mut instance) = with_limits(guest, |_| {}).await;
    instance.parse(&lines(4), false).await.unwrap_err()
}

#[tokio::test]
async fn lines_go_in_and_rows_come_out() {
    let (plugin, mut instance) = instance(&Guest::echo()).await;
    let batch: TextBatch = [b"first".as_slice(), b"", b"\xff\xfe third"].into_iter().collect();
    for _ in 0..3 {
        let parsed = instance.parse(&batch, false).await.unwrap();
        let texts: Vec<_> = parsed.rows.iter().map(|row| batch.slice(row.message.clone()).unwrap()).collect();
        assert_eq!(texts, [b"first".as_slice(), b"", b"\xff\xfe third"]);
        assert_eq!(parsed.rows[2].lines, 2..3);
    }
    let stats = plugin.stats();
    assert_eq!((stats.calls, stats.items, stats.starts, stats.traps), (3, 9, 1, 0));
    assert!(stats.busy > Duration::ZERO && stats.memory_peak >= 65_536);
    assert!(instance.is_warm());
    instance.rest();
    assert!(!instance.is_warm());
    assert_eq!(instance.parse(&TextBatch::new(), true).await.unwrap().rows, []);
}

#[tokio::test]
async fn an_endless_loop_is_interrupted_and_lets_others_run() {
    let mut guest = Guest::parser();
    guest.main = "(loop $forever (br $forever)) unreachable".into();
    let (plugin, mut instance) = with_limits(&guest, |_| {}).await;
    // On this runtime of one thread, the other task runs only if the guest yields.
    let other = tokio::spawn(async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Instant::now()
    });
    let error = instance.parse(&lines(1), false).await.unwrap_err();
    let ended = Instant::now();
    assert!(matches!(error, CallError::Timeout { spent: Spent::Cpu, .. }), "{error}");
    assert!(other.await.unwrap() < ended);
    assert_eq!(plugin.stats().timeouts, 1);
    assert!(!instance.is_warm());
}

#[tokio::test]
async fn the_time_of_a_call_ends_it_before_its_computing_time_does() {
    let mut guest = Guest::parser();
    guest.main = "(loop $forever (br $forever)) unreachable".into();
    let (_plugin, mut instance) = with_limits(&guest, |limits| {
        limits.cpu = Duration::from_secs(600);
        limits.call = Duration::from_millis(30);
    })
    .await;
    let error = instance.parse(&lines(1), false).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { spent: Spent::Wall, .. }), "{error}");
}

#[tokio::test]
async fn after_a_trap_the_next_call_has_a_new_instance() {
    let mut guest = Guest::echo();
    let counting = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (i32.eq (global.get $count) (i32.const 2)) (then unreachable))";
    guest.main = guest.main.replacen("(local.set $rows", &format!("{counting} (local.set $rows"), 1);
    let (plugin, mut instance) = instance(&guest).await;
    assert!(instance.parse(&lines(1), false).await.is_ok());
    let error = instance.parse(&lines(1), false).await.unwrap_err();
    assert!(matches!(&error, CallError::Trap(why) if why.contains("unreachable")), "{error}");
    assert!(instance.parse(&lines(1), false).await.is_ok());
    let stats = plugin.stats();
    assert_eq!((stats.traps, stats.starts), (1, 2));
    assert_eq!(plugin.status().last_fault, Some(error.to_string()));
}

#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let mut guest = Guest::parser();
    guest.items =
        "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))".into();
    guest.main = "(call $deeper (i32.const 0))".into();
    let error = failure(&guest).await;
    assert!(matches!(&error, CallError::Trap(why) if why.contains("stack")), "{error}");
}

#[tokio::test]
async fn memory_beyond_the_limit_is_named() {
    let mut guest = Guest::parser();
    guest.main =
        "(loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable".into();
    let (plugin, mut instance) = with_limits(&guest, |limits| limits.memory_bytes = 8 * 1024 * 1024).await;
    let error = instance.parse(&lines(1), false).await.unwrap_err();
    assert!(
        matches!(error, CallError::OverLimit { limit: 8_388_608, unit: "bytes of memory", .. }),
        "{error}"
    );
    let peak = plugin.stats().memory_peak;
    assert!(peak > 7_000_000 && peak <= 8_388_608, "{peak}");
}

#[tokio::test]
async fn tables_beyond_the_limit_are_named() {
    let mut guest = Guest::parser();
    guest.main = "(drop (table.grow $table (ref.null func) (i32.const 1000000))) unreachable".into();
    let error = failure(&guest).await;
    assert!(matches!(error, CallError::OverLimit { unit: "table elements", .. }), "{error}");
}

#[tokio::test]
async fn an_access_out_of_memory_is_a_trap() {
    let mut guest = Guest::parser();
    guest.main = "(i32.load (i32.const -4))".into();
    let error = failure(&guest).await;
    assert!(matches!(&error, CallError::Trap(why) if why.contains("out of bounds")), "{error}");
}

#[tokio::test]
async fn a_million_rows_are_an_invalid_answer() {
    let mut guest = Guest::parser();
    let answer = guest.words(&[0; 9]);
    guest.main = format!(
        "(i32.store offset=4 (i32.const {answer}) (call $alloc (i32.const 40000000)))
         (i32.store offset=8 (i32.const {answer}) (i32.const 1000000)) (i32.const {answer})"
    );
    let error = failure(&guest).await;
    assert!(matches!(error, CallError::InvalidAnswer(_)), "{error}");
}

#[tokio::test]
async fn a_list_that_lies_outside_of_memory_is_an_invalid_answer() {
    let mut guest = Guest::parser();
    let answer = guest.words(&[0, 0xffff_fff8, 100_000, 0, 0, 0, 0, 0, 0]);
    guest.main = format!("(i32.const {answer})");
    let error = failure(&guest).await;
    assert!(error.is_fault(), "{error}");
}

#[tokio::test]
async fn rows_and_spans_that_break_the_contract_are_invalid_answers() {
    for (rows, why) in [
        (&[(0, 0, 0, 1_000)][..], "40 bytes"),
        (&[(0, 0, 9, 2)], "9..2"),
        (&[(0, 2, 0, 1), (1, 3, 0, 1)], "earlier row"),
        (&[(3, 3, 0, 1), (0, 0, 0, 1)], "earlier row"),
        (&[(0, 7, 0, 1)], "only 0 to 3"),
        (&[(2, 1, 0, 1)], "lines 2 to 1"),
    ] {
        let mut guest = Guest::parser();
        guest.answer_rows(rows);
        let error = failure(&guest).await;
        assert!(matches!(&error, CallError::InvalidAnswer(text) if text.contains(why)), "{error}");
    }
}

#[tokio::test]
async fn messages_that_overlap_are_taken_as_they_are() {
    // A message may be a piece of another one: they are places in the lines, which stay as they are.
    let mut guest = Guest::parser();
    guest.answer_rows(&[(0, 0, 0, 15), (1, 1, 5, 20), (3, 3, 0, 40)]);
    let (_plugin, mut instance) = instance(&guest).await;
    let parsed = instance.parse(&lines(4), false).await.unwrap();
    let messages: Vec<_> = parsed.rows.into_iter().map(|row| row.message).collect();
    assert_eq!(messages, [0..15, 5..20, 0..40]);
}

#[tokio::test]
async fn a_key_that_is_not_utf_8_is_an_invalid_answer() {
    let mut guest = Guest::parser();
    let (at, len) = guest.bytes(b"\xff\xfe");
    let key = guest.words(&[at, len]);
    let answer = guest.words(&[0, 0, 0, key, 1, 0, 0, 0, 0]);
    guest.main = format!("(i32.const {answer})");
    let error = failure(&guest).await;
    assert!(matches!(&error, CallError::InvalidAnswer(why) if why.contains("utf-8")), "{error}");
}

#[tokio::test]
async fn a_plugin_that_says_it_is_unavailable_keeps_its_instance() {
    let mut guest = Guest::parser();
    guest.main = guest.error(1, "the moon is\nwrong");
    let (plugin, mut instance) = instance(&guest).await;
    for _ in 0..10 {
        let error = instance.parse(&lines(1), false).await.unwrap_err();
        assert_eq!(error, CallError::Unavailable("the moon is wrong".into()));
    }
    let stats = plugin.stats();
    assert_eq!((stats.refusals, stats.starts), (10, 1));
    assert_eq!(plugin.status().trust, Trust::Trusted { recent_faults: 0 });
}

#[tokio::test]
async fn a_cancelled_call_takes_its_store_along() {
    let mut guest = Guest::parser();
    guest.main = "(loop $forever (br $forever)) unreachable".into();
    let (plugin, mut instance) = with_limits(&guest, |limits| limits.cpu = Duration::from_secs(600)).await;
    let batch = lines(1);
    let cancelled = tokio::time::timeout(Duration::from_millis(20), instance.parse(&batch, false)).await;
    assert!(cancelled.is_err());
    assert!(!instance.is_warm());
    assert_eq!(plugin.status().trust, Trust::Trusted { recent_faults: 0 });
    assert_eq!(plugin.stats().calls, 1);
}

#[tokio::test]
async fn an_instance_is_renewed_after_its_last_call_and_above_its_memory() {
    let (plugin, mut instance) = with_limits(&Guest::echo(), |limits| limits.max_calls = 3).await;
    for _ in 0..6 {
        instance.parse(&lines(1), false).await.unwrap();
    }
    // `configure` counts as a call.
    assert_eq!(plugin.stats().starts, 3);
    let (plugin, mut instance) = with_limits(&Guest::echo(), |limits| limits.recycle_above_bytes = 1).await;
    for _ in 0..2 {
        instance.parse(&lines(1), false).await.unwrap();
    }
    assert_eq!(plugin.stats().starts, 2);
}

#[tokio::test]
async fn faults_lead_to_quarantine_a_trial_and_pardon() {
    let mut guest = Guest::parser();
    guest.main = "unreachable".into();
    let quarantine = BreakerPolicy {
        max_faults: 2,
        backoff_initial_ms: 3_600_000,
        backoff_max_ms: 3_600_000,
        ..BreakerPolicy::default()
    };
    let plugin = load_with(&guest, PluginSettings { quarantine, ..PluginSettings::default() }).await;
    let mut one = plugin.instance(Arc::new(Nowhere));
    let mut other = plugin.instance(Arc::new(Nowhere));
    assert!(matches!(one.parse(&lines(1), false).await, Err(CallError::Trap(_))));
    assert!(matches!(other.parse(&lines(1), false).await, Err(CallError::Trap(_))));
    let refused = one.parse(&lines(1), false).await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Quarantined { reason, .. } if reason.contains("unreachable")),
        "{refused}"
    );
    assert!(matches!(plugin.status().trust, Trust::Quarantined { .. }));
    assert_eq!((plugin.stats().traps, plugin.stats().quarantined), (2, 1));
    plugin.pardon();
    assert!(matches!(other.parse(&lines(1), false).await, Err(CallError::Trap(_))));
}

#[tokio::test]
async fn a_plugin_of_another_kind_says_so() {
    let (plugin, mut instance) = instance(&Guest::echo()).await;
    let error = instance.check(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "is a log-parser and does not do that");
    assert_eq!(plugin.stats().calls, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_instances_than_places_take_turns() {
    let plugin = common::load(&Guest::echo()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let mut instance = plugin.instance(Arc::new(Nowhere));
        tasks.spawn(async move {
            let batch = lines(10);
            for _ in 0..20 {
                instance.parse(&batch, false).await.unwrap();
                tokio::task::yield_now().await;
            }
            instance
        });
    }
    let instances = tasks.join_all().await;
    assert_eq!(plugin.stats().items, 40 * 20 * 10);
    assert!(instances.iter().filter(|instance| instance.is_warm()).count() <= 8);
}

#[tokio::test]
async fn without_address_space_for_a_pool_instances_are_made_one_by_one() {
    // Each instance can have its 4 TiB of addresses, all of them together cannot.
    let options = EngineOptions { warm_instances: 64, memory_bytes: 1 << 42, ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    assert!(!engine.is_pooled());
    assert!(common::engine().is_pooled());
    let plugin = Plugin::load(&engine, "p", Guest::echo().build(), PluginSettings::default()).await.unwrap();
    let mut instance = plugin.instance(Arc::new(Nowhere));
    assert_eq!(instance.parse(&lines(4), false).await.unwrap().rows.len(), 4);
}

#[tokio::test]
async fn an_allocator_that_lies_is_a_fault_of_the_plugin() {
    for place in ["(i32.const -8)", "(i32.const 3)", "(i32.const 100000000)", "unreachable"] {
        let mut guest = Guest::echo();
        // `configure` gets an empty configuration: 2 bytes anywhere do.
        guest.realloc = format!(
            "(if (result i32) (i32.lt_u (local.get 3) (i32.const 4)) (then (i32.const 512)) (else {place}))"
        );
        let (plugin, mut instance) = with_limits(&guest, |_| {}).await;
        let error = instance.parse(&lines(4), false).await.unwrap_err();
        assert!(error.is_fault(), "{place}: {error}");
        assert_eq!(plugin.stats().starts, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_in_a_reload() {
    let plugin = common::load(&Guest::echo()).await;
    let mut tasks = tokio::task::JoinSet::new();
    let (done, stop) = tokio::sync::watch::channel(false);
    for _ in 0..4 {
        let (mut instance, stop) = (plugin.instance(Arc::new(Nowhere)), stop.clone());
        tasks.spawn(async move {
            while !*stop.borrow() {
                assert_eq!(instance.parse(&lines(50), false).await.unwrap().rows.len(), 50);
                tokio::task::yield_now().await;
            }
        });
    }
    for _ in 0..5 {
        plugin.reload(Guest::echo().build(), PluginSettings::default()).await.unwrap();
    }
    done.send(true).unwrap();
    tasks.join_all().await;
    assert_eq!(plugin.status().revision, 6);
}
