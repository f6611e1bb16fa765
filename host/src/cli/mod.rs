//! The command line: arguments and rendering only. Every command is an MCP client of the daemon's socket, but for those
//! that need no daemon: `plugin`, `doctor` and `completions`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the renderer for people and pipes")]

mod client;
mod commands;
mod daemon;
mod daemon_install;
mod demo;
mod detach;
mod doctor;
mod exit;
mod graph;
mod launch;
mod mcp;
mod plugin;
mod render;
mod spark;
mod top;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use exit::Failure;

/// Start, stop, watch and explain processes: for agents through MCP, and for you.
#[derive(Parser)]
#[command(name = "hostler", version, about, after_help = exit::HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a process, or a stopped one again
    Start(commands::start::Args),
    /// Stop processes and all their descendants
    Stop(commands::stop::Args),
    /// Restart a process
    Restart(commands::restart::Args),
    /// Kill a process tree, or send it a signal
    Kill(commands::kill::Args),
    /// List processes
    Ps(commands::ps::Args),
    /// Check the health of a process now, or show that of all
    Health(commands::health::Args),
    /// Show all about one process
    Info(commands::info::Args),
    /// Type to a process and see what it writes
    Attach(commands::attach::Args),
    /// Show or follow the output of processes
    Logs(commands::logs::Args),
    /// Show what went wrong, grouped by cause
    Errors(commands::errors::Args),
    /// Mark errors as resolved
    Resolve(commands::resolve::Args),
    /// Find lines in the output of a process, or of all
    Search(commands::search::Args),
    /// Tell what many lines say: what they have in common, with counts
    Summary(commands::summary::Args),
    /// Remove kept output
    Clear(commands::clear::Args),
    /// Show what a process used over time, or what the machine uses now
    Stats(commands::stats::Args),
    /// Make all be as a hostler.toml says
    Up(commands::up::UpArgs),
    /// Stop and forget all that came from a hostler.toml
    Down(commands::up::DownArgs),
    /// Trust a hostler.toml as it is now
    Trust(commands::up::TrustArgs),
    /// Propose a stack for a directory, with the reasons; writes nothing
    Analyze(commands::analyze::Args),
    /// Write a hostler.toml from the file of another tool: Procfile, package.json, pm2, supervisord, compose
    Import(commands::import::Args),
    /// Print the JSON schema of hostler.toml, for editors
    Schema,
    /// Start and stop processes together, in the order of what needs what
    Group(commands::group::Args),
    /// Show what waits for what, with its live state: as text or as a picture
    Graph(graph::Args),
    /// Watch the processes live: use, health, log; start, stop and restart them by keys
    Top(top::Args),
    /// Serve MCP on stdin and stdout: the command for an agent's configuration
    Mcp(mcp::Args),
    /// Write, check and try plugins
    Plugin(plugin::Args),
    /// Control the daemon
    Daemon(daemon::Args),
    /// See it work: a tour in a private home, as an agent sees it
    Demo,
    /// Check that everything hostler needs is there
    Doctor,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print docs/tools.md: all that MCP clients see
    #[command(hide = true)]
    Reference,
    /// A program that the demo supervises
    #[command(hide = true)]
    DemoProgram(demo::programs::Args),
}

/// Parses the arguments, runs the command, and answers the exit code.
pub(crate) fn main() -> ExitCode {
    restore_sigpipe();
    let outcome = match Cli::parse().command {
        Command::Start(args) => commands::start::run(args),
        Command::Stop(args) => commands::stop::run(args),
        Command::Restart(args) => commands::restart::run(args),
        Command::Kill(args) => commands::kill::run(args),
        Command::Ps(args) => commands::ps::run(args),
        Command::Health(args) => commands::health::run(args),
        Command::Info(args) => commands::info::run(args),
        Command::Attach(args) => commands::attach::run(args),
        Command::Logs(args) => commands::logs::run(args),
        Command::Errors(args) => commands::errors::run(args),
        Command::Resolve(args) => commands::resolve::run(args),
        Command::Search(args) => commands::search::run(args),
        Command::Summary(args) => commands::summary::run(args),
        Command::Clear(args) => commands::clear::run(args),
        Command::Stats(args) => commands::stats::run(args),
        Command::Top(args) => top::run(args),
        Command::Up(args) => commands::up::up(args),
        Command::Down(args) => commands::up::down(args),
        Command::Trust(args) => commands::up::trust(args),
        Command::Analyze(args) => commands::analyze::run(args),
        Command::Import(args) => commands::import::run(args),
        Command::Schema => {
            println!("{:#}", hostler_config::schema());
            Ok(())
        }
        Command::Group(args) => commands::group::run(args),
        Command::Graph(args) => graph::run(args),
        Command::Mcp(args) => mcp::run(args),
        Command::Plugin(args) => plugin::run(args),
        Command::Daemon(args) => daemon::run(args),
        Command::Demo => demo::run(),
        Command::Doctor => doctor::run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "hostler", &mut std::io::stdout());
            Ok(())
        }
        Command::Reference => {
            print!("{}", crate::mcp::reference());
            Ok(())
        }
        Command::DemoProgram(args) => demo::programs::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            if !message.is_empty() {
                render::note(&format!("hostler: {message}"));
            }
            ExitCode::from(code)
        }
    }
}

/// `hostler logs | head` ends quietly, as every tool of a pipeline does.
fn restore_sigpipe() {
    // SAFETY: restores the default disposition before any thread is started.
    #[allow(unsafe_code, reason = "the standard library ignores SIGPIPE and has no stable way back")]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
