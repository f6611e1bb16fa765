//! `hostler attach`: the input and the output of a process, at this terminal.
//!
//! One thread reads what is typed, one listens to the process on a connection of its own, and this one sends what is to
//! be sent: so neither a process that does not read nor one that is silent keeps the other direction from working.

use std::io::{IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use hostler_api::ToolError;
use hostler_api::input::{Attach, AttachEnd, Attached, InputResult, Resize, SendInput};
use hostler_model::Stream;
use ratatui::crossterm::terminal;
use serde_json::{Value, json};

use crate::cli::client::{Client, parse};
use crate::cli::detach::{self, Detach};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::mcp::{ATTACH_METHOD, RESIZE_METHOD};

/// How often the size of the window is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A process that does not read is tried again after this long, so that the keys that detach are seen meanwhile.
const PATIENCE_MS: u64 = 200;
/// Most that is read of what is typed or piped before it is sent.
const WAITING: usize = 256 * 1024;

#[derive(ClapArgs)]
#[command(
    after_help = "At a terminal, the keys of --detach-keys leave the process as it is. A process without one (started without --pty) is\ngiven line after line; there Ctrl-D ends its input, and Ctrl-C leaves it as it is. What is piped into attach is sent, and\nattach ends with it."
)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id of a process that runs
    process: String,
    /// How many of its newest lines to show first
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: u32,
    /// The keys that detach, one after the other; nothing for none
    #[arg(long, value_name = "KEYS", default_value = detach::DEFAULT)]
    detach_keys: String,
    /// Close the input of the process at the end of what is piped in
    #[arg(long)]
    eof: bool,
    /// Show the output and send nothing
    #[arg(long, conflicts_with = "eof")]
    no_stdin: bool,
}

enum Event {
    /// The process is there: whether it is on a terminal.
    Begun(bool),
    Typed(Vec<u8>),
    Detached,
    /// Nothing more will be typed.
    EndOfInput,
    Ended(Box<AttachEnd>),
    Failed(Failure),
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let detach = Detach::parse(&args.detach_keys)
        .map_err(|error| ToolError::invalid(format!("--detach-keys: {error}")))?;
    let (events, inbox) = channel();
    let request = Attach { process: args.process.clone(), lines: args.lines };
    let output = events.clone();
    let mut listening = Client::connect()?;
    // Nothing is shown before the terminal is as the output wants it; dropped when it is.
    let (preparing, prepared) = channel::<()>();
    std::thread::spawn(move || {
        let last = listen(&mut listening, &request, &output, &prepared).unwrap_or_else(Event::Failed);
        let _ = output.send(last);
    });
    let pty = match inbox.recv() {
        Ok(Event::Begun(pty)) => pty,
        Ok(Event::Failed(failure)) => return Err(failure),
        Ok(Event::Ended(end)) => return ended(&args.process, &end),
        Ok(_) | Err(_) => return Err(Failure::failed("the daemon answered out of turn")),
    };
    let is_person = std::io::stdin().is_terminal();
    let raw = (pty && is_person && !args.no_stdin).then(Raw::begin).transpose()?;
    if is_person && !args.no_stdin {
        tell_how_to_leave(&args, pty);
    }
    drop(preparing);
    if !args.no_stdin {
        let detach = if raw.is_some() { detach } else { Detach::parse("").unwrap_or(detach) };
        let typed = events.clone();
        std::thread::spawn(move || read_input(detach, &typed));
    }
    drop(events);
    let client = Client::connect()?;
    let mut session =
        Session { args: &args, client, pending: Vec::new(), at_end: false, refused: None, size: None };
    let outcome = session.run(&inbox, raw.is_some() && pty, is_person);
    // Before anything is said, so that lines begin where they should.
    drop(raw);
    match outcome? {
        Some(end) => ended(&args.process, &end),
        None if is_person => {
            let unsent = match session.pending.len() {
                0 => String::new(),
                bytes => format!("; it did not read, and {bytes} bytes were not sent"),
            };
            render::note(&format!("detached; {} runs on{unsent}", args.process));
            Ok(())
        }
        None => Ok(()),
    }
}

fn tell_how_to_leave(args: &Args, pty: bool) {
    let how = match (pty, args.detach_keys.as_str()) {
        (false, _) => "Ctrl-C detaches, Ctrl-D ends its input".to_owned(),
        (true, "") => "no keys detach".to_owned(),
        (true, keys) => format!("{} detaches", keys.replace(',', " ")),
    };
    // On a raw terminal a line feed alone does not go back to the beginning.
    let _ = write!(std::io::stderr(), "attached to {}; {how}\r\n", args.process);
}

/// What is said of an end, and the exit code.
fn ended(process: &str, end: &AttachEnd) -> Outcome {
    let Some(exit) = &end.exit else {
        return Err(Failure::failed(format!("{process} is {}", end.status.as_str())));
    };
    match (exit.code, &exit.signal) {
        (Some(0), _) => {
            render::note(&format!("{process} has ended"));
            Ok(())
        }
        (Some(code), _) => Err(Failure::failed(format!("{process} has ended with exit code {code}"))),
        (None, Some(signal)) => Err(Failure::failed(format!("{process} was ended by {signal}"))),
        (None, None) => Err(Failure::failed(format!("{process} has ended, and how is not known"))),
    }
}

