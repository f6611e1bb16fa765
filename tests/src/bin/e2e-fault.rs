//! A program that does what programs do to their supervisors.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what the tests look at")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run"] => run(),
        ["lines", count] => lines(number(count)),
        ["noise", count] => noise(number(count)),
        ["count", ms] => count(number(ms), u64::MAX),
        ["count", ms, last, code] => {
            count(number(ms), number(last));
            return exit(code);
        }
        ["later", go, code] => {
            println!("ready");
            wait_for_file(go);
            println!("afterwards");
            return exit(code);
        }
        ["exit", code, rest @ ..] => {
            rest.iter().for_each(|line| eprintln!("{line}"));
            return exit(code);
        }
        ["alone", lock, truth, seed] => return alone(lock, truth, number(seed)),
        ["worker", truth, seed] => return worker(truth, number(seed)),
        ["signal", signal] => raise(number(signal) as i32),
        ["dump"] => dump(),
        ["work", hundredths] => work(number(hundredths)),
        ["stubborn"] => {
            handle(libc::SIGTERM);
            run();
        }
        ["signals"] => signals(),
        ["trace"] => {
            trace();
            run();
        }
        ["trace", code] => {
            trace();
            return exit(code);
        }
        ["errors", count] => {
            errors(number(count));
            run();
        }
        ["family", members] => family(number(members), "run"),
        ["family", members, kind] => family(number(members), kind),
        ["branch", kind] => branch(kind),
        ["parent", rest @ ..] => return parent(rest),
        ["after", go, rest @ ..] => {
            wait_for_file(go);
            panic!("{}", this_program().args(rest).exec());
        }
        ["listen", port] => return listen(port),
        ["listen", port, go] => {
            wait_for_file(go);
            return listen(port);
        }
        ["notify", go] => notify(go),
        ["serve", port, ill] => return serve(port, ill),
        ["long", bytes] => long(number(bytes) as usize),
        ["huge", bytes] => huge(number(bytes)),
        ["rate", lines, seconds] => rate(number(lines), number(seconds)),
        ["garbage"] => garbage(),
        ["bytes", seed, pieces] => bytes(number(seed), number(pieces)),
        ["progress"] => progress(),
        ["flood"] => flood(),
        ["echo"] => echo(""),
        ["prompt"] => echo("> "),
        ["closed"] => closed(),
        ["slow", ms] => slow(number(ms)),
        ["window"] => window(),
        ["hog", mib, ms] => hog(number(mib) as usize, number(ms)),
        ["hog", mib, ms, group] => {
            enter(group);
            hog(number(mib) as usize, number(ms));
        }
        ["spin"] => spin(),
        ["flood", go] => {
            wait_for_file(go);
            flood();
        }
        ["variable", name] => println!("{name}={}", std::env::var(name).unwrap_or_default()),
        ["cwd"] => println!("{}", std::env::current_dir().unwrap_or_default().display()),
        ["arguments", rest @ ..] => rest.iter().for_each(|word| println!("<{word}>")),
        _ => {
            eprintln!("e2e-fault: what is {words:?}?");
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|e| panic!("{word}: {e}"))
}

fn exit(code: &str) -> ExitCode {
    ExitCode::from(code.parse::<u8>().unwrap_or_else(|e| panic!("{code}: {e}")))
}

/// A trace of Python on standard error, in pieces, while standard output goes on.
fn trace() {
    const PIECES: [&str; 6] = [
        "Traceback (most recent call last):\n  File \"/app/shop/main.py\", line 31, in mai",
        "n\n    load_orders()\n",
        "  File \"/app/shop/db.py\", line 42, in load_orders\n",
        "    connect(host)\n  File \"/usr/lib/python3.12/socket.py\", line 852, in create_connection\n",
        "    raise exceptions[0]\nConnectionRefusedError: [Errno 111] Connection ref",
        "used\n",
    ];
    for (number, piece) in PIECES.iter().enumerate() {
        eprint!("{piece}");
        println!("request {number} served");
        pause(Duration::from_millis(15));
    }
}

