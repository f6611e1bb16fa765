//! `hostler kill`

use clap::Args as ClapArgs;
use hostler_api::process::{KillProcess, KillResult};

use super::{group, stop};
use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id
    #[arg(required_unless_present = "group", conflicts_with = "group")]
    process: Option<String>,
    /// All processes of a group
    #[arg(long, short)]
    group: Option<String>,
    /// KILL, TERM, INT, QUIT and ABRT end the whole tree; HUP, USR1 and others reach the main process
    #[arg(long, short, default_value = "KILL")]
    signal: String,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let Args { process, group, signal, json } = args;
    // Who writes the command has said yes.
    let request = KillProcess { process, group, signal: Some(signal), confirm: true, project: None };
    let killed: KillResult = {
        let result = Client::connect()?.call("kill_process", &request)?.result;
        if json {
            render::json(&result);
        }
        parse(result)?
    };
    if !json {
        killed.process.iter().for_each(render::one_line);
        group::members(&killed.members);
        stop::tell_descendants(killed.descendants_ended, killed.descendants_killed);
    }
    match killed.done {
        true => Ok(()),
        false => Err(Failure::failed("it has not ended yet; ask again in a moment")),
    }
}
