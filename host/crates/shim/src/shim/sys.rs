//! The calls that only Linux has, and the only unsafe code of the shim.
#![allow(unsafe_code, reason = "fork, execve, signals and prctl have no safe form")]

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use hostler_shim::channel::Channel;
use hostler_shim::control::Step;
use hostler_shim::exit_record::Outcome;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags};

use crate::pages::Pages;

/// Descriptor of the channel, when the daemon left no other open.
const CHANNEL: RawFd = 3;
const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;

/// Makes this process independent of its parent: own session, subreaper, signals blocked, `/` as directory,
/// and takes the channel from descriptor 0.
pub(crate) fn detach() -> io::Result<Channel> {
    // First of all: a signal that comes a moment too early must not end the parent of a process.
    block_signals();
    // A session leader cannot become one again; that is no failure.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), CHANNEL)?;
    // Whatever else the daemon left open would stay open for as long as the process runs, its terminal and
    // its lock files among them.
    close_from(channel.as_raw_fd() + 1, 0);
    if channel.as_raw_fd() > CHANNEL {
        close_range(CHANNEL, channel.as_raw_fd() - 1, 0);
    }
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Channel::from_fd(channel)
}

/// Blocks all signals, so that only SIGKILL ends the shim before its tree.
fn block_signals() {
    // SAFETY: the set is initialized by sigfillset before use.
    unsafe {
        // Whoever inherits that children are ignored never learns how they ended.
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}

/// A descriptor that is readable when a child changed.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialized by sigemptyset before use; the descriptor is checked and owned by nobody
    // else.
    unsafe {
        let mut child: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut child);
        libc::sigaddset(&mut child, libc::SIGCHLD);
        let fd = libc::signalfd(-1, &child, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// Waits until a descriptor can be read.
pub(crate) fn wait_readable(fd: &impl AsFd) {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let _ = poll(&mut fds, None);
}

/// Whether a pipe has nothing in it and nobody who could still write to it.
pub(crate) fn is_at_end(pipe: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
    let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let found = fds[0].revents();
    polled.is_ok() && found.contains(PollFlags::HUP) && !found.contains(PollFlags::IN)
}

/// Keeps the heap small: what is large for a moment, such as the reader that counts what is dropped, is given
/// back at once.
pub(crate) fn frugal_memory() {
    // SAFETY: plain calls. Setting a threshold also keeps the allocator from raising it by itself.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 16 * 1024);
        libc::mallopt(libc::M_TOP_PAD, 0);
    }
}

/// Gives back what was freed.
pub(crate) fn trim_memory() {
    // SAFETY: a plain call.
    unsafe { libc::malloc_trim(0) };
}

/// A program with everything that its start needs, made before the fork: after it nothing may allocate.
pub(crate) struct Program {
    pub exec: CString,
    pub argv: Vec<CString>,
    pub env: Vec<CString>,
    pub cwd: CString,
    /// Becomes its descriptors 0, 1 and 2.
    pub stdio: [RawFd; 3],
    /// Make descriptor 0 its controlling terminal.
    pub terminal: bool,
    pub rlimits: Vec<(i32, libc::rlimit)>,
    pub no_new_privs: bool,
}

/// What the new process finds in the memory that it shares with this one until it executes.
struct Start<'a> {
    program: &'a Program,
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    failure: Cell<Option<(Step, i32)>>,
}

/// Size of the new process's stack until it executes, 16-byte units.
const STACK: usize = 2048;

/// Forks and executes; the pid, or the step that failed and the kernel's error number.
///
/// As `vfork` and `posix_spawn` do, without a copy of the address space: several times faster, and nothing
/// that is written afterwards has to be copied. This process stands still until the other one has executed.
pub(crate) fn fork_exec(program: &Program) -> Result<i32, (Step, i32)> {
    let (argv, env) = (pointers(&program.argv), pointers(&program.env));
    let start = Start { program, argv, env, failure: Cell::new(None) };
    // On the heap: this process's own stack would keep for ever what it once had.
    let mut stack = Vec::<u128>::with_capacity(STACK);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack grows down from its end and, like `start`, lives until the child has executed or is
    // gone, for CLONE_VFORK holds this thread so long. All signals are blocked, so no handler runs in the child.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(STACK).cast();
        libc::clone(start_program, top, flags, (&raw const start).cast_mut().cast())
    };
    if pid < 0 {
        return Err((Step::Fork, last_errno()));
    }
    match start.failure.get() {
        Some(failure) => {
            let _ = reap(pid);
            Err(failure)
        }
        None => Ok(pid),
    }
}

