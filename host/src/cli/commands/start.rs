//! `hostler start`

use clap::Args as ClapArgs;
use hostler_api::process::StartProcess;

use super::spec_args::{Declaration, show_started};
use crate::cli::client::Client;
use crate::cli::exit::Outcome;

#[derive(ClapArgs)]
#[command(
    after_help = "Examples:\n  hostler start web -- npm run dev\n  hostler start api --restart on-failure --wait-for-log listening -- ./server --port 8080\n  hostler start web        (the stopped process of that name)"
)]
pub(in crate::cli) struct Args {
    /// Name of the process
    name: String,
    #[command(flatten)]
    declaration: Declaration,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
    /// The program and its arguments, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let mut spec = args.declaration.spec();
    if let Some((program, rest)) = args.command.split_first() {
        // The shell has split the words already: what is one word stays one.
        spec.command = Some(quoted(program));
        spec.args = Some(rest.to_vec());
        if spec.cwd.is_none() {
            spec.cwd = std::env::current_dir().ok().map(|d| d.to_string_lossy().into_owned());
        }
    }
    let request = StartProcess { name: args.name, spec, wait: args.declaration.wait(), project: None };
    show_started(Client::connect()?.call("start_process", &request)?, args.json)
}

fn quoted(word: &str) -> String {
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@:,%".contains(&b));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
