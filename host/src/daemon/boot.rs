//! Boot and shutdown: the order of everything, in one place.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_store::{Listing, ProcessRecord, RunRecord};
use hostler_supervisor::actor::{Beginning, LastRun};
use hostler_supervisor::{RunKey, ShimPool};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::annotate::Annotate;
use super::backlog::Backlog;
use super::config::ConfigFile;
use super::degraded::Degraded;
use super::errors::Errors;
use super::export::{self, Export};
use super::groups::Groups;
use super::home::Home;
use super::ingest::Ingest;
use super::instance::{Instance, NotAlone};
use super::journals::Journals;
use super::litter::Litter;
use super::monitor::{self, Monitor};
use super::plugins::Plugins;
use super::quota::Quota;
use super::registry::Registry;
use super::service::{Leases, Service, Sessions, watch_leases};
use super::upkeep::Upkeep;
use super::{logging, rescue, shim_program, socket};
use crate::mcp::http::HttpConfig;

/// How long connections may take to end at a shutdown.
const DRAIN: Duration = Duration::from_secs(2);

/// How long another daemon may take until it serves, or has ended.
const OTHER: Duration = Duration::from_secs(15);

/// What a daemon that starts in the background writes to its stdout once clients can connect. A failure is
/// written there as well, as its text.
pub(crate) const READY: &str = "ready";

/// Runs the daemon until it is told to end.
///
/// # Errors
/// Why it could not start, for whoever started it.
pub(crate) fn run(home: &Home, http_port: Option<u16>) -> Result<(), String> {
    home.create().map_err(|e| format!("cannot use {}: {e}", home.root().display()))?;
    let Some(_instance) = become_the_daemon(home)? else {
        report(READY);
        return Ok(());
    };
    logging::start(home).map_err(|e| format!("cannot write {}: {e}", home.log().display()))?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_stack_size(1 << 20)
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the runtime: {e}"))?;
    let outcome = runtime.block_on(main(home, http_port));
    runtime.shutdown_timeout(DRAIN);
    outcome
}

/// Becomes the daemon, or finds that another one serves, which is all that was wanted. Of several starts at
/// once all but one find the lock taken before its holder can be reached; and a holder may be about to end.
fn become_the_daemon(home: &Home) -> Result<Option<Instance>, String> {
    let deadline = Instant::now() + OTHER;
    loop {
        let other = match Instance::acquire(home) {
            Ok(instance) => return Ok(Some(instance)),
            Err(error @ NotAlone::Running(_)) => error,
            Err(error) => return Err(error.to_string()),
        };
        if socket::answers(home) {
            return Ok(None);
        }
        if Instant::now() > deadline {
            return Err(format!("{other}, but {} does not answer", home.socket().display()));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

async fn main(home: &Home, http_port: Option<u16>) -> Result<(), String> {
    let started = Instant::now();
    let shim = shim_program::unpack(home).map_err(|e| format!("cannot unpack the shim: {e}"))?;
    let (store, damage) = rescue::open(home).await?;
    let registry = Arc::new(Registry::default());
    let degraded = Degraded::default();
    if let Some(note) = damage {
        degraded.remark(note);
    }
    let config = ConfigFile::open(home.config(), degraded.clone());
    let upkeep = Upkeep::start(store.clone(), config.clone(), degraded.clone())
        .map_err(|e| format!("cannot start the upkeep of the store: {e}"))?;
    let backlog = Backlog::default();
    tokio::spawn(backlog.clone().work_off(store.clone(), degraded.clone()));
    let (litter, litter_thread) =
        Litter::start(home, store.clone()).map_err(|e| format!("cannot start the cleaning: {e}"))?;
    let plugins = Plugins::new(config.clone(), &home.plugin_code());
    let errors =
        Errors::new(store.clone(), registry.clone(), plugins.clone(), config.clone(), degraded.clone());
    tokio::spawn(errors.clone().judge_crashes());
    let export = Export::default();
    let (annotate, annotate_thread) = Annotate::start(
        store.clone(),
        registry.clone(),
        plugins.clone(),
        errors.clone(),
        degraded.clone(),
        upkeep.wake(),
        export.clone(),
    )
    .map_err(|e| format!("cannot start the parsers: {e}"))?;
    let (ingest, ingest_thread) = Ingest::start(
        store.clone(),
        registry.clone(),
        degraded.clone(),
        litter,
        annotate.clone(),
        upkeep.wake(),
    )
    .map_err(|e| format!("cannot start the ingest: {e}"))?;
    let service = Arc::new(Service {
        home: home.clone(),
        store: store.clone(),
        groups: Groups::new(store.clone(), registry.clone(), degraded.clone()),
        registry,
        pool: ShimPool::new(shim),
        ingest: ingest.clone(),
        boot_id: boot_id(),
        degraded: degraded.clone(),
        journals: Journals::new(degraded),
        backlog: backlog.clone(),
        monitor: Arc::new(Monitor::new(home.clone())),
        plugins,
        errors,
        config,
        starts: Quota::default(),
        checkers: Default::default(),
        triggers: Default::default(),
        leases: Leases::default(),
        sessions: Sessions::default(),
        declaring: tokio::sync::Mutex::new(()),
        stop_requested: tokio::sync::Notify::new(),
        http: std::sync::OnceLock::new(),
        started,
    });
    service.resume_plugins().await.map_err(|e| format!("cannot read the stacks: {e}"))?;
    take_over(&service).await?;
    annotate.catch_up();
    let (exporting, no_more_exports) = export_lines(&service, export);
    service.groups.resume().await.map_err(|e| format!("cannot read the groups: {e}"))?;
    service.resume_leases().await.map_err(|e| format!("cannot read the leases: {e}"))?;
    service.resume_sessions().await.map_err(|e| format!("cannot read the sessions: {e}"))?;
    let listener = socket::bind(home).map_err(|e| format!("cannot bind {}: {e}", home.socket().display()))?;
    tracing::info!(pid = std::process::id(), elapsed = ?started.elapsed(), "ready");
    let http = service.config.current().http.clone();
    serve(&service, listener, &http, http_port.or(http.port)).await;
    tracing::info!("shutting down; processes run on");
    service.groups.shutdown().await;
    for entry in service.registry.all() {
        entry.handle.detach();
    }
    no_more_exports.cancel();
    if tokio::time::timeout(DRAIN, exporting).await.is_err() {
        tracing::warn!("a collector did not take a batch of lines in time; it is sent again");
    }
    ingest.stop();
    let _ = tokio::task::spawn_blocking(move || {
        upkeep.stop();
        // The parsers and the cleaning end when there is no ingest that could tell of anything.
        ingest_thread.join().and_then(|()| annotate_thread.join()).and_then(|()| litter_thread.join())
    })
    .await;
    store.shutdown().await;
    let _ = std::fs::remove_file(home.socket());
    Ok(())
}

/// Begins to send lines to where the configuration says.
fn export_lines(service: &Service, export: Export) -> (tokio::task::JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let parts = export::Parts {
        store: service.store.clone(),
        registry: service.registry.clone(),
        config: service.config.clone(),
        degraded: service.degraded.clone(),
    };
    (tokio::spawn(export.run(parts, stop.clone())), stop)
}

async fn serve(service: &Arc<Service>, listener: UnixListener, http: &HttpConfig, port: Option<u16>) {
    let shutdown = CancellationToken::new();
    let connections = TaskTracker::new();
    let leases = tokio::spawn(watch_leases(service.leases.clone(), Arc::downgrade(service)));
    let monitoring = tokio::spawn(monitor::watch(Arc::downgrade(service)));
    let guarding = tokio::spawn(monitor::guard(Arc::downgrade(service)));
    let accepting =
        tokio::spawn(socket::serve(listener, service.clone(), shutdown.clone(), connections.clone()));
    if let Some(port) = port {
        let outcome = crate::mcp::http::start(service, http, port, &shutdown, &connections).await;
        service.degraded.note("MCP is not served over HTTP", &outcome);
        let _ = outcome.map(|url| service.http.set(url));
    }
    report(READY);
    told_to_end(service).await;
    shutdown.cancel();
    leases.abort();
    monitoring.abort();
    guarding.abort();
    let _ = accepting.await;
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "clients did not disconnect in time");
    }
}

/// SIGTERM, SIGINT, or a client's request.
async fn told_to_end(service: &Service) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = service.stop_requested.notified() => {}
    }
}

