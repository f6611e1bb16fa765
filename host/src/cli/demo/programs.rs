//! Real programs that this binary can play, so that the demo needs nothing else.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use serde_json::json;

use crate::cli::exit::{Failure, Outcome};

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// An HTTP server on loopback; once it was asked for /break, it answers 503 until it is restarted
    Http { port: u16 },
    /// A worker that logs in JSON
    Payments,
    /// A service that needs a variable of the environment
    Api,
    /// A service that needs its configuration file
    Mailer { config: PathBuf },
    /// A job that takes more and more memory
    Hog,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    match args.program {
        Program::Http { port } => http(port),
        Program::Payments => payments(),
        Program::Api => Err(api()),
        Program::Mailer { config } => mailer(&config),
        Program::Hog => hog(),
    }
}

fn http(port: u16) -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .map_err(|e| Failure::failed(format!("cannot listen on port {port}: {e}")))?;
    println!("listening on http://127.0.0.1:{port}");
    let mut is_broken = false;
    for stream in listener.incoming().flatten() {
        if let Err(error) = answer(stream, &mut is_broken) {
            eprintln!("a request failed: {error}");
        }
    }
    Ok(())
}

fn answer(stream: TcpStream, is_broken: &mut bool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let status = if *is_broken { "503 Service Unavailable" } else { "200 OK" };
    *is_broken |= request.starts_with("GET /break ");
    println!("{} -> {status}", request.trim_end());
    let body = "hello from a supervised process\n";
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    reader.get_mut().write_all(format!("{head}{body}").as_bytes())
}

fn payments() -> Outcome {
    for order in 1_u64.. {
        let is_good = order % 3 != 0;
        let line = if is_good {
            json!({"level": "info", "msg": "payment accepted", "order": order})
        } else {
            json!({"level": "warn", "msg": "payment declined", "order": order, "reason": "card expired"})
        };
        println!("{line}");
        if order == 4 {
            eprintln!("WARN the bank answers slowly");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}

fn mailer(config: &Path) -> Outcome {
    println!("reading {}", config.display());
    std::fs::read(config)
        .map_err(|e| Failure::failed(format!("error: cannot open {}: {e}", config.display())))?;
    println!("ready");
    loop {
        std::thread::park();
    }
}

fn hog() -> Outcome {
    const PIECE: usize = 8 << 20;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = vec![0_u8; PIECE];
        piece.iter_mut().step_by(1024).for_each(|byte| *byte = 1);
        pieces.push(piece);
        println!("loaded {} MiB", (pieces.len() * PIECE) >> 20);
        std::thread::park_timeout(Duration::from_millis(60));
    }
}

fn api() -> Failure {
    println!("reading configuration");
    eprintln!("error: the variable DATABASE_URL is not set");
    eprintln!("  at load_config (src/config.rs:42)");
    Failure { message: String::new(), code: 3 }
}
