//! Finding the daemon, and starting one when there is none.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hostler_api::connection::{PREAMBLE_VERSION, Preamble, Selection, Welcome};

use super::exit::Failure;
use crate::daemon::boot::READY;
use crate::daemon::home::Home;
use crate::daemon::socket_path;

/// A daemon that was reached and ended at once is followed by another try, this often.
const TRIES: usize = 5;

/// A daemon that is reached welcomes at once; one that is stopped or overloaded has this long.
const WELCOME: Duration = Duration::from_secs(20);

/// Connects to the daemon of a home, starting one when there is none, and introduces this client.
pub(super) fn connect(home: &Home, client: &str) -> Result<UnixStream, Failure> {
    connect_selecting(home, client, &Selection::default())
}

/// Connects likewise, and sees only some of the tools.
pub(super) fn connect_selecting(
    home: &Home,
    client: &str,
    selection: &Selection,
) -> Result<UnixStream, Failure> {
    let mut lost = match introduce(home, client, selection) {
        Ok(stream) => return Ok(stream),
        Err(lost) => lost,
    };
    for _ in 0..TRIES {
        start_daemon(home, None)?;
        match introduce(home, client, selection) {
            Ok(stream) => return Ok(stream),
            Err(error) => lost = error,
        }
    }
    let socket = home.socket();
    Err(Failure::unreachable(format!("the daemon runs, but {} does not answer: {lost}", socket.display())))
}

/// Connects to a daemon that runs, introduces this client, and waits to be welcomed.
///
/// # Errors
/// When none does.
pub(super) fn try_connect(home: &Home, client: &str) -> std::io::Result<UnixStream> {
    introduce(home, client, &Selection::default())
}

/// Connects to a daemon that runs, and sees only some of the tools.
pub(super) fn introduce(home: &Home, client: &str, selection: &Selection) -> std::io::Result<UnixStream> {
    let socket = home.socket();
    let (_dir, path) = socket_path(&socket)?;
    let mut stream = UnixStream::connect(path)?;
    let preamble = Preamble {
        hostler: PREAMBLE_VERSION,
        cwd: std::env::current_dir()?.to_string_lossy().into_owned(),
        path: std::env::var("PATH").ok(),
        client: client.to_owned(),
        welcome: true,
        selection: selection.clone(),
    };
    let mut line = serde_json::to_vec(&preamble)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.set_read_timeout(Some(WELCOME))?;
    let welcome = read_welcome(&mut stream)?;
    if !selection.is_all() && !welcome.selected {
        let message =
            "the daemon is of an older version and would show all tools; run `hostler daemon restart`";
        return Err(std::io::Error::other(message));
    }
    stream.set_read_timeout(None)?;
    Ok(stream)
}

/// Reads the welcome and nothing after it: what follows belongs to the connection.
fn read_welcome(stream: &mut UnixStream) -> std::io::Result<Welcome> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    match serde_json::from_slice::<Welcome>(&line) {
        Ok(welcome) => Ok(welcome),
        // A refusal, which says why.
        Err(_) => Err(std::io::Error::other(String::from_utf8_lossy(&line).trim().to_owned())),
    }
}

/// Starts a daemon in the background and waits until clients can connect.
/// The port, where one is given, is where it serves HTTP.
pub(super) fn start_daemon(home: &Home, http: Option<u16>) -> Result<(), Failure> {
    let failed = |what: &str| {
        Failure::unreachable(format!("the daemon did not start: {what} (its log: {})", home.log().display()))
    };
    for _ in 0..TRIES {
        let text = run_detached(home, http).map_err(|e| failed(&e.to_string()))?;
        match text.trim() {
            READY => return Ok(()),
            // Killed before it could say anything: nothing that another one could not do.
            "" => {}
            text => return Err(failed(text)),
        }
    }
    Err(failed(&format!("{TRIES} of them ended without a word")))
}

/// The file of this program. After an upgrade the kernel says that the one that was executed is deleted; the new one
/// has its name.
pub(super) fn own_program() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let renamed = program.as_os_str().as_bytes().strip_suffix(b" (deleted)");
    Ok(match renamed {
        Some(path) if !program.exists() => PathBuf::from(OsStr::from_bytes(path)),
        _ => program,
    })
}

/// Starts a daemon and answers its report: [`READY`], or why it ended, or nothing.
fn run_detached(home: &Home, http: Option<u16>) -> std::io::Result<String> {
    let mut child = Command::new(own_program()?)
        .args(["daemon", "run", "--detach"])
        .args(http.map(|port| format!("--http={port}")))
        .env(crate::daemon::home::VARIABLE, home.root())
        .env(crate::daemon::home::POLICY_VARIABLE, home.policy())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut report = BufReader::new(stdout);
        let _ = report.read_line(&mut text);
        if text.trim() == READY {
            return Ok(text);
        }
        let _ = report.read_to_string(&mut text);
    }
    let _ = child.wait();
    Ok(text)
}