/// Makes every recorded process known, takes over those that run, and catches up with what was written
/// while no daemon was there.
async fn take_over(service: &Arc<Service>) -> Result<(), String> {
    let processes = service.store.processes().await.map_err(|e| format!("cannot read the processes: {e}"))?;
    let open = service.store.open_runs().await.map_err(|e| format!("cannot read the runs: {e}"))?;
    warn_unreadable(&processes);
    for record in processes.rows {
        let runs = service.store.runs(record.id, 1).await.map_err(|e| e.to_string())?;
        let newest = runs.rows.into_iter().find(|r| r.run == record.lifecycle.last_run);
        let last_run = newest.as_ref().map(|r| LastRun {
            key: RunKey(r.key.0),
            this_boot: *r.boot_id == *service.boot_id,
            started: r.started_at.is_some(),
        });
        let drained = newest.filter(|r| r.drained).map(|r| r.key);
        let ProcessRecord { id, project, name, spec, lifecycle: known, .. } = record;
        let dir = service.home.runs().join(Home::run_dir_name(id, known.last_run));
        let lifecycle = rescue::heed_wish(known.clone(), &dir, spec.stop, &spec.restart);
        if lifecycle != known {
            let saved = service.store.save_lifecycle(id, &lifecycle, super::now()).await;
            service.backlog.note(&service.degraded, &saved);
        }
        let entry = service.adopt_entry(project, name, Beginning { id, spec, lifecycle, last_run });
        entry.logs.send_modify(|mark| mark.drained = mark.drained.max(drained));
    }
    for run in &open.rows {
        catch_up(service, run);
    }
    Ok(())
}

/// A run that is not the newest of its process, or whose process rests, has no shim: its journal is complete.
fn catch_up(service: &Service, run: &RunRecord) {
    let Some(entry) = service.registry.get(run.process_id) else { return };
    let dir = service.home.runs().join(&run.dir);
    if entry.handle.snapshot().lifecycle.state.live_run() == Some(run.run) {
        service.ingest.grew(run.process_id, run.key, dir);
    } else {
        service.ingest.closed(run.process_id, run.key, dir);
    }
}

fn warn_unreadable<T>(listing: &Listing<T>) {
    for row in &listing.unreadable {
        tracing::error!(table = row.table, id = row.id, reason = %row.reason, "left out an unreadable row");
    }
}

/// Each process takes some four descriptors here. Children get the limit back that this process began with.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    super::resolve::remember_file_limit(limit.current);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Tells whoever started the daemon how it went. A stdout that nobody reads is no failure.
pub(crate) fn report(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

/// The pid of the daemon of a home, if one runs.
pub(crate) fn running_pid(home: &Home) -> Option<i32> {
    Instance::holder(home)
}

fn boot_id() -> Arc<str> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into()
}
