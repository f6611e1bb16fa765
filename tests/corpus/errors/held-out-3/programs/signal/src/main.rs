// @SHIFT@
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

// @SHIFT@
#[derive(Debug, thiserror::Error)]
enum SignalError {
    #[error("signal {0} is dark")]
    Dark(u32),
    #[error("cannot read the plan of {who}")]
    Plan { who: String, #[source] cause: std::io::Error },
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Train { number: u32, cars: Vec<u8> }

// @SHIFT@
struct Yard<'a> { tracks: BTreeMap<u32, Vec<&'a str>>, seed: u32 }

trait Switch { fn set(&self, to: usize) -> usize; }
struct Motor(Vec<usize>);
impl Switch for Motor {
    // @SHIFT@
    fn set(&self, to: usize) -> usize { self.0[to] }
}

impl Yard<'_> {
    // @SHIFT@
    fn longest(&self) -> usize { self.tracks.values().map(Vec::len).max().unwrap() }
    // @SHIFT@
    fn name_of(&self, track: u32) -> &str { self.tracks[&track].first().expect("a track has a name") }
    // @SHIFT@
    fn split(&self) -> (String, String) {
        let text = format!("Zürich-{}", self.seed);
        let (a, b) = text.split_at(2);
        (a.into(), b.into())
    }
}

// @SHIFT@
fn plan(who: &str) -> Result<String, SignalError> {
    std::fs::read_to_string(format!("/srv/plans/{who}.toml")).map_err(|cause| SignalError::Plan { who: who.into(), cause })
}

// @SHIFT@
async fn ask(seed: u32) -> anyhow::Result<()> {
    let answer = std::future::pending::<()>();
    tokio::time::timeout(Duration::from_millis(5), answer).await.with_context(|| format!("interlocking {seed} does not answer"))
}

fn through<T>(seed: u32, job: impl Fn() -> T) -> T {
    if seed % 2 == 0 { job() } else { [0].iter().map(|_| job()).next().unwrap() }
}

// @SHIFT@
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let seed: u32 = args[2].parse()?;
    let who = ["ada", "bela", "cyd", "d-lee", "enzo", "fritz"][seed as usize % 6];
    let yard = Yard { tracks: BTreeMap::from([(seed, vec![])]), seed };
    match args[1].as_str() {
        "longest" => { through(seed, || Yard { tracks: BTreeMap::new(), seed }.longest()); }
        "unnamed" => { through(seed, || yard.name_of(seed).len()); }
        "no_track" => { yard.name_of(seed + 1); }
        "split" => { through(seed, || yard.split()); }
        "switch" => { let motor: Box<dyn Switch> = Box::new(Motor(vec![1])); through(seed, || motor.set(seed as usize)); }
        "dark" => return Err(SignalError::Dark(seed).into()),
        "plan" => { plan(who).with_context(|| format!("train {seed} has no route"))?; }
        "json" => {
            // @SHIFT@
            let _: Train = serde_json::from_str(&format!(r#"{{"number": {seed}}}"#)).context("message of the control room")?;
        }
        "ask" => ask(seed).await?,
        "bind" => {
            // @SHIFT@
            let one = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            tokio::net::TcpListener::bind(one.local_addr()?).await.context("cannot listen for signals")?;
        }
        "connect" => {
            // @SHIFT@
            tokio::net::TcpStream::connect("127.0.0.1:1").await.with_context(|| format!("axle counter {seed} at 127.0.0.1:1"))?;
        }
        "bail" => bail!("route {seed} of {who} conflicts with route {}", seed + 3),
        "ensure" => ensure!(seed > 1000, "train {seed} is too short"),
        "env" => { let _ = std::env::var("SIGNAL_DATABASE_URL").unwrap(); }
        "env_context" => { std::env::var("SIGNAL_LICENSE_KEY").context("SIGNAL_LICENSE_KEY must be set")?; }
        "utf8" => { let _ = String::from_utf8(vec![b'a', 0xff, seed as u8]).unwrap(); }
        "task" => {
            // @SHIFT@
            let task = tokio::spawn(async move { let switches: HashMap<u32, u8> = HashMap::new(); switches[&seed] });
            while !task.is_finished() { tokio::time::sleep(Duration::from_millis(1)).await; }
        }
        "copy" => {
            // @SHIFT@
            let mut block = [0_u8; 4];
            block.copy_from_slice(&vec![0; seed as usize]);
        }
        "chunks" => { let _ = [1_u8, 2].chunks(seed as usize - seed as usize).count(); }
        "duration" => { let _ = Duration::from_secs(1) - Duration::from_secs(u64::from(seed)); }
        "unreachable" => { match seed { 0 => {} n => unreachable!("aspect {n} does not exist") } }
        "todo" => { through(seed, || -> u8 { todo!("shunting") }); }
        "blocking" => { tokio::runtime::Handle::current().block_on(async {}); }
        "ne" => { through(seed, || assert_ne!(yard.tracks.len(), 1, "yard of {who} has one track")); }
        "cast" => { let _: u8 = u8::try_from(seed + 300).unwrap(); }
        "log_pool" => {
            tracing_subscriber::fmt().with_ansi(false).init();
            tracing::error!(pool.size = seed % 9, elapsed_ms = seed * 100, "failed to acquire a connection: pool timed out while waiting for an open connection");
        }
        "log_span" => {
            tracing_subscriber::fmt().json().with_current_span(true).init();
            let span = tracing::error_span!("request", id = seed, user = who);
            let _entered = span.enter();
            tracing::error!(status = 502, "upstream answered 502 Bad Gateway");
        }
        "log_error" => {
            tracing_subscriber::fmt().with_ansi(false).with_file(true).with_line_number(true).init();
            let error = plan(who).unwrap_err();
            tracing::error!(error = &error as &dyn std::error::Error, train = seed, "route was not set");
        }
        "usage" => { eprintln!("error: invalid value '{who}' for '--track <TRACK>': invalid digit found in string\n\nFor more information, try '--help'."); std::process::exit(2); }
        _ => {}
    }
    Ok(())
}