/// So many errors that are the same but for their numbers.
fn errors(count: u64) {
    let mut out = std::io::stderr().lock();
    for n in 1..=count {
        writeln!(out, "ERROR: job {n} failed after {} ms", n * 7 % 1000).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Until killed.
fn run() {
    println!("ready");
    loop {
        std::thread::park_timeout(Duration::from_secs(3600));
    }
}

/// So many lines of 100 characters that nobody can compress by much.
fn noise(count: u64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state >> 58) as u8)
    };
    for _ in 0..count {
        println!("{}", std::iter::repeat_with(&mut letter).take(100).collect::<String>());
    }
}

/// So many lines on each of both streams, in turn.
fn lines(count: u64) {
    for n in 1..=count {
        println!("out {n}");
        eprintln!("err {n}");
    }
}

/// A numbered line every few milliseconds.
fn count(ms: u64, last: u64) {
    for n in 1..=last {
        println!("n {n}");
        pause(Duration::from_millis(ms));
    }
}

fn pause(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

static LAST: AtomicI32 = AtomicI32::new(0);

extern "C" fn remember(signal: i32) {
    LAST.store(signal, Ordering::SeqCst);
}

#[allow(unsafe_code, reason = "the standard library has no way to handle a signal")]
fn handle(signal: i32) {
    let handler = remember as extern "C" fn(i32) as libc::sighandler_t;
    // SAFETY: the handler only stores to an atomic.
    unsafe { libc::signal(signal, handler) };
}

/// Dies of a signal, whatever the parent ignored.
#[allow(unsafe_code, reason = "the standard library cannot raise a signal")]
fn raise(signal: i32) {
    // SAFETY: restores a default disposition and signals this process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Aborts with a core, as far as the machine makes any.
fn dump() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: maximum, maximum }).unwrap_or_else(|e| panic!("{e}"));
    raise(libc::SIGABRT);
}

/// Says which of HUP, USR1 and USR2 it got.
fn signals() {
    for signal in [libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2] {
        handle(signal);
    }
    println!("ready");
    loop {
        match LAST.swap(0, Ordering::SeqCst) {
            0 => pause(Duration::from_millis(5)),
            libc::SIGHUP => println!("got HUP"),
            libc::SIGUSR1 => println!("got USR1"),
            other => println!("got {other}"),
        }
    }
}

/// Numbered lines on both streams, and then the end with a status. What it did also stands in a file of its own, so
/// that it can be compared with what the supervisor says: `start PID` and `end PID LINES STATUS`.
fn worker(truth: &str, seed: u64) -> ExitCode {
    handle(libc::SIGTERM);
    let pid = std::process::id();
    let mut file =
        std::fs::File::options().create(true).append(true).open(truth).unwrap_or_else(|e| panic!("{e}"));
    let mut note = |text: String| file.write_all(text.as_bytes()).unwrap_or_else(|e| panic!("{truth}: {e}"));
    note(format!("start {pid}\n"));
    // Each run has its own length: the pid is different each time.
    let draw = (seed ^ u64::from(pid)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let lines = 50 + draw % 450;
    let mut status = (draw % 100) as u8;
    for n in 1..=lines {
        let written = writeln!(std::io::stdout(), "{pid} out {n}")
            .and_then(|()| writeln!(std::io::stderr(), "{pid} err {n}"));
        if let Err(error) = written {
            note(format!("broken {pid} {n} {error}\n"));
            return ExitCode::FAILURE;
        }
        if LAST.load(Ordering::SeqCst) == libc::SIGTERM {
            status = 143;
        }
        if n == lines || status == 143 {
            note(format!("end {pid} {n} {status}\n"));
            break;
        }
        if n % 2 == 0 {
            pause(Duration::from_millis(5));
        }
    }
    ExitCode::from(status)
}

/// Writes `start PID` into a file, or `overlap PID` when another one of these is at work. Some end by themselves soon; with
/// the seed 0 none does.
fn alone(lock: &str, truth: &str, seed: u64) -> ExitCode {
    let open = |path: &str| std::fs::File::options().create(true).append(true).open(path);
    let (lock, mut truth) =
        (open(lock).unwrap_or_else(|e| panic!("{e}")), open(truth).unwrap_or_else(|e| panic!("{e}")));
    let what = if lock.try_lock().is_ok() { "start" } else { "overlap" };
    let pid = std::process::id();
    writeln!(truth, "{what} {pid}").unwrap_or_else(|e| panic!("{e}"));
    let draw = seed.wrapping_mul(u64::from(pid)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    if seed == 0 || draw % 3 > 0 {
        run();
    }
    pause(Duration::from_millis(draw % 40));
    ExitCode::from((draw % 2) as u8)
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap_or_else(|e| panic!("{e}")))
}

/// Leaves daemons of a kind behind: each forked twice, in a session of its own, its parent dead.
fn family(members: u64, kind: &str) {
    for _ in 0..members {
        let status = this_program().args(["branch", kind]).status();
        assert!(status.is_ok_and(|s| s.success()), "a branch failed");
    }
    run();
}

fn branch(kind: &str) {
    let _ = rustix::process::setsid();
    let spawned = this_program().arg(kind).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    // Its parent is gone a moment later; nobody waits for it here.
    #[allow(clippy::zombie_processes, reason = "that is the point")]
    let mut leaf = spawned.unwrap_or_else(|e| panic!("{e}"));
    // It says that it is ready, and then never anything again.
    let said = leaf.stdout.take().map(|out| BufReader::new(out).lines().next());
    assert!(matches!(said, Some(Some(Ok(_)))), "a leaf is not ready");
    println!("leaf {}", leaf.id());
}

/// Leaves all that is to do to a child.
fn parent(words: &[&str]) -> ExitCode {
    let status = this_program().args(words).status().unwrap_or_else(|e| panic!("{e}"));
    ExitCode::from(status.code().unwrap_or(1) as u8)
}

fn listen(port: &str) -> ExitCode {
    let listener = match TcpListener::bind(("127.0.0.1", number(port) as u16)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            return ExitCode::from(1);
        }
    };
    println!("listening on {}", listener.local_addr().map(|a| a.port()).unwrap_or(0));
    run();
    ExitCode::SUCCESS
}

