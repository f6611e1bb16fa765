//! `hostler analyze`

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hostler_api::analyze::{AnalysisResult, AnalyzeProject};
use hostler_api::process::Detail;

use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// The directory (default: the working directory)
    directory: Option<PathBuf>,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
    /// Print the proposed hostler.toml only
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let path = std::path::absolute(args.directory.unwrap_or_else(|| ".".into()))
        .map_err(|e| Failure::failed(e.to_string()))?;
    let request = AnalyzeProject { path: Some(path.to_string_lossy().into_owned()), detail: Detail::Full };
    let result = Client::connect()?.call("analyze_project", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let result: AnalysisResult = parse(result)?;
    if args.toml {
        print!("{}", toml_of(&result)?);
        return Ok(());
    }
    println!("{}", result.directory);
    for process in &result.processes {
        let cwd = process.cwd.as_deref().map(|cwd| format!(" in {cwd}")).unwrap_or_default();
        println!("  {}  {}{cwd}", process.name, process.command);
        if !process.why.is_empty() {
            println!("      {} confidence: {}", process.confidence.as_str(), process.why);
        }
    }
    if !result.hostler_toml.is_empty() && !result.declared {
        println!("\n{}", result.hostler_toml.trim_end());
    }
    result.notes.iter().for_each(|note| render::note(&format!("note: {note}")));
    Ok(())
}

/// The proposed file, or the one that is there.
fn toml_of(result: &AnalysisResult) -> Result<String, Failure> {
    if !result.declared {
        return Ok(result.hostler_toml.clone());
    }
    let file = std::path::Path::new(&result.directory).join(hostler_config::FILE_NAME);
    std::fs::read_to_string(&file).map_err(|e| Failure::failed(format!("{}: {e}", file.display())))
}
