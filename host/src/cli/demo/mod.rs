//! `hostler demo`: a tour in a private home. It starts real programs and drives them through `hostler mcp`, as
//! an agent's client would, and prints what an agent sees. Every act checks what it shows, so that a tour that comes to
//! its end is one in which all of it was so.

mod agent;
mod crash_loop;
mod errors;
mod evidence;
mod limits;
mod logs;
pub(super) mod programs;
mod stage;
mod survival;
mod web;

use std::time::{Duration, Instant};

use hostler_model::text::clip;
use serde_json::{Value, json};

use super::exit::{Failure, Outcome};
use agent::Agent;
use stage::Stage;

/// Longest call that is shown.
const CALL_CHARS: usize = 200;
/// How long something may take to become as an act wants to show it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(50);

/// In this order: the last one ends all processes.
const ACTS: [fn(&mut Tour<'_>) -> Outcome; 7] =
    [web::play, logs::play, evidence::play, crash_loop::play, limits::play, errors::play, survival::play];

pub(super) fn run() -> Outcome {
    let stage = Stage::build()?;
    let toured = tour(&stage);
    let cleaned = stage.clear();
    toured?;
    cleaned?;
    println!(
        "\nThat was it: everything is stopped and removed again. Next: README.md, or `hostler start --help`."
    );
    Ok(())
}

fn tour(stage: &Stage) -> Outcome {
    let began = Instant::now();
    println!("hostler demo: what an agent sees. Everything below is real, in {}.", stage.root().display());
    let mut agent = Agent::connect(stage)?;
    let tools = agent.tools()?;
    println!("An agent's client started `hostler mcp`; there was no daemon, now there is ({tools} tools).");
    let mut tour = Tour { stage, agent };
    ACTS.iter().try_for_each(|act| act(&mut tour))?;
    println!("\nThe tour took {:.1} s.", began.elapsed().as_secs_f64());
    Ok(())
}

/// What the acts work with.
struct Tour<'a> {
    stage: &'a Stage,
    agent: Agent,
}

impl Tour<'_> {
    /// Calls a tool, and shows the call; its structured result.
    fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        self.shows_call(tool, &arguments);
        self.agent.call(tool, arguments)
    }

    /// Calls a tool until its answer is right: what was written is read a moment later, what fails is restarted a moment
    /// later. Shows the call once.
    fn until(
        &mut self,
        what: &str,
        tool: &str,
        arguments: Value,
        right: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        self.shows_call(tool, &arguments);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.agent.call(tool, arguments.clone())?;
            if right(&answer) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return check(false, &format!("{what}; the last answer was {answer}")).map(|()| answer);
            }
            std::thread::park_timeout(PAUSE);
        }
    }

    /// What starts one of the demo's own programs under a name; `more` has the other parameters.
    fn own_program(&self, name: &str, args: &[&str], more: Value) -> Value {
        let words: Vec<&str> = std::iter::once("demo-program").chain(args.iter().copied()).collect();
        let mut start = json!({"name": name, "command": self.stage.program(), "args": words});
        if let (Some(start), Value::Object(more)) = (start.as_object_mut(), more) {
            start.extend(more);
        }
        start
    }

    fn shows_call(&self, tool: &str, arguments: &Value) {
        let call = self.stage.in_short(&format!("{tool} {arguments}"));
        println!("> {}", clip(call, CALL_CHARS));
    }

    /// A line of what was answered.
    fn shows(&self, line: &str) {
        println!("  {}", self.stage.in_short(line));
    }
}

/// What an act, or a part of it, is about.
fn title(text: &str) {
    println!("\n== {text}");
}

fn check(holds: bool, what: &str) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(Failure::failed(format!("the demo did not go as it should: not so: {what}")))
    }
}

/// A text of an answer; a dash when there is none.
fn text<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or("-")
}

/// The elements of a list of an answer.
fn list<'a>(answer: &'a Value, pointer: &str) -> &'a [Value] {
    answer.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
