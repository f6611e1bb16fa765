//! `hostler plugin …`

mod add;
mod check;
mod list;
mod new;
mod run;

use clap::{Args as ClapArgs, Subcommand};

use super::exit::Outcome;

#[derive(ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Begin a plugin: a crate with the SDK, a sample and a test
    New(new::Args),
    /// Check that a component is a plugin and stands what comes, and print the lines that declare it
    Check(check::Args),
    /// Try a plugin on a sample, under the limits that it will have
    Run(run::Args),
    /// Declare a plugin in the user's configuration
    Add(add::Args),
    /// Show the plugins that processes can name, and how they are
    List(list::Args),
}

pub(super) fn run(args: Args) -> Outcome {
    match args.command {
        Command::New(args) => new::run(args),
        Command::Check(args) => check::run(args),
        Command::Run(args) => run::run(args),
        Command::Add(args) => add::run(args),
        Command::List(args) => list::run(&args),
    }
}
