//! `hostler plugin new`

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use hostler_plugin_host::Kind;

use crate::cli::exit::Outcome;
use crate::plugins::scaffold;

#[derive(ClapArgs)]
pub(super) struct Args {
    /// Its name, in kebab-case
    name: String,
    /// What it is for
    #[arg(long)]
    world: World,
    /// Where to write the crate; a directory of its name here by default
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum World {
    /// Level, time, message and fields of lines
    LogParser,
    /// Whether a process does its work
    HealthCheck,
    /// What kind of error a text is about
    ErrorCategorizer,
}

pub(super) fn run(args: Args) -> Outcome {
    let kind = match args.world {
        World::LogParser => Kind::LogParser,
        World::HealthCheck => Kind::HealthCheck,
        World::ErrorCategorizer => Kind::ErrorCategorizer,
    };
    let dir = args.dir.unwrap_or_else(|| PathBuf::from(&args.name));
    let made = scaffold::create(kind, &args.name, &dir)?;
    println!("{} has {} files: begin with src/lib.rs. Then, in there:", made.dir.display(), made.files.len());
    println!("  cargo test");
    println!("  rustup target add wasm32-wasip2");
    println!("  cargo build --release --target wasm32-wasip2");
    println!("  hostler plugin check {}", made.component);
    println!("  hostler plugin run {} --input {}", made.component, made.sample);
    Ok(())
}