fn wait_for_file(go: &str) {
    while !std::path::Path::new(go).exists() {
        pause(Duration::from_millis(5));
    }
}

/// Says that it is ready, as a service of systemd does, once a file is there.
fn notify(go: &str) {
    let socket = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
    println!("told of {socket}");
    wait_for_file(go);
    let sent = UnixDatagram::unbound().and_then(|from| from.send_to(b"STATUS=warm\nREADY=1", &socket));
    println!("sent {sent:?}");
    run();
}

/// A web server that is well until a file is there, which it removes when it starts. What the file says is the status
/// that it answers.
fn serve(port: &str, ill: &str) -> ExitCode {
    let _ = std::fs::remove_file(ill);
    let listener = match TcpListener::bind(("127.0.0.1", number(port) as u16)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            return ExitCode::from(1);
        }
    };
    println!("listening on {}", listener.local_addr().map(|a| a.port()).unwrap_or(0));
    for mut stream in listener.incoming().flatten() {
        let mut reader = BufReader::new(&stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        let status = std::fs::read_to_string(ill).unwrap_or_else(|_| "200 OK".to_owned());
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
    }
    ExitCode::SUCCESS
}

/// One line in which every place can be told from every other, and a line after it.
fn long(bytes: usize) {
    let mut line = Vec::with_capacity(bytes + 10);
    let mut n = 0_u64;
    while line.len() < bytes {
        line.extend_from_slice(format!("{n:07};").as_bytes());
        n += 1;
    }
    line.truncate(bytes);
    line.push(b'\n');
    write(&line);
    println!("after");
}

/// A line of so many bytes, as fast as it is read, and a line after it.
fn huge(bytes: u64) {
    let piece = vec![b'x'; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(piece.len() as u64);
        write(&piece[..part as usize]);
        left -= part;
    }
    write(b"\nafter\n");
}

/// So many numbered lines each second, for so many seconds, in hundredths of a second; as fast as they are read when that is
/// less.
fn rate(lines: u64, seconds: u64) {
    let (begin, each) = (Instant::now(), (lines / 100).max(1));
    let mut block = Vec::new();
    for tick in 0..lines * seconds / each {
        block.clear();
        for n in tick * each + 1..=(tick + 1) * each {
            writeln!(block, "n {n}").unwrap_or_else(|e| panic!("{e}"));
        }
        write(&block);
        pause((begin + Duration::from_millis(10 * (tick + 1))).saturating_duration_since(Instant::now()));
    }
}

