//! `hostler top`: a live view of the processes, with keys to start, stop and restart them.

mod draw;
mod state;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use hostler_api::monitoring::GetSystemStats;
use hostler_api::process::{Detail, ListProcesses, ProcessList};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::{Value, json};

use super::client::Client;
use super::exit::{Failure, NO_PROCESS, Outcome, UNREACHABLE};
use crate::daemon::home::Home;
use state::{Action, Key, State};

/// Between two looks.
const REFRESH: Duration = Duration::from_secs(1);

/// Lines of the log that are asked for.
const LOG_LINES: u32 = 60;

#[derive(ClapArgs)]
pub(super) struct Args {
    /// Those of every project
    #[arg(long, short)]
    all_projects: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    if !(std::io::stdout().is_terminal() && std::io::stdin().is_terminal()) {
        return Err(Failure {
            message: "top needs a terminal; `hostler ps` prints the list".into(),
            code: 2,
        });
    }
    let mut client = Client::connect()?;
    let is_told_to_end = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        signal_hook::flag::register(signal, is_told_to_end.clone()).map_err(failed)?;
    }
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let outcome = watch(&mut terminal, &mut client, &args, &is_told_to_end);
    ratatui::restore();
    outcome
}

fn failed(error: std::io::Error) -> Failure {
    Failure::failed(format!("the terminal: {error}"))
}

/// Until a key or a signal ends it: either way the terminal is given back as it was.
fn watch(
    terminal: &mut DefaultTerminal,
    client: &mut Client,
    args: &Args,
    is_told_to_end: &AtomicBool,
) -> Outcome {
    let mut state = State::default();
    let (done, messages): (Sender<String>, Receiver<String>) = channel();
    let mut next = Instant::now();
    while !is_told_to_end.load(Ordering::Relaxed) {
        state.message = messages.try_iter().last().unwrap_or(state.message);
        if Instant::now() >= next {
            let outcome = refresh(client, &mut state, args);
            endure(outcome, client, &mut state)?;
            next = Instant::now() + REFRESH;
        }
        terminal.draw(|frame| draw::all(frame, &state)).map_err(failed)?;
        let patience = next.saturating_duration_since(Instant::now()).min(REFRESH / 4);
        if !event::poll(patience).map_err(failed)? {
            continue;
        }
        let Event::Key(pressed) = event::read().map_err(failed)? else { continue };
        let Some(key) = meaning(pressed) else { continue };
        match state.on_key(key) {
            Action::Quit => return Ok(()),
            Action::None => {
                let outcome = read_log(client, &mut state);
                endure(outcome, client, &mut state)?;
            }
            Action::Call { tool, id, project, name } => {
                let done = done.clone();
                // A stop lasts as long as its grace; meanwhile the view goes on.
                std::thread::spawn(move || done.send(call(tool, &id, &project, &name)));
                next = Instant::now() + REFRESH / 4;
            }
        }
    }
    Ok(())
}

/// A daemon that is gone is waited for, since restarts of it are nothing special; a new one is not started, as it may
/// have been stopped on purpose.
fn endure(outcome: Outcome, client: &mut Client, state: &mut State) -> Outcome {
    let Err(Failure { message, code: UNREACHABLE }) = outcome else { return outcome };
    state.message = message;
    if let Some(again) = Home::find().ok().and_then(|home| Client::connect_if_running(&home)) {
        *client = again;
        state.message = "the daemon was restarted".to_owned();
    }
    Ok(())
}

fn meaning(pressed: KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        KeyCode::Char('s') => Some(Key::Start),
        KeyCode::Char('x') => Some(Key::Stop),
        KeyCode::Char('r') => Some(Key::Restart),
        _ => None,
    }
}

fn refresh(client: &mut Client, state: &mut State, args: &Args) -> Outcome {
    let request = ListProcesses {
        all_projects: args.all_projects,
        detail: Detail::Full,
        limit: Some(500),
        ..ListProcesses::default()
    };
    let list: ProcessList = client.read("list_processes", &request)?;
    state.update(list.processes);
    state.system = client.read("get_system_stats", &GetSystemStats { top: Some(0), project: None }).ok();
    read_log(client, state)
}

fn read_log(client: &mut Client, state: &mut State) -> Outcome {
    let Some(process) = state.selected() else { return Ok(()) };
    let request = json!({"process": process.id, "lines": LOG_LINES});
    let tail: Value = match client.read("tail_logs", &request) {
        // It was removed since the list was made; the next list knows.
        Err(Failure { code: NO_PROCESS, .. }) => return Ok(()),
        tail => tail?,
    };
    let text = tail["text"].as_str().unwrap_or_default();
    state.log = text.lines().map(|line| hostler_model::text::readable(line.as_bytes())).collect();
    Ok(())
}

/// Carries out what a key asked for, on a connection of its own; what to say of it.
fn call(tool: &'static str, id: &str, project: &str, name: &str) -> String {
    let request = match tool {
        "start_process" => json!({"name": name, "project": project}),
        _ => json!({"process": id}),
    };
    let called = Client::connect().and_then(|mut client| client.call(tool, &request));
    match called {
        Ok(answered) => answered.failure.unwrap_or_else(|| format!("{tool} {name}: done")),
        Err(failure) => failure.message,
    }
}
