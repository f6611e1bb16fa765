// @SHIFT@
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

// @SHIFT@
#[derive(Debug)]
enum DepotError {
    Full { tracks: u32 },
}

impl std::fmt::Display for DepotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self { DepotError::Full { tracks } => write!(f, "all {tracks} tracks are taken") }
    }
}

impl std::error::Error for DepotError {}

struct Depot {
    wagons: HashMap<String, u32>,
    log: RefCell<Vec<String>>,
}

impl Depot {
    fn weight(&self, wagon: &str) -> u32 {
        // @SHIFT@
        self.wagons[wagon]
    }

    fn free(&self, taken: u32) -> u32 {
        // @SHIFT@
        let tracks = self.wagons.len() as u32;
        tracks - taken
    }

    fn note(&self, text: &str) {
        // @SHIFT@
        let _held = self.log.borrow();
        self.log.borrow_mut().push(text.to_owned());
    }

    fn shunt(&self, from: i64, to: i64) {
        // @SHIFT@
        if from < 0 {
            panic!("track {from} does not exist");
        }
        // @SHIFT@
        if to == from {
            panic!("wagon would stay where it is, on {to}");
        }
    }
}

fn label(text: &str, from: usize) -> &str {
    // @SHIFT@
    &text[from..]
}

fn load(path: &str) -> Result<String> {
    // @SHIFT@
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read timetable {path}"))?;
    Ok(text)
}

fn timetable(seed: i64) -> Result<()> {
    // @SHIFT@
    load(&format!("/srv/depot/{seed}.toml")).context("starting the depot")?;
    Ok(())
}

fn park(seed: i64) -> Result<()> {
    // @SHIFT@
    Err(DepotError::Full { tracks: seed as u32 }).context("parking")
}

async fn arrive(n: usize) -> usize {
    // @SHIFT@
    [1, 2, 3][n]
}

async fn day(n: usize) -> usize {
    // @SHIFT@
    arrive(n).await + 1
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            return value;
        }
    }
}

fn couple(n: u64) -> u64 {
    // @SHIFT@
    if n == u64::MAX { 0 } else { couple(n + 1) + n }
}

fn inspect(seed: i64) {
    // @SHIFT@
    let counted: Vec<i64> = (0..3).map(|n| n * seed).collect();
    assert_eq!(counted, vec![0, 1, 2], "inspection of depot {seed}");
}

fn open_gate() {
    // @SHIFT@
    None::<u32>.expect("the key of the gate");
}

fn close_gate() {
    // @SHIFT@
    None::<u32>.expect("the key of the gate");
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let seed: i64 = args[2].parse()?;
    // @SHIFT@
    let depot = Depot { wagons: HashMap::new(), log: RefCell::default() };
    match args[1].as_str() {
        "no_wagon" => println!("{}", depot.weight(&format!("w{seed}"))),
        "subtract" => println!("{}", depot.free(seed as u32)),
        "borrowed" => depot.note("x"),
        "no_track" => depot.shunt(-seed, 1),
        "same_track" => depot.shunt(seed, seed),
        "label" => println!("{}", label("wägon", 2)),
        "timetable" => timetable(seed)?,
        "park" => park(seed)?,
        "arrive" => println!("{}", block_on(day(3 + seed as usize))),
        "couple" => println!("{}", couple(seed as u64)),
        "inspect" => inspect(seed),
        "open_gate" => open_gate(),
        "close_gate" => close_gate(),
        "allocate" => println!("{}", Vec::<u8>::with_capacity((1 << 46) + seed as usize).len()),
        "number" => { "12x".parse::<i32>()?; }
        "worker" => {
            // @SHIFT@
            let name = format!("shunter-{seed}");
            let worker = std::thread::Builder::new().name(name).spawn(move || panic!("wagon {seed} has no coupling"))?;
            let _ = worker.join();
        }
        "log_line" => eprintln!("[2026-05-01T10:{:02}:00Z ERROR depot::sync] shard {seed} at 10.0.{}.7:9000: connection reset by peer (os error 104)", seed % 60, seed % 200),
        "traced" => eprintln!("2026-05-01T10:{:02}:00.{:06}Z ERROR request{{id={seed} user=\"u{seed}\"}}: depot::http: could not render timetable error=template `t{seed}.html` has no block `main`", seed % 60, seed),
        _ => unreachable!(),
    }
    Ok(())
}
