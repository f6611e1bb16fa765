//! `hostler health`

use clap::Args as ClapArgs;
use hostler_api::health::{CheckProcessHealth, CheckView, HealthReport};
use hostler_api::process::{ListProcesses, ProcessList};
use hostler_model::health::Status;

use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Make the checks of this process now; without it, show what is known of all
    process: Option<String>,
    /// Only this check: its plugin, or its number from 1
    #[arg(long, requires = "process")]
    check: Option<String>,
    /// Show so many earlier results of each check
    #[arg(long, value_name = "N", requires = "process")]
    history: Option<u32>,
    /// Make no scheduled checks until --resume
    #[arg(long, requires = "process", conflicts_with = "resume")]
    pause: bool,
    /// Make scheduled checks again
    #[arg(long, requires = "process")]
    resume: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let mut client = Client::connect()?;
    match args.process.clone() {
        Some(process) => one(&mut client, process, &args),
        None => all(&mut client, args.json),
    }
}

/// Ends with a failure when the process does not work, so that scripts can ask.
fn one(client: &mut Client, process: String, args: &Args) -> Outcome {
    let request = CheckProcessHealth {
        process,
        check: args.check.clone(),
        pause: (args.pause || args.resume).then_some(args.pause),
        history: args.history,
        project: None,
    };
    let result = client.call("check_process_health", &request)?.result;
    let report: HealthReport = parse(result.clone())?;
    if args.json {
        render::json(&result);
    } else {
        show(&report);
    }
    match report.status {
        Status::Unhealthy => Err(Failure::failed("")),
        Status::Healthy | Status::Degraded | Status::Unknown => Ok(()),
    }
}

fn show(report: &HealthReport) {
    println!("{} {}", report.process, report.status);
    let head = ["CHECK", "NOW", "HEALTH", "FAILURES", "TOOK", "MESSAGE"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(report.checks.iter().map(row)).collect();
    if rows.len() > 1 {
        render::columns(&rows);
    }
    for check in &report.checks {
        for earlier in &check.history {
            let changed = earlier.changed_to.map(|to| format!(" -> {to}")).unwrap_or_default();
            println!("  {} {} {}{changed}  {}", earlier.at, check.plugin, earlier.status, earlier.message);
        }
    }
    report.next.iter().for_each(|next| render::note(next));
}

fn row(check: &CheckView) -> [String; 6] {
    let state = match (check.paused, check.breaker.as_str()) {
        (true, _) => " (paused)",
        (false, "open") => " (tried rarely)",
        (false, _) => "",
    };
    [
        format!("{}{state}", check.plugin),
        check.status.to_string(),
        check.health.to_string(),
        format!("{}/{}", check.consecutive_failures, check.failure_threshold),
        check.latency_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}ms")),
        check.message.clone(),
    ]
}

fn all(client: &mut Client, json: bool) -> Outcome {
    let request = ListProcesses { limit: Some(500), ..ListProcesses::default() };
    let result = client.call("list_processes", &request)?.result;
    if json {
        render::json(&result);
        return Ok(());
    }
    let list: ProcessList = parse(result)?;
    let checked: Vec<_> = list.processes.iter().filter_map(|p| Some((p, p.health.clone()?))).collect();
    if checked.is_empty() {
        render::note("no process here has health checks; `hostler start --health http=URL` declares one");
        return Ok(());
    }
    let head = ["NAME", "STATUS", "HEALTH", "WHY"].map(str::to_owned);
    let rows = checked.iter().map(|(p, health)| {
        let why = p.status_reason.clone().unwrap_or_default();
        [p.name.clone(), p.status.as_str().to_owned(), health.clone(), why]
    });
    render::columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    Ok(())
}
