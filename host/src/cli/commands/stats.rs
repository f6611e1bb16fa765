//! `hostler stats`

use clap::Args as ClapArgs;
use hostler_api::ToolError;
use hostler_api::monitoring::{
    GetProcessStats, GetSystemStats, PluginUse, PressureStats, ProcessStats, SystemStats, UsageSummary,
};
use hostler_api::plugin::PluginState;
use serde_json::json;

use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::{render, spark};
use crate::mcp::METRICS_METHOD;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id; without it, the machine and who uses most of it
    process: Option<String>,
    /// How far to look back: 30s, 10m, 24h, 30d
    #[arg(long, short, default_value = "10m", value_parser = window)]
    window: u64,
    /// At most this many points
    #[arg(long)]
    points: Option<u32>,
    /// How many of the busiest processes to show
    #[arg(long)]
    top: Option<u32>,
    /// Print what Prometheus reads
    #[arg(long, conflicts_with_all = ["process", "json", "top"])]
    prometheus: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let mut client = Client::connect()?;
    if args.prometheus {
        print!("{}", parse::<String>(client.request(METRICS_METHOD, json!({}))?)?);
        return Ok(());
    }
    let Some(process) = args.process else {
        let result =
            client.call("get_system_stats", &GetSystemStats { top: args.top, project: None })?.result;
        if args.json {
            render::json(&result);
        } else {
            let stats: SystemStats = parse(result)?;
            system(&stats);
            stats.note.iter().for_each(|note| render::note(note));
        }
        return Ok(());
    };
    if args.top.is_some() {
        return Err(ToolError::invalid("--top goes without a process").into());
    }
    let request =
        GetProcessStats { process, window_ms: Some(args.window), points: args.points, project: None };
    let result = client.call("get_process_stats", &request)?.result;
    if args.json {
        render::json(&result);
    } else {
        process_stats(&parse(result)?);
    }
    Ok(())
}

/// A number with `s`, `m`, `h` or `d`, in milliseconds.
fn window(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a time such as 30s, 10m, 24h or 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let ms: u64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(ms).ok_or_else(wrong)
}

fn process_stats(stats: &ProcessStats) {
    let step = render::duration(stats.step_ms);
    println!("{}, the last {}, a point each {step}", stats.process, render::duration(stats.window_ms));
    stats.note.iter().for_each(|note| render::note(note));
    let Some(summary) = &stats.summary else { return };
    let bytes = |n: f64| render::bytes(n as u64);
    let number = |n: f64| format!("{n:.1}");
    let count = |n: f64| format!("{n:.0}");
    let series = &stats.series;
    let floats = |values: &[u64]| values.iter().map(|n| *n as f64).collect::<Vec<_>>();
    let mut rows = vec![["", "MIN", "MEAN", "P95", "MAX", ""].map(str::to_owned)];
    let mut row = |name: &str, s: &UsageSummary, values: Vec<f64>, show: &dyn Fn(f64) -> String| {
        let graph = if render::is_terminal() { spark::line(&values) } else { String::new() };
        rows.push([name.to_owned(), show(s.min), show(s.mean), show(s.p95), show(s.max), graph]);
    };
    row("CPU %", &summary.cpu_percent, series.cpu_percent.clone(), &number);
    row("memory", &summary.memory_bytes, floats(&series.memory_bytes), &bytes);
    row("threads", &summary.threads, floats(&series.threads), &count);
    row("open files", &summary.open_files, floats(&series.open_files), &count);
    row("read", &summary.read_bytes, floats(&series.read_bytes), &bytes);
    row("written", &summary.written_bytes, floats(&series.written_bytes), &bytes);
    render::columns(&rows);
}

fn system(stats: &SystemStats) {
    let field = |name: &str, value: String| println!("{name:<9} {value}");
    field("cpu", format!("{:.1} % of {} cores", stats.cpu.percent, stats.cpu.cores));
    field("load", format!("{:.2}  {:.2}  {:.2}", stats.load.one, stats.load.five, stats.load.fifteen));
    for (name, m) in [("memory", stats.memory), ("swap", stats.swap)] {
        let (used, total) = (render::bytes(m.used_bytes), render::bytes(m.total_bytes));
        field(name, format!("{used} of {total} used, {} available", render::bytes(m.available_bytes)));
    }
    for disk in &stats.disks {
        let (free, total) = (render::bytes(disk.available_bytes), render::bytes(disk.total_bytes));
        field("disk", format!("{} {free} of {total} available ({})", disk.mount, disk.file_system));
    }
    let pressure = &stats.pressure;
    for (name, p) in [("cpu", pressure.cpu), ("memory", pressure.memory), ("io", pressure.io)] {
        p.iter().for_each(|p| field("pressure", pressure_line(name, p)));
    }
    let d = &stats.daemon;
    field(
        "hostler",
        format!(
            "{:.2} % of a core, {}, {} shims with {}, database {}",
            d.cpu_percent,
            render::bytes(d.memory_bytes),
            d.shims,
            render::bytes(d.shims_memory_bytes),
            render::bytes(stats.store_bytes)
        ),
    );
    for p in &stats.plugins {
        field("plugin", plugin_line(p));
    }
    field("processes", format!("{}, {} running", stats.processes, stats.running));
    if stats.top.is_empty() {
        return;
    }
    println!();
    let mut rows = vec![["PROCESS", "PID", "CPU%", "MEMORY", "THREADS", "FILES"].map(str::to_owned)];
    rows.extend(stats.top.iter().map(|p| {
        [
            p.process.clone(),
            p.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            format!("{:.1}", p.cpu_percent),
            render::bytes(p.memory_bytes),
            p.threads.to_string(),
            p.open_files.to_string(),
        ]
    }));
    render::columns(&rows);
}

fn plugin_line(p: &PluginUse) -> String {
    let faults = if p.faults > 0 { format!(", {} faults", p.faults) } else { String::new() };
    let why = match (p.status, &p.reason) {
        (PluginState::Active, _) | (_, None) => String::new(),
        (_, Some(reason)) => format!(": {reason}"),
    };
    format!("{}: {} calls, {} items in {} ms{faults}{why}", p.plugin, p.calls, p.items, p.busy_ms)
}

fn pressure_line(name: &str, pressure: &PressureStats) -> String {
    let some = pressure.some;
    let full = pressure.full.map(|f| format!("; all of them {:.1} %", f.avg60)).unwrap_or_default();
    format!(
        "{name}: tasks waited {:.1} % of the last 10 s, {:.1} % of the minute{full}",
        some.avg10, some.avg60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        assert_eq!(window("30s"), Ok(30_000));
        assert_eq!(window("30d"), Ok(2_592_000_000));
        for wrong in ["", "m", "10", "10x", "-1m", "99999999999999999d", "1ä"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