fn garbage() {
    write(b"bad \xff\xfe utf-8\n");
    write(b"nul \0 nul\n");
    write("whole \u{e4}\u{20ac}\u{1f600}\n".as_bytes());
    write(b"\x1b[31mred\x1b[0m\n\n");
    write(b"last without line feed");
}

/// What `e2e::Bytes` says, with its pauses.
fn bytes(seed: u64, pieces: u64) {
    for piece in e2e::Bytes::new(seed).take(pieces as usize) {
        let written = match piece.is_stderr {
            true => std::io::stderr().lock().write_all(&piece.bytes),
            false => {
                std::io::stdout().lock().write_all(&piece.bytes).and_then(|()| std::io::stdout().flush())
            }
        };
        written.unwrap_or_else(|e| panic!("{e}"));
        pause(piece.pause);
    }
}

fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).unwrap_or_else(|e| panic!("{e}"));
}

fn progress() {
    for percent in 0..=100 {
        print!("\r{percent:3} %");
        let _ = std::io::stdout().flush();
    }
    println!();
    println!("finished");
}

/// Takes and uses so much memory, a piece at a time with a pause after it, and keeps it.
fn hog(mib: usize, ms: u64) {
    const PIECE: usize = 4 << 20;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    println!("ready");
    while pieces.len() * PIECE < mib << 20 {
        let mut piece = vec![0_u8; PIECE];
        piece.iter_mut().step_by(1024).for_each(|byte| *byte = 1);
        pieces.push(piece);
        pause(Duration::from_millis(ms));
    }
    println!("has {} MiB", (pieces.len() * PIECE) >> 20);
    run();
}

/// Goes into the control group of this directory.
fn enter(group: &str) {
    let procs = std::path::Path::new(group).join("cgroup.procs");
    std::fs::write(&procs, std::process::id().to_string())
        .unwrap_or_else(|e| panic!("{}: {e}", procs.display()));
}

/// Uses so much time of a CPU, in hundredths of a second, as the kernel counts it.
fn work(hundredths: u64) {
    let used = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_else(|e| panic!("{e}"));
        let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
        // Fields 14 and 15: in user mode and in the kernel.
        rest.split_whitespace().skip(11).take(2).map(number).sum::<u64>()
    };
    while used() < hundredths {}
}

/// Keeps a core busy.
fn spin() {
    println!("ready");
    loop {
        std::hint::black_box(std::process::id());
    }
}

/// As much as the supervisor takes.
fn flood() {
    let line = [b'x'; 120];
    let mut out = std::io::stdout().lock();
    for n in 0_u64.. {
        let written = writeln!(out, "{n} {}", String::from_utf8_lossy(&line));
        written.unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Answers each line, and the end.
fn echo(prompt: &str) {
    print!("ready\n{prompt}");
    let _ = std::io::stdout().flush();
    for line in std::io::stdin().lines() {
        let line = line.unwrap_or_else(|e| panic!("{e}"));
        print!("<{line}>\n{prompt}");
        let _ = std::io::stdout().flush();
    }
    println!("the end");
}

/// Closes its input and runs on.
fn closed() {
    // SAFETY: nothing here reads it afterwards.
    #[allow(unsafe_code, reason = "the standard library does not close it")]
    unsafe {
        libc::close(0)
    };
    run();
}

/// Begins to read after a time, and then says how many bytes came, and whether they are the numbered lines they should be.
fn slow(ms: u64) {
    println!("ready");
    pause(Duration::from_millis(ms));
    let (mut bytes, mut right) = (0, true);
    for (at, line) in std::io::stdin().lines().enumerate() {
        let line = line.unwrap_or_else(|e| panic!("{e}"));
        bytes += line.len() + 1;
        right &= line == format!("line {at:>8}");
    }
    println!("{bytes} bytes, right: {right}");
}

/// Says the size of its terminal's window whenever it is another one.
fn window() {
    let mut last = (0, 0);
    loop {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: writes a structure of this type into a local.
        #[allow(unsafe_code, reason = "the standard library does not know terminals")]
        unsafe {
            libc::ioctl(1, libc::TIOCGWINSZ, &raw mut size)
        };
        if (size.ws_row, size.ws_col) != last {
            last = (size.ws_row, size.ws_col);
            println!("window {} x {}", last.0, last.1);
        }
        pause(Duration::from_millis(10));
    }
}