/// `CLONE_INTO_CGROUP` of linux/sched.h, which is longer than the numbers of `clone`.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Like [`fork_exec`], but the process is born in this control group; `None` when the kernel or a sandbox does not do
/// that, and then nothing has happened.
///
/// To move it there afterwards would take the kernel many milliseconds on a quiet machine, and leave a moment in which
/// it is not there. Only `clone3` can do it at birth. Its child goes on where its parent stood, and so, without help
/// of assembly, cannot share the memory that both stand on: it gets a copy as with `fork`. What it has to tell comes
/// back through a page of its own that both have.
pub(crate) fn fork_exec_into(program: &Program, cgroup: BorrowedFd<'_>) -> Option<Result<i32, (Step, i32)>> {
    let (argv, env) = (pointers(&program.argv), pointers(&program.env));
    let mut page = Pages::shared(size_of::<Option<(Step, i32)>>()).ok()?;
    let failure = page.as_mut_ptr().cast::<Option<(Step, i32)>>();
    // `struct clone_args`: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
    // set_tid_size, cgroup.
    let mut args = [0_u64; 11];
    args[0] = libc::CLONE_VFORK as u64 | CLONE_INTO_CGROUP;
    args[4] = libc::SIGCHLD as u64;
    args[10] = cgroup.as_raw_fd() as u64;
    // SAFETY: the page is aligned for everything and long enough, and nobody writes to it but the child, for which
    // CLONE_VFORK waits. Without CLONE_VM and a stack of its own the child is an ordinary fork of a process that has
    // one thread; all signals are blocked in it, and it leaves without running anything of the parent's.
    unsafe {
        failure.write_volatile(None);
        match libc::syscall(libc::SYS_clone3, args.as_ptr(), size_of_val(&args)) {
            0 => {
                let step = become_program(program, &argv, &env);
                failure.write_volatile(Some((step, last_errno())));
                libc::_exit(127)
            }
            pid if pid < 0 => None,
            pid => match failure.read_volatile() {
                Some(failure) => {
                    let _ = reap(pid as i32);
                    Some(Err(failure))
                }
                None => Some(Ok(pid as i32)),
            },
        }
    }
}

/// The child's first function.
extern "C" fn start_program(start: *mut libc::c_void) -> libc::c_int {
    // SAFETY: it is the `start` of `fork_exec`, which waits.
    let start = unsafe { &*start.cast::<Start<'_>>() };
    let step = become_program(start.program, &start.argv, &start.env);
    start.failure.set(Some((step, last_errno())));
    // SAFETY: leaves without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// In the child: everything up to the program's first instruction. Returns only when a step failed.
fn become_program(program: &Program, argv: &[*const libc::c_char], env: &[*const libc::c_char]) -> Step {
    // SAFETY: plain system calls on values prepared before the fork; the pointers end with null.
    unsafe {
        libc::setsid();
        for (target, fd) in program.stdio.iter().enumerate() {
            if libc::dup2(*fd, target as i32) < 0 {
                return Step::Setup;
            }
        }
        close_from(3, CLOSE_RANGE_CLOEXEC);
        if program.terminal && libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
            return Step::Setup;
        }
        for (resource, limit) in &program.rlimits {
            if libc::setrlimit(*resource as _, limit) < 0 {
                return Step::Rlimit;
            }
        }
        if program.no_new_privs && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 {
            return Step::Setup;
        }
        if libc::chdir(program.cwd.as_ptr()) < 0 {
            return Step::Chdir;
        }
        default_signals();
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        libc::execve(program.exec.as_ptr(), argv.as_ptr(), env.as_ptr());
    }
    Step::Exec
}

/// Sets every signal back to its default. The C library keeps two for itself and refuses to touch them, even
/// when they were inherited as ignored; the kernel does not.
fn default_signals() {
    // As the kernel lays it out: handler, flags, restorer, mask.
    let default = [0_usize; 4];
    for signal in 1..=64 {
        // SAFETY: the kernel reads 32 bytes of a local; a number that it refuses changes nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null::<usize>(),
                8_usize,
            )
        };
    }
}

/// Closes descriptors from this one on, or with a flag lets execution close them.
fn close_from(first: RawFd, flags: libc::c_uint) {
    close_range(first, RawFd::MAX, flags);
}

fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) {
    // SAFETY: called before anything owns the descriptors that it closes. A kernel that does not have it leaves
    // open what a careless parent left open, and no more.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
}

/// A limit, clamped to the hard limit that this process is under.
pub(crate) fn rlimit(resource: i32, soft: u64, hard: u64) -> (i32, libc::rlimit) {
    let mut current = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: writes into a local of the right type.
    unsafe { libc::getrlimit(resource as _, &mut current) };
    let hard = hard.min(current.rlim_max);
    (resource, libc::rlimit { rlim_cur: soft.min(hard), rlim_max: hard })
}

/// A child that ended.
pub(crate) struct Reaped {
    pub pid: i32,
    pub outcome: Outcome,
    pub user_us: u64,
    pub system_us: u64,
    pub max_rss_bytes: u64,
}

