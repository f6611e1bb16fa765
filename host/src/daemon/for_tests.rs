//! The parts of a daemon without its socket, for tests that look at one from inside.

use std::sync::Arc;
use std::time::Instant;

use hostler_store::Store;
use hostler_supervisor::ShimPool;

use super::annotate::Annotate;
use super::backlog::Backlog;
use super::config::ConfigFile;
use super::degraded::Degraded;
use super::errors::Errors;
use super::export::Export;
use super::groups::Groups;
use super::home::Home;
use super::ingest::Ingest;
use super::journals::Journals;
use super::litter::Litter;
use super::monitor::Monitor;
use super::plugins::Plugins;
use super::quota::Quota;
use super::registry::Registry;
use super::service::{Leases, Service, Sessions};
use super::upkeep::Upkeep;

/// A service that knows of no process and can start none.
pub(crate) fn service(home: &Home) -> (Arc<Service>, Store) {
    home.create().expect("the home");
    let store = Store::open(&home.database(), super::now()).expect("the store");
    let (registry, degraded) = (Arc::new(Registry::default()), Degraded::default());
    let config = ConfigFile::open(home.config(), degraded.clone());
    let upkeep = Upkeep::start(store.clone(), config.clone(), degraded.clone()).expect("a thread");
    let plugins = Plugins::new(config.clone(), &home.plugin_code());
    let errors =
        Errors::new(store.clone(), registry.clone(), plugins.clone(), config.clone(), degraded.clone());
    let (litter, _) = Litter::start(home, store.clone()).expect("a thread");
    let (annotate, _) = Annotate::start(
        store.clone(),
        registry.clone(),
        plugins.clone(),
        errors.clone(),
        degraded.clone(),
        upkeep.wake(),
        Export::default(),
    )
    .expect("a thread");
    let (ingest, _) =
        Ingest::start(store.clone(), registry.clone(), degraded.clone(), litter, annotate, upkeep.wake())
            .expect("a thread");
    let service = Service {
        home: home.clone(),
        store: store.clone(),
        groups: Groups::new(store.clone(), registry.clone(), degraded.clone()),
        registry,
        pool: ShimPool::new("/nowhere/hostler-shim".into()),
        ingest,
        boot_id: "a test".into(),
        degraded: degraded.clone(),
        journals: Journals::new(degraded),
        backlog: Backlog::default(),
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
        started: Instant::now(),
    };
    (Arc::new(service), store)
}
