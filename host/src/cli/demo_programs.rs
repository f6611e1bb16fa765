//! Real programs that this binary can play, so that the demo needs nothing else.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use super::exit::{Failure, Outcome};

#[derive(ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// An HTTP server on loopback
    Http { port: u16 },
    /// A worker that reports on each of its jobs
    Worker,
    /// A service that cannot start without its configuration
    Crash,
    /// A job that takes more and more memory
    Hog,
}

pub(super) fn run(args: Args) -> Outcome {
    match args.program {
        Program::Http { port } => http(port),
        Program::Worker => worker(),
        Program::Crash => Err(crash()),
        Program::Hog => hog(),
    }
}

fn http(port: u16) -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .map_err(|e| Failure::failed(format!("cannot listen on port {port}: {e}")))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming().flatten() {
        if let Err(error) = answer(stream) {
            eprintln!("a request failed: {error}");
        }
    }
    Ok(())
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    println!("{} -> 200", request.trim_end());
    let body = "hello from a supervised process\n";
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    reader.get_mut().write_all(format!("{head}{body}").as_bytes())
}

fn worker() -> Outcome {
    for job in 1_u64.. {
        println!("job {job} done");
        if job % 5 == 0 {
            eprintln!("job {job} needed a second try");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
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

fn crash() -> Failure {
    println!("reading configuration");
    eprintln!("error: the variable DATABASE_URL is not set");
    eprintln!("  at load_config (src/config.rs:42)");
    Failure { message: String::new(), code: 3 }
}
