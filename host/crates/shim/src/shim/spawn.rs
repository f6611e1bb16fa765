//! From a launch request to a running process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hostler_shim::cgroup::Cgroup;
use hostler_shim::control::{LaunchFailure, Step};
use hostler_shim::launch::{LaunchSpec, Resource, Stdio};
use hostler_shim::streams::other_side;

use crate::sys::{self, Program};

/// A process that runs, and our ends of its streams.
pub(crate) struct Child {
    pub pid: i32,
    pub pidfd: Option<OwnedFd>,
    pub start_ticks: u64,
    pub started_unix_nanos: i64,
    pub streams: Streams,
    /// The control group that it was started in.
    pub cgroup: Option<Cgroup>,
}

/// Our ends; of a process that was another shim's, those that could be had.
pub(crate) enum Streams {
    Pipes {
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
        stdin: Option<OwnedFd>,
    },
    Pty {
        master: OwnedFd,
        /// Held, so that the terminal lives on when every process has closed it and one opens it again.
        terminal: OwnedFd,
    },
}

/// Starts the process on the streams that came with the request.
pub(crate) fn launch(spec: &LaunchSpec, streams: Vec<OwnedFd>) -> Result<Child, LaunchFailure> {
    let failure = |step, errno, path: &Path| LaunchFailure { step, errno, path: path.to_owned() };
    let prepare = |e: io::Error| failure(Step::Prepare, e.raw_os_error().unwrap_or(libc::EIO), &spec.run_dir);
    let (streams, theirs) = sort_streams(spec.stdio, streams).map_err(prepare)?;
    let program = program(spec, &theirs).map_err(|errno| failure(Step::Exec, errno, &spec.exec))?;
    let (started, cgroup) = start(&program, spec);
    let pid = started.map_err(|(step, errno)| {
        let path = if step == Step::Chdir { &spec.cwd } else { &spec.exec };
        failure(step, errno, path)
    })?;
    Ok(Child {
        pid,
        pidfd: sys::pidfd(pid).ok(),
        start_ticks: sys::Stat::of(pid).map_or(0, |stat| stat.start_ticks),
        started_unix_nanos: sys::unix_nanos(),
        streams,
        cgroup,
    })
}

/// Starts it in a control group of its own, or, where that is not possible, without: who has no right to make one, or
/// a sandbox that knows no such call, is no reason not to start it.
fn start(program: &Program, spec: &LaunchSpec) -> (Result<i32, (Step, i32)>, Option<Cgroup>) {
    let Some(cgroup) = spec.cgroup.clone().and_then(|path| Cgroup::make(path).ok()) else {
        return (sys::fork_exec(program), None);
    };
    spec.cgroup_limits.iter().for_each(|(file, value)| cgroup.limit(file, value));
    match cgroup.open().ok().and_then(|fd| sys::fork_exec_into(program, fd.as_fd())) {
        Some(Ok(pid)) => (Ok(pid), Some(cgroup)),
        Some(Err(failure)) => {
            let _ = cgroup.remove();
            (Err(failure), None)
        }
        None => {
            let _ = cgroup.remove();
            (sys::fork_exec(program), None)
        }
    }
}

fn program(spec: &LaunchSpec, theirs: &[OwnedFd]) -> Result<Program, i32> {
    let path = |p: &PathBuf| sys::c_string(p.as_os_str().as_bytes());
    let stdio = match theirs {
        [terminal] => [terminal.as_raw_fd(); 3],
        [stdin, stdout, stderr] => [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()],
        _ => return Err(libc::EINVAL),
    };
    Ok(Program {
        exec: path(&spec.exec)?,
        argv: spec.argv.iter().map(|a| sys::c_string(a.as_bytes())).collect::<Result<_, _>>()?,
        env: spec
            .env
            .iter()
            .map(|(name, value)| sys::c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
            .collect::<Result<_, _>>()?,
        cwd: path(&spec.cwd)?,
        stdio,
        terminal: matches!(spec.stdio, Stdio::Pty { .. }),
        rlimits: spec
            .rlimits
            .iter()
            .map(|l| sys::rlimit(resource_number(l.resource), l.soft, l.hard))
            .collect(),
        no_new_privs: spec.no_new_privs,
    })
}

fn resource_number(resource: Resource) -> i32 {
    let number = match resource {
        Resource::Data => libc::RLIMIT_DATA,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
    };
    number as i32
}

/// Our ends and theirs (stdin, stdout, stderr, or the terminal alone) of what came with the request.
fn sort_streams(stdio: Stdio, fds: Vec<OwnedFd>) -> io::Result<(Streams, Vec<OwnedFd>)> {
    let mut fds = fds.into_iter();
    let mut next = || fds.next().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF));
    match stdio {
        Stdio::Pipes => {
            let (stdout, stderr, stdin) = (next()?, next()?, next()?);
            let ours = Streams::Pipes { stdout: Some(stdout), stderr: Some(stderr), stdin: Some(stdin) };
            Ok((ours, vec![next()?, next()?, next()?]))
        }
        Stdio::Pty { .. } => {
            let master = next()?;
            let terminal = other_side(&master)?;
            let held = terminal.try_clone()?;
            Ok((Streams::Pty { master, terminal: held }, vec![terminal]))
        }
    }
}
