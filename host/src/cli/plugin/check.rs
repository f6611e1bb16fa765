//! `hostler plugin check`

use clap::Args as ClapArgs;

use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::daemon::home::Home;
use crate::plugins::check::{self, Mark};
use crate::plugins::source::{Source, read_config};

#[derive(ClapArgs)]
pub(super) struct Args {
    /// The component: a file, or builtin:NAME
    #[arg(value_name = "FILE")]
    plugin: String,
    /// A configuration to check it with: a JSON object, or @ and a file
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    let home = Home::find().map_err(Failure::failed)?;
    let source = Source::open(&args.plugin)?;
    let config = args.config.as_deref().map(read_config).transpose()?;
    let report = check::check(&source, config, &home)?;
    if args.json {
        let value = serde_json::to_value(&report).map_err(|error| Failure::failed(error.to_string()))?;
        render::json(&value);
    } else {
        for finding in &report.checks {
            let mark = match finding.result {
                Mark::Ok => "ok  ",
                Mark::Note => "note",
                Mark::Fail => "FAIL",
            };
            println!("{mark}  {:<9}  {}", finding.check, finding.text);
        }
        if let Some(lines) = report.declaration.as_ref().filter(|_| report.ok) {
            println!("\n{}", lines.trim_end());
        }
    }
    if report.ok {
        return Ok(());
    }
    let failed = report.checks.iter().filter(|finding| finding.result == Mark::Fail).count();
    Err(Failure::failed(format!("{failed} of {} checks of {} failed", report.checks.len(), report.source)))
}
