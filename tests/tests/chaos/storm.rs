//! Who kills, and who works meanwhile.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use e2e::{Env, Era, Mcp, alive, kill, wait_until};
use serde_json::{Value, json};

/// Clients that stop, start and restart workers all the while.
const OPERATORS: u64 = 2;

/// A xorshift generator: the same seed gives the same storm, as far as a real machine allows.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// Waits for a random time, at most this long: the instants of the kills are what is random here.
    pub(crate) fn pause(&mut self, most: Duration) {
        let until = Instant::now() + Duration::from_micros(self.below(most.as_micros() as u64 + 1));
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
    }
}

/// Everything that goes on at once.
pub(crate) struct Storm<'a> {
    env: &'a Env,
    workers: Vec<String>,
    random: Random,
    operators: Vec<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    operations: Arc<AtomicU32>,
    daemons: u32,
    shims: u32,
}

impl<'a> Storm<'a> {
    /// Starts the workers and the operators.
    pub(crate) fn begin(env: &'a Env, workers: &[String], seed: u64) -> Self {
        let mut mcp = env.mcp(Era::Modern);
        for (at, name) in workers.iter().enumerate() {
            let truth = env.in_project(&format!("{name}.truth"));
            mcp.done(
                "start_process",
                json!({"name": name, "command": env.fault(), "args": ["worker", truth, (seed + at as u64).to_string()],
                    "restart": {"policy": "always", "max_restarts": 1000, "window_ms": 1000, "backoff_initial_ms": 0},
                    "wait_for": "started"}),
            );
        }
        let over = Arc::new(AtomicBool::new(false));
        let operations = Arc::new(AtomicU32::new(0));
        let operators = (0..OPERATORS)
            .map(|n| {
                let (mcp, over, operations) = (env.mcp(Era::Modern), over.clone(), operations.clone());
                let (workers, random) = (workers.to_vec(), Random::new(seed ^ (n + 1) << 32));
                std::thread::spawn(move || operate(mcp, &workers, random, &over, &operations))
            })
            .collect();
        Self {
            env,
            workers: workers.to_vec(),
            random: Random::new(seed),
            operators,
            over,
            operations,
            daemons: 0,
            shims: 0,
        }
    }

    /// Kills so many of each, in random order.
    pub(crate) fn rage(&mut self, daemons: u32, shims: u32) {
        while self.daemons < daemons || self.shims < shims {
            let left = (daemons.saturating_sub(self.daemons), shims.saturating_sub(self.shims));
            let daemon = self.random_of(left);
            self.kill_one(daemon);
        }
    }

    /// Kills for so long.
    pub(crate) fn rage_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            let daemon = self.random_of((3, 1));
            self.kill_one(daemon);
        }
    }

    fn random_of(&mut self, (daemons, shims): (u32, u32)) -> bool {
        self.random.below(u64::from(daemons + shims)) < u64::from(daemons)
    }

    fn kill_one(&mut self, daemon: bool) {
        assert!(!self.operators.iter().any(JoinHandle::is_finished), "an operator has given up");
        self.random.pause(Duration::from_millis(300));
        if daemon { self.kill_daemon() } else { self.kill_shim() }
    }

    /// At work, or as it takes over: the next one is started at once, and every third is killed on the way.
    fn kill_daemon(&mut self) {
        let Some(pid) = daemon_pid(self.env) else {
            return self.start_daemon();
        };
        kill(pid);
        wait_until("the daemon is gone", || !alive(pid));
        self.daemons += 1;
        self.start_daemon();
    }

    fn start_daemon(&mut self) {
        let mut starting = self.env.hostler();
        starting.args(["daemon", "start"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut starting = starting.spawn().unwrap();
        if self.random.below(3) == 0 {
            self.random.pause(Duration::from_millis(40));
            if let Some(pid) = daemon_pid(self.env) {
                kill(pid);
                self.daemons += 1;
            }
        }
        starting.wait().unwrap();
    }

    /// Any shim that the daemon holds a process of. With both dead at once a pipe has no reader, and what is then
    /// written is nobody's; so the next kill waits until another shim has taken over.
    fn kill_shim(&mut self) {
        let name = self.workers[self.random.below(self.workers.len() as u64) as usize].clone();
        let info = self.env.cli(&["info", &name, "--json"]);
        let held = info.code == Some(0) && info.json()["tree"][0]["pid"].is_i64();
        let Some(shim) = self.env.shim_of(&name).filter(|_| held) else { return };
        let Some(dir) = self.env.run_dir_of(shim) else { return };
        kill(shim);
        self.shims += 1;
        let noted = || std::fs::read_to_string(dir.join("pid")).unwrap_or_default();
        wait_until("another shim, or the end of the run", || {
            !dir.exists()
                || noted().split(' ').nth(2).is_some_and(|pid| pid != shim.to_string())
                || self.is_over(&name, &dir)
        });
    }

    /// Whether a run is over, although its output waits to be stored.
    fn is_over(&self, name: &str, dir: &Path) -> bool {
        let run = dir.file_name().and_then(|n| n.to_str()?.split_once('-')?.1.parse::<u64>().ok());
        let info = self.env.cli(&["info", name, "--json"]);
        let newest = if info.code == Some(0) { info.json()["runs"][0].clone() } else { Value::Null };
        newest["run"].as_u64() > run || (newest["run"].as_u64() == run && newest["ended_at"].is_string())
    }

    /// Ends it; says what happened.
    pub(crate) fn end(self) -> String {
        self.over.store(true, Ordering::SeqCst);
        for operator in self.operators {
            operator.join().unwrap();
        }
        let operations = self.operations.load(Ordering::SeqCst);
        format!("{} daemons and {} shims killed during {operations} operations", self.daemons, self.shims)
    }
}

/// The pid of the daemon as its lock has it, so that one that just starts is found as well.
pub(crate) fn daemon_pid(env: &Env) -> Option<i64> {
    let pid = std::fs::read_to_string(env.home().join("daemon.lock")).ok()?.parse().ok()?;
    alive(pid).then_some(pid)
}

fn operate(mut mcp: Mcp, workers: &[String], mut random: Random, over: &AtomicBool, operations: &AtomicU32) {
    while !over.load(Ordering::SeqCst) {
        let name = &workers[random.below(workers.len() as u64) as usize];
        if random.below(2) == 0 {
            insist(&mut mcp, "restart_process", &json!({"process": name, "wait_for": "started"}));
        } else {
            insist(&mut mcp, "stop_process", &json!({"process": name}));
            insist(&mut mcp, "start_process", &json!({"name": name, "wait_for": "started"}));
        }
        operations.fetch_add(1, Ordering::SeqCst);
        random.pause(Duration::from_millis(200));
    }
}

/// Repeats a call until a daemon has lived long enough to answer it.
fn insist(mcp: &mut Mcp, tool: &str, arguments: &Value) {
    wait_until(tool, || {
        let id = mcp.begin_call(tool, arguments.clone());
        mcp.answer(id).get("result").is_some()
    });
}