/// Reaps one child that has ended: any (-1) or this one. `Err(ECHILD)` when there are no children at all.
pub(crate) fn reap(pid: i32) -> io::Result<Option<Reaped>> {
    let mut status = 0;
    // SAFETY: writes into locals of the right types.
    let (got, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let flags = if pid == -1 { libc::WNOHANG } else { 0 };
        (libc::wait4(pid, &mut status, flags, &mut usage), usage)
    };
    match got {
        0 => Ok(None),
        got if got < 0 => Err(io::Error::last_os_error()),
        pid => {
            let micros = |t: libc::timeval| t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64;
            Ok(Some(Reaped {
                pid,
                outcome: outcome(status),
                user_us: micros(usage.ru_utime),
                system_us: micros(usage.ru_stime),
                max_rss_bytes: usage.ru_maxrss as u64 * 1024,
            }))
        }
    }
}

/// What a status of `wait(2)` says.
fn outcome(status: i32) -> Outcome {
    if libc::WIFSIGNALED(status) {
        Outcome::Signal { signal: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) }
    } else {
        Outcome::Code(libc::WEXITSTATUS(status))
    }
}

/// How a process ended that is somebody else's child, once its pidfd says that it has. While nobody has reaped it
/// its `stat` tells; afterwards the kernel tells those who held a pidfd before, from Linux 6.15 on.
pub(crate) fn outcome_of_stranger(pidfd: BorrowedFd<'_>, pid: i32) -> Outcome {
    for _ in 0..REAPING_LOOKS {
        let status = status_by_pidfd(pidfd).or_else(|| status_of_zombie(pid));
        if let Some(status) = status {
            return outcome(status);
        }
        // It is just being reaped: no zombie any more, and the kernel has not written down yet how it ended.
        let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
    }
    Outcome::Unknown
}

/// How often a process that is being reaped is looked at, a millisecond apart. A kernel before 6.15 never tells.
const REAPING_LOOKS: u32 = 200;

/// `struct pidfd_info` of linux/pidfd.h, in its first size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::c_ulong =
    3 << 30 | (size_of::<PidfdInfo>() as libc::c_ulong) << 16 | 0xFF << 8 | 11;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

fn status_by_pidfd(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the kernel reads and writes a local of the size that the request's number tells it.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}

fn status_of_zombie(pid: i32) -> Option<i32> {
    let mut buffer = [0; STAT];
    let stat = Stat::parse(read_stat(pid, &mut buffer)?)?;
    // To others than its user the kernel says 0.
    let is_ours = std::fs::metadata(format!("/proc/{pid}"))
        .is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == rustix::process::geteuid().as_raw());
    (stat.is_zombie() && is_ours).then_some(stat.exit_code)
}

/// Sends a signal by number; only to a child that is not reaped yet, whose number cannot be reused.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: a plain system call.
    if unsafe { libc::kill(pid, signal) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A stable handle on a process.
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends a signal through a handle.
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open for the duration of the call and no info is passed. The number may be a
    // real-time signal, which rustix's type does not take.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What `/proc/PID/stat` tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat {
    state: u8,
    pub ppid: i32,
    pub session: i32,
    /// The leader counts until it is reaped, even if it ended before the others.
    threads: u32,
    /// Clock ticks since boot at which it started: with the pid, a name that is never given twice.
    pub start_ticks: u64,
    /// Status for `wait(2)`; 0 before its end.
    pub exit_code: i32,
}

impl Stat {
    /// Reads that of a process.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::parse(read_stat(pid, &mut [0; STAT])?)
    }

    fn parse(stat: &[u8]) -> Option<Self> {
        // The name in parentheses may contain anything: count from its end. The state is field 3.
        let after = &stat[stat.iter().rposition(|b| *b == b')')? + 2..];
        let mut fields = std::str::from_utf8(after).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let ppid = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        let threads = fields.nth(13)?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        let exit_code = fields.nth(29).and_then(|code| code.parse().ok()).unwrap_or(0);
        Some(Self { state, ppid, session, threads, start_ticks, exit_code })
    }

    /// Whether it has ended and was not reaped. Of one whose first thread ended and whose others go on, the kernel
    /// says Z as well.
    pub(crate) fn is_zombie(&self) -> bool {
        self.state == b'Z' && self.threads <= 1
    }
}

/// Room for `/proc/PID/stat`, bytes.
const STAT: usize = 1024;

/// `/proc/PID/stat`, in one read.
fn read_stat(pid: i32, buffer: &mut [u8; STAT]) -> Option<&[u8]> {
    let path = format!("/proc/{pid}/stat");
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = rustix::io::read(file, &mut buffer[..]).ok()?;
    Some(&buffer[..length])
}

/// A string for the kernel; what contains a NUL byte cannot be one.
pub(crate) fn c_string(bytes: &[u8]) -> Result<CString, i32> {
    CString::new(bytes).map_err(|_| libc::EINVAL)
}

/// Wall-clock time, nanoseconds since the epoch.
pub(crate) fn unix_nanos() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
