//! `hostler info`

use clap::Args as ClapArgs;
use hostler_api::process::{GetProcessInfo, ProcessInfo};

use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id
    process: String,
    /// How many past runs to show
    #[arg(long, value_name = "N")]
    runs: Option<u32>,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let request = GetProcessInfo { process: args.process, runs: args.runs, project: None };
    let result = Client::connect()?.call("get_process_info", &request)?.result;
    if args.json {
        render::json(&result);
    } else {
        let info: ProcessInfo = parse(result)?;
        render::info(&info);
        info.note.iter().for_each(|note| render::note(note));
    }
    Ok(())
}
