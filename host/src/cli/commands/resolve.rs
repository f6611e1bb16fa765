//! `hostler resolve`

use clap::Args as ClapArgs;
use hostler_api::errors::{ErrorList, MarkErrorResolved, OneOrMany};

use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Such as e12
    #[arg(required = true)]
    ids: Vec<String>,
    /// What was done about it
    #[arg(long, short = 'm', value_name = "TEXT")]
    resolution: Option<String>,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let request =
        MarkErrorResolved { error_id: OneOrMany::Many(args.ids), resolution: args.resolution, project: None };
    let result = Client::connect()?.call("mark_error_resolved", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let list: ErrorList = parse(result)?;
    for error in &list.errors {
        println!("{} resolved: {}", error.id, error.title);
    }
    Ok(())
}
