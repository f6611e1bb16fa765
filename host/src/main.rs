//! hostler: start, look after, explain.

mod cli;
mod daemon;
mod mcp;

fn main() -> std::process::ExitCode {
    cli::main()
}
