//! `hostler kill`

use clap::Args as ClapArgs;
use hostler_api::process::KillProcess;

use crate::cli::client::Client;
use crate::cli::exit::Outcome;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id
    process: String,
    /// KILL, TERM, INT, QUIT and ABRT end the whole tree; HUP, USR1 and others reach the main process
    #[arg(long, short, default_value = "KILL")]
    signal: String,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let request = KillProcess { process: args.process, signal: Some(args.signal), project: None };
    let answered = Client::connect()?.call("kill_process", &request)?;
    super::stop::show_ended(answered.result, args.json)
}
