//! What belongs to one instance on the host's side: its WASI context, which has nothing that was not granted, and the
//! host's half of the contract.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings::{commands, log, process, types};
use crate::grants::Grants;
use crate::http::Gate;
use crate::limits::{Limiter, Limits};
use crate::log::{PluginLog, Stdio};
use crate::network::{self, Peers, Resolver};
use crate::surroundings::{Command, CommandError, Surroundings};

/// Open resources (sockets, streams, timers) of one instance.
const MAX_RESOURCES: usize = 1_000;
/// Random bytes drawn at once.
const MAX_RANDOM: u64 = 64 * 1024;
/// Headers of one message, bytes.
const MAX_HEADERS: usize = 32 * 1024;
/// What a command wrote and the plugin sees, bytes of each stream.
const MAX_OUTPUT: usize = 64 * 1024;

/// Everything in one Store but the instance itself.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    gate: Gate,
    peers: Arc<Peers>,
    lookups: HashMap<u32, String>,
    commands: Vec<String>,
    surroundings: Arc<dyn Surroundings>,
    log: Arc<PluginLog>,
    complaints: Stdio,
    /// The end of the call that is being made.
    pub(crate) deadline: Instant,
    /// Ticks of computing left to the call, and whether they were used up.
    pub(crate) ticks_left: u64,
    pub(crate) limiter: Limiter,
}

impl State {
    pub(crate) fn new(
        limits: &Limits,
        grants: &Grants,
        log: Arc<PluginLog>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Self {
        let peers = Peers::new(grants.tcp.clone());
        let complaints = Stdio::new(Arc::clone(&log), 13);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_HEADERS);
        Self {
            table,
            wasi: wasi_context(&peers, &log, &complaints),
            http,
            gate: Gate::new(grants.http.clone()),
            peers,
            lookups: HashMap::new(),
            commands: grants.commands.clone(),
            surroundings,
            log,
            complaints,
            deadline: Instant::now(),
            ticks_left: 0,
            limiter: Limiter::new(limits),
        }
    }

    /// A call begins.
    pub(crate) fn begin_call(&self) {
        self.complaints.forget();
    }

    /// What the guest wrote to its standard error in this call, in one line.
    pub(crate) fn last_words(&self) -> String {
        self.complaints.last_words()
    }

    /// The resolver in front of WASI's.
    pub(crate) fn resolver(&mut self) -> Resolver<'_> {
        let Self { table, wasi, peers, lookups, .. } = self;
        let wasi = wasmtime_wasi::sockets::WasiSocketsCtxView { ctx: wasi.sockets(), table };
        Resolver { wasi, peers, lookups }
    }
}

/// A WASI context without files, environment, arguments or input. Output is the plugin's log.
fn wasi_context(peers: &Arc<Peers>, log: &Arc<PluginLog>, complaints: &Stdio) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(Stdio::new(Arc::clone(log), 9)).stderr(complaints.clone());
    wasi.max_random_size(MAX_RANDOM);
    let reachable = !peers.is_empty();
    wasi.allow_tcp(reachable).allow_udp(false).allow_ip_name_lookup(reachable);
    let peers = Arc::clone(peers);
    wasi.socket_addr_check(move |address, usage| {
        let permitted = peers.permits(address, usage);
        if !permitted {
            tracing::debug!(%address, ?usage, "a plugin used a socket in a way that it is not granted");
        }
        Box::pin(std::future::ready(permitted))
    });
    wasi.build()
}

/// Everything that a component may import.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    network::add_to_linker(&mut linker)?;
    types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    process::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    commands::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.gate }
    }
}

impl types::Host for State {}

impl log::Host for State {
    fn write(&mut self, severity: types::Severity, message: String) {
        self.log.write(severity, &message);
    }
}

impl process::Host for State {
    fn get_facts(&mut self) -> impl Future<Output = process::Facts> + Send {
        let surroundings = Arc::clone(&self.surroundings);
        async move {
            let facts = surroundings.facts().await;
            process::Facts {
                name: facts.name,
                pid: facts.pid,
                uptime_ms: facts.uptime_ms,
                restarts: facts.restarts,
                cpu_percent: facts.cpu_percent,
                memory_bytes: facts.memory_bytes,
                open_files: facts.open_files,
                threads: facts.threads,
                ports: facts.ports,
                silent_ms: facts.silent_ms,
                lines_per_minute: facts.lines_per_minute,
            }
        }
    }
}

impl commands::Host for State {
    fn run(
        &mut self,
        program: String,
        arguments: Vec<String>,
        timeout_ms: u32,
    ) -> impl Future<Output = Result<commands::Output, commands::RunError>> + Send {
        let granted = self.commands.contains(&program);
        let rest = self.deadline.saturating_duration_since(Instant::now());
        let limit = rest.min(Duration::from_millis(u64::from(timeout_ms)));
        let surroundings = Arc::clone(&self.surroundings);
        async move {
            if !granted {
                return Err(commands::RunError::Denied(not_granted(&program)));
            }
            let command = Command { program, arguments, timeout: limit };
            let ran = timeout(limit, surroundings.run(command)).await;
            ran.unwrap_or(Err(CommandError::Timeout)).map(output).map_err(run_error)
        }
    }
}

fn not_granted(program: &str) -> String {
    let program = crate::text::one_line(program, 200);
    format!(
        "`{program}` is not among the commands granted to this plugin; add it to `commands` of its grants"
    )
}

fn output(mut left: crate::surroundings::CommandOutput) -> commands::Output {
    left.stdout.truncate(MAX_OUTPUT);
    left.stderr.truncate(MAX_OUTPUT);
    commands::Output { code: left.code, stdout: left.stdout, stderr: left.stderr }
}

fn run_error(error: CommandError) -> commands::RunError {
    match error {
        CommandError::Denied(why) => commands::RunError::Denied(why),
        CommandError::NotStarted(why) => commands::RunError::NotStarted(why),
        CommandError::Timeout => commands::RunError::Timeout,
        CommandError::Other(why) => commands::RunError::Other(why),
    }
}
