//! `hostler stop`

use clap::Args as ClapArgs;
use hostler_api::process::{StopProcess, StopResult};

use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id; several are stopped in this order
    #[arg(required = true)]
    process: Vec<String>,
    /// Milliseconds until SIGKILL
    #[arg(long, value_name = "MS")]
    grace_ms: Option<u64>,
    /// Forget it afterwards, its runs and logs included
    #[arg(long)]
    remove: bool,
    /// Print the tool's result, one line for each process
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let mut client = Client::connect()?;
    for process in args.process {
        let request = StopProcess { process, grace_ms: args.grace_ms, remove: args.remove, project: None };
        let answered = client.call("stop_process", &request)?;
        show_ended(answered.result, args.json)?;
    }
    Ok(())
}

fn show_ended(result: serde_json::Value, json: bool) -> Outcome {
    if json {
        render::json(&result);
        return Ok(());
    }
    let ended: StopResult = parse(result)?;
    render::one_line(&ended.process);
    tell_descendants(ended.descendants_ended, ended.descendants_killed);
    if !ended.done {
        return Err(Failure::failed("it has not ended yet; `hostler kill` ends it at once"));
    }
    Ok(())
}

/// Says how many descendants had to be ended, and how many of them by force.
pub(super) fn tell_descendants(ended: u32, killed: u32) {
    let by_force = if killed > 0 { format!(", {killed} of them by SIGKILL") } else { String::new() };
    if ended > 0 {
        render::note(&format!("{ended} descendants that it left were ended{by_force}"));
    }
}
