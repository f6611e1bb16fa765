//! `hostler clear`

use clap::Args as ClapArgs;
use hostler_api::logs::{ClearLogs, LogsCleared};

use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    process: Option<String>,
    /// Those of all processes of the project
    #[arg(long)]
    all: bool,
    /// Only lines before this time (RFC 3339) or age ("7d")
    #[arg(long)]
    before: Option<String>,
    /// Remove nothing, say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let Args { process, all, before, dry_run, json } = args;
    let request = ClearLogs { process, all, before, dry_run, project: None };
    let result = Client::connect()?.call("clear_logs", &request)?.result;
    if json {
        render::json(&result);
        return Ok(());
    }
    let cleared: LogsCleared = parse(result)?;
    let (lines, size) = (cleared.removed_lines, render::bytes(cleared.freed_bytes));
    let would = if cleared.dry_run { "would be " } else { "" };
    render::line(&format!("{lines} lines {would}removed, {size} {would}freed"));
    Ok(())
}
