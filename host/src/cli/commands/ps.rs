//! `hostler ps`

use clap::Args as ClapArgs;
use hostler_api::ToolError;
use hostler_api::process::{Detail, ListProcesses, ProcessList};
use hostler_api::view::Status;

use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Only names that match this glob
    name: Option<String>,
    /// Only those in this state
    #[arg(long, value_parser = Status::NAMES)]
    status: Option<String>,
    /// Those of every project
    #[arg(long, short)]
    all_projects: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let status = args.status.map(serde_json::Value::from).map(serde_json::from_value).transpose();
    let request = ListProcesses {
        status: status.map_err(|e| ToolError::invalid(e.to_string()))?,
        name: args.name,
        all_projects: args.all_projects,
        detail: Detail::Full,
        limit: Some(500),
        ..ListProcesses::default()
    };
    let result = Client::connect()?.call("list_processes", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let list: ProcessList = parse(result)?;
    if !list.processes.is_empty() {
        render::table(&list.processes, args.all_projects);
    }
    list.note.iter().for_each(|note| render::note(note));
    Ok(())
}
