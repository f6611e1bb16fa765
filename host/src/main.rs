//! hostler: start, look after, explain.

mod cli;
mod daemon;
mod mcp;
mod plugins;

fn main() -> std::process::ExitCode {
    cli::main()
}
