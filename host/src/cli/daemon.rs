//! `hostler daemon`

use std::time::{Duration, Instant};

use clap::{Args as ClapArgs, Subcommand};
use hostler_api::daemon::DaemonStatus;
use serde_json::json;

use super::client::{Client, parse};
use super::exit::{Failure, Outcome};
use super::{launch, render};
use crate::daemon::boot;
use crate::daemon::home::Home;
use crate::mcp::{STATUS_METHOD, STOP_METHOD};

/// A daemon that was told to end takes at most its bounded drain.
const END: Duration = Duration::from_secs(15);

#[derive(ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start it in the background, if it does not run
    Start {
        /// Serve MCP over HTTP too, at this port of 127.0.0.1 (0: any)
        #[arg(long, value_name = "PORT")]
        http: Option<u16>,
    },
    /// End it; processes run on, and the next daemon takes them over
    Stop,
    /// End it and start it again, for example after an upgrade; processes run on
    Restart {
        /// Serve MCP over HTTP too, at this port of 127.0.0.1 (0: any)
        #[arg(long, value_name = "PORT")]
        http: Option<u16>,
    },
    /// Show whether it runs, and how it is
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a unit for the user's systemd, so that what should run does so after a reboot
    Install,
    /// Be the daemon, in the foreground: for service managers
    Run {
        /// Leave the session and directory of whoever started it
        #[arg(long, hide = true)]
        detach: bool,
        /// Serve MCP over HTTP too, at this port of 127.0.0.1 (0: any)
        #[arg(long, value_name = "PORT")]
        http: Option<u16>,
    },
}

pub(super) fn run(args: Args) -> Outcome {
    let home = Home::find().map_err(Failure::unreachable)?;
    match args.command {
        Command::Start { http } => {
            start(&home, http)?;
            status(&home, false)
        }
        Command::Stop => stop(&home).map(|was_running| {
            println!("{}", if was_running { "stopped; processes run on" } else { "it was not running" });
        }),
        Command::Restart { http } => {
            stop(&home)?;
            start(&home, http)?;
            status(&home, false)
        }
        Command::Status { json } => status(&home, json),
        Command::Install => super::daemon_install::run(&home),
        Command::Run { detach, http } => be_the_daemon(&home, detach, http),
    }
}

fn start(home: &Home, http: Option<u16>) -> Outcome {
    let Some(mut client) = Client::connect_if_running(home) else { return launch::start_daemon(home, http) };
    let Some(port) = http else { return Ok(()) };
    let status: DaemonStatus = parse(client.request(STATUS_METHOD, json!({}))?)?;
    if status.http.is_some_and(|url| port == 0 || url.contains(&format!(":{port}/"))) {
        return Ok(());
    }
    Err(Failure::failed(format!("the daemon runs without it; `hostler daemon restart --http {port}`")))
}

/// Ends the daemon; whether one was running.
fn stop(home: &Home) -> Result<bool, Failure> {
    let Some(pid) = boot::running_pid(home) else { return Ok(false) };
    let asked = Client::connect_if_running(home).map(|mut client| client.request(STOP_METHOD, json!({})));
    if !matches!(asked, Some(Ok(_))) {
        // It holds the lock and does not answer.
        let process = rustix::process::Pid::from_raw(pid);
        process.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
    }
    let deadline = Instant::now() + END;
    while boot::running_pid(home) == Some(pid) {
        if Instant::now() > deadline {
            return Err(Failure::failed(format!(
                "the daemon (pid {pid}) does not end; `kill -9 {pid}` is safe: processes run on and nothing is lost"
            )));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    Ok(true)
}

fn status(home: &Home, as_json: bool) -> Outcome {
    let Some(mut client) = Client::connect_if_running(home) else {
        return Err(Failure::unreachable(format!(
            "the daemon is not running (home {}); `hostler daemon start` starts it, as does any other command",
            home.root().display()
        )));
    };
    let result = client.request(STATUS_METHOD, json!({}))?;
    if as_json {
        let status: DaemonStatus = parse(result)?;
        render::json(&serde_json::to_value(&status).map_err(|e| Failure::failed(e.to_string()))?);
        return Ok(());
    }
    let status: DaemonStatus = parse(result)?;
    println!("running (pid {}, version {})", status.pid, status.version);
    println!("  home       {}", status.home);
    println!("  socket     {}", status.socket);
    if let Some(url) = &status.http {
        println!("  http       {url}");
    }
    println!("  processes  {} declared, {} running", status.processes, status.running);
    for problem in &status.degraded {
        println!("  degraded   {problem}");
    }
    Ok(())
}

fn be_the_daemon(home: &Home, detach: bool, http: Option<u16>) -> Outcome {
    if detach {
        // A leader of a group cannot leave it; whoever started us made sure that we are none.
        let _ = rustix::process::setsid();
        let _ = std::env::set_current_dir("/");
    }
    boot::run(home, http).map_err(|error| {
        if detach {
            boot::report(&error);
        }
        Failure::unreachable(error)
    })
}