/// Shows the output until the run is over.
fn listen(
    client: &mut Client,
    request: &Attach,
    events: &Sender<Event>,
    prepared: &Receiver<()>,
) -> Result<Event, Failure> {
    let params = serde_json::to_value(request).map_err(|e| Failure::failed(e.to_string()))?;
    let end = client.listen(ATTACH_METHOD, params, |told| {
        match serde_json::from_value(told) {
            Ok(Attached::Begun { pty }) => {
                let _ = events.send(Event::Begun(pty));
                let _ = prepared.recv();
            }
            Ok(Attached::Output { stream, base64 }) => show(stream, &base64)?,
            Ok(Attached::Skipped) => render::note("\r\n[output was skipped here; hostler logs has it]\r"),
            Err(_) => {}
        }
        Ok(())
    })?;
    Ok(Event::Ended(Box::new(parse(end)?)))
}

fn show(stream: Stream, base64: &str) -> Outcome {
    let bytes = STANDARD.decode(base64).map_err(|e| Failure::failed(e.to_string()))?;
    let written = match stream {
        Stream::Stdout => write_all(std::io::stdout().lock(), &bytes),
        Stream::Stderr => write_all(std::io::stderr().lock(), &bytes),
    };
    written.map_err(|e| Failure::failed(format!("cannot write the output: {e}")))
}

fn write_all(mut to: impl Write, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// Reads what is typed, until the keys that detach or the end.
fn read_input(mut detach: Detach, events: &Sender<Event>) {
    let mut buffer = [0; 4096];
    let mut stdin = std::io::stdin().lock();
    while let Ok(length @ 1..) = stdin.read(&mut buffer) {
        let (typed, detached) = detach.feed(&buffer[..length]);
        let sent = typed.is_empty() || events.send(Event::Typed(typed)).is_ok();
        if detached {
            let _ = events.send(Event::Detached);
        }
        if detached || !sent {
            return;
        }
    }
    let _ = events.send(Event::EndOfInput);
}

/// The direction towards the process.
struct Session<'a> {
    args: &'a Args,
    client: Client,
    /// What was typed and is not sent yet.
    pending: Vec<u8>,
    /// Nothing more will be typed.
    at_end: bool,
    /// Why it took no input.
    refused: Option<String>,
    size: Option<(u16, u16)>,
}

impl Session<'_> {
    /// Sends until somebody detaches (`None`) or the run ends.
    fn run(
        &mut self,
        inbox: &Receiver<Event>,
        has_window: bool,
        is_person: bool,
    ) -> Result<Option<AttachEnd>, Failure> {
        loop {
            if has_window {
                self.resize()?;
            }
            if self.at_end && self.pending.is_empty() {
                // A person who ended the input stays to see what comes of it.
                self.end_input(is_person)?;
                if !is_person && !self.args.eof {
                    return Ok(None);
                }
                self.at_end = false;
            }
            // What is piped in waits where it comes from.
            let patience = if self.pending.is_empty() { LOOK } else { Duration::ZERO };
            let event = match self.pending.len() > WAITING {
                true => Err(RecvTimeoutError::Timeout),
                false => inbox.recv_timeout(patience),
            };
            match event {
                Ok(Event::Typed(bytes)) => self.pending.extend(bytes),
                Ok(Event::Detached) => return Ok(None),
                Ok(Event::EndOfInput) => self.at_end = true,
                Ok(Event::Ended(end)) => return Ok(Some(*end)),
                Ok(Event::Failed(failure)) => return Err(failure),
                Ok(Event::Begun(_)) => {}
                // Its run goes on, or its end would have been told by now.
                Err(RecvTimeoutError::Timeout) => {
                    self.refused.take().iter().for_each(|why| render::note(&format!("{why}\r")));
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
            self.send()?;
        }
    }

    fn request(&self) -> SendInput {
        let timeout_ms = Some(PATIENCE_MS);
        SendInput { process: self.args.process.clone(), timeout_ms, ..SendInput::default() }
    }

    /// Sends what the process takes of it.
    fn send(&mut self) -> Outcome {
        if self.pending.is_empty() {
            return Ok(());
        }
        let piece = &self.pending[..self.pending.len().min(WAITING)];
        let request = SendInput { base64: Some(STANDARD.encode(piece)), ..self.request() };
        match self.client.read::<_, InputResult>("send_input", &request) {
            Ok(result) => {
                let written = usize::try_from(result.written_bytes).unwrap_or(usize::MAX);
                self.pending.drain(..written.min(self.pending.len()));
                Ok(())
            }
            // The end of the run is told by the other connection, with how it ended.
            Err(failure) if failure.code == 1 => {
                self.pending.clear();
                self.refused = Some(failure.message);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn end_input(&mut self, is_person: bool) -> Outcome {
        if !is_person && !self.args.eof {
            return Ok(());
        }
        let request = SendInput { eof: true, ..self.request() };
        match self.client.read::<_, InputResult>("send_input", &request) {
            Err(failure) if failure.code != 1 => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Gives the process the size of this window, when it is another one.
    fn resize(&mut self) -> Outcome {
        let Some((cols, rows)) = terminal::size().ok().filter(|size| self.size != Some(*size)) else {
            return Ok(());
        };
        self.size = Some((cols, rows));
        let resize = Resize { process: self.args.process.clone(), rows, cols };
        let params = serde_json::to_value(resize).unwrap_or_else(|_| json!({}));
        let _: Value = self.client.request(RESIZE_METHOD, params)?;
        Ok(())
    }
}

/// A terminal that gives every key as it is, until this is dropped.
struct Raw;

impl Raw {
    fn begin() -> Result<Self, Failure> {
        terminal::enable_raw_mode().map_err(|e| Failure::failed(format!("the terminal: {e}")))?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}
