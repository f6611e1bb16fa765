//! `hostler restart`

use clap::Args as ClapArgs;
use hostler_api::process::RestartProcess;

use super::spec_args::{Declaration, show_started};
use crate::cli::client::Client;
use crate::cli::exit::Outcome;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id
    process: String,
    #[command(flatten)]
    declaration: Declaration,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let request = RestartProcess {
        process: args.process,
        spec: args.declaration.spec(),
        wait: args.declaration.wait(),
        project: None,
    };
    show_started(Client::connect()?.call("restart_process", &request)?, args.json)
}
