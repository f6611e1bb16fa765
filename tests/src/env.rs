//! One hermetic environment per test.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{self, Output};
use crate::mcp::{Era, Mcp};
use crate::procs;
use crate::{DEADLINE, wait_for};

/// Inherited by everything that is started in an environment, so that nothing can be left unseen.
const MARK: &str = "E2E_ENVIRONMENT";

/// A private home and project. Everything in it ends with it.
#[derive(Debug)]
pub struct Env {
    dir: TempDir,
    root: PathBuf,
    home: PathBuf,
    mounted: Vec<PathBuf>,
}

impl Env {
    /// A new one, whose policy allows the fault program.
    ///
    /// # Panics
    /// When it cannot be made, or the product is not built.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("e2e-").tempdir().expect("a temporary directory");
        let root = std::fs::canonicalize(dir.path()).expect("its real path");
        let env = Self { dir, home: root.join("home"), root, mounted: Vec::new() };
        std::fs::create_dir(env.home()).expect("the home");
        std::fs::create_dir(env.project()).expect("the project");
        env.policy("");
        env
    }

    /// Where hostler keeps its state.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.home.clone()
    }

    /// Moves the home elsewhere in this environment, before anything was started in it.
    ///
    /// # Panics
    /// When it cannot be moved.
    pub fn move_home(&mut self, name: &str) {
        let to = self.root.join(name);
        std::fs::rename(&self.home, &to).expect("the home moves");
        self.home = to;
    }

    /// Gives the home, or a folder in it, a small file system of its own, before anything was started; false where
    /// that is not permitted.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn mount(&mut self, folder: &str, options: &std::ffi::CStr) -> bool {
        let path = self.home.join(folder);
        std::fs::create_dir_all(&path).expect("the folder");
        if let Err(why) = mount("none", &path, "tmpfs", MountFlags::empty(), options) {
            // Past the test's captured output, so that it is seen.
            let _ = writeln!(std::io::stderr(), "SKIPPED, for no file system can be mounted here: {why}");
            return false;
        }
        self.mounted.push(path);
        self.policy("");
        true
    }

    /// Gives the home a file system on a disk of its own, before anything was started, and answers the file that breaks
    /// it: the kernel then makes it read-only under the hands of who has its files open. `None` where that is not
    /// permitted.
    ///
    /// # Panics
    /// When the image of the disk cannot be written.
    #[must_use]
    pub fn mount_breakable(&mut self) -> Option<PathBuf> {
        let image = self.root.join("disk");
        std::fs::File::create(&image).and_then(|f| f.set_len(32 << 20)).expect("the image of a disk");
        let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
            Command::new(program).args(arguments).output().is_ok_and(|o| o.status.success())
        };
        let made = run("mkfs.ext4", &["-q".as_ref(), image.as_ref()]);
        let options = "loop,errors=remount-ro".as_ref();
        if !made || !run("mount", &["-o".as_ref(), options, image.as_ref(), self.home.as_ref()]) {
            let _ = writeln!(std::io::stderr(), "SKIPPED, for no ext4 on a loop device can be mounted here");
            return None;
        }
        self.mounted.push(self.home.clone());
        self.policy("");
        let mounts = std::fs::read_to_string("/proc/mounts").expect("the mounts");
        let home = self.home.to_str().expect("a path in UTF-8");
        let device =
            mounts.lines().find_map(|line| line.split_once(' ').filter(|(_, rest)| rest.starts_with(home)));
        let device =
            device.and_then(|(device, _)| device.strip_prefix("/dev/")).expect("the loop device").to_owned();
        Some(PathBuf::from(format!("/sys/fs/ext4/{device}/trigger_fs_error")))
    }

    /// Gives the home a disk that works again in place of the one that broke, with what had been written to that. Its
    /// folders with file systems of their own stay. No daemon runs meanwhile.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn mend(&mut self) {
        let keep = self.root.join("keep");
        std::fs::create_dir(&keep).expect("a place to keep a folder");
        let folders: Vec<PathBuf> = self.mounted.iter().filter(|path| **path != self.home).cloned().collect();
        let [folder] = folders.as_slice() else { panic!("one folder with its own file system: {folders:?}") };
        let detach = |path: &Path| unmount(path, UnmountFlags::DETACH).expect("it is unmounted");
        mount_bind(folder, &keep).expect("the folder is kept");
        detach(folder);
        detach(&self.home);
        let image = self.root.join("disk");
        let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
            Command::new(program).args(arguments).output().expect("it is run").status.code()
        };
        // 1: it mended what there was to mend.
        assert!(matches!(run("e2fsck", &["-fp".as_ref(), image.as_ref()]), Some(0 | 1)));
        assert_eq!(
            run("mount", &["-o".as_ref(), "loop".as_ref(), image.as_ref(), self.home.as_ref()]),
            Some(0)
        );
        mount_bind(&keep, folder).expect("the folder is back");
        detach(&keep);
    }

    /// Where the machine code of plugins is kept, for all environments together.
    #[must_use]
    pub fn plugin_code(&self) -> PathBuf {
        built("hostler").with_file_name("plugin-code")
    }

    /// The directory in which clients stand.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.root.join("shop")
    }

    /// A path in the project as text.
    #[must_use]
    pub fn in_project(&self, name: &str) -> String {
        self.project().join(name).display().to_string()
    }

    /// The program that misbehaves.
    #[must_use]
    pub fn fault(&self) -> String {
        built("e2e-fault").display().to_string()
    }

    /// Writes the policy: the fault program may run, and `more` stands below `[commands]`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn policy(&self, more: &str) {
        let text = format!("[commands]\nallow = [{:?}]\n{more}\n", self.fault());
        std::fs::write(self.home().join("policy.toml"), text).expect("the policy");
    }

    /// Writes a file of the project.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.project().join(name), content).expect("a file of the project");
    }

    /// A command of `hostler` in this environment.
    #[must_use]
    pub fn hostler(&self) -> Command {
        self.hostler_at(&built("hostler"))
    }

    /// A command of another copy of `hostler` in this environment.
    #[must_use]
    pub fn hostler_at(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOSTLER_HOME", self.home())
            // Compiling plugins anew for each test would take longer than the tests.
            .env("HOSTLER_PLUGIN_CODE", self.plugin_code())
            .env_remove("HOSTLER_POLICY_FILE")
            .env(MARK, &self.root)
            .current_dir(self.project());
        command
    }

    /// Runs a command of the command line.
    #[must_use]
    pub fn cli(&self, args: &[&str]) -> Output {
        let mut command = self.hostler();
        command.args(args);
        cli::run(command)
    }

    /// An MCP client, past its handshake.
    #[must_use]
    pub fn mcp(&self, era: Era) -> Mcp {
        let mut mcp = self.mcp_silent(era);
        mcp.handshake();
        mcp
    }

    /// An MCP client that has said nothing yet.
    #[must_use]
    pub fn mcp_silent(&self, era: Era) -> Mcp {
        let mut command = self.hostler();
        command.arg("mcp");
        Mcp::spawn(command, era)
    }

    /// A raw connection to the socket of a running daemon; it has introduced itself.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn socket(&self) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(self.home().join("daemon.sock")).expect("the daemon's socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let preamble = json!({"hostler": 1, "cwd": self.project(), "client": "e2e"});
        writeln!(stream, "{preamble}").expect("the preamble is read");
        BufReader::new(stream)
    }

    /// The daemon's pid, if one runs.
    #[must_use]
    pub fn daemon(&self) -> Option<i64> {
        let status = self.cli(&["daemon", "status", "--json"]);
        (status.code == Some(0)).then(|| status.json()["pid"].as_i64()).flatten()
    }

    /// Kills the daemon as a crash would, and waits until it is gone.
    ///
    /// # Panics
    /// When none runs.
    pub fn crash_daemon(&self) -> i64 {
        let pid = self.daemon().expect("a running daemon");
        procs::kill(pid);
        crate::wait_until("the killed daemon is gone", || procs::gone(pid));
        pid
    }

    /// Processes of this environment that run now: clients, daemon, shims and what they look after.
    #[must_use]
    pub fn processes(&self) -> Vec<(i64, String)> {
        procs::of(&format!("{MARK}={}", self.root.display()), &self.root)
    }

    /// The pid of the shim of a process, as the run directory has it.
    ///
    /// # Panics
    /// When the process is not known.
    #[must_use]
    pub fn shim_of(&self, name: &str) -> Option<i64> {
        let list = self.cli(&["ps", "--json"]).ok().json();
        let id = list["processes"].as_array()?.iter().find(|p| p["name"] == name)?["id"].as_str()?.to_owned();
        let runs = std::fs::read_dir(self.home().join("runs")).ok()?.flatten();
        let dirs = runs.filter(|dir| dir.file_name().to_string_lossy().starts_with(&format!("{id}-")));
        let texts = dirs.filter_map(|dir| std::fs::read_to_string(dir.path().join("pid")).ok());
        let mut shims = texts.filter_map(|text| text.split(' ').nth(2)?.parse().ok());
        shims.find(|pid| procs::alive(*pid))
    }

    /// The run directory that names this shim.
    #[must_use]
    pub fn run_dir_of(&self, shim: i64) -> Option<PathBuf> {
        let dirs = std::fs::read_dir(self.home().join("runs")).ok()?.flatten().map(|entry| entry.path());
        let mut dirs = dirs.filter(|dir| {
            let file = std::fs::read_to_string(dir.join("pid")).unwrap_or_default();
            file.split(' ').nth(2).is_some_and(|pid| pid == shim.to_string())
        });
        dirs.next()
    }

    /// The daemon's log.
    #[must_use]
    pub fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.home().join("daemon.log")).unwrap_or_default()
    }

    fn stop_all(&self) {
        let list = self.cli(&["ps", "--json", "--all-projects"]);
        let list: Value = serde_json::from_str(&list.stdout).unwrap_or_default();
        let ids = list["processes"].as_array().into_iter().flatten().filter_map(|p| p["id"].as_str());
        let ids: Vec<&str> = ids.collect();
        if !ids.is_empty() {
            let mut args = vec!["stop", "--grace-ms", "200", "--json"];
            args.extend(ids);
            let _ = self.cli(&args);
        }
        let _ = self.cli(&["daemon", "stop"]);
    }
}

impl Default for Env {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.daemon_log();
            let from = log.char_indices().rev().nth(4_000).map_or(0, |(at, _)| at);
            eprint_log(&log[from..]);
        }
        self.stop_all();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let left = wait_for("the processes of this test are listed", || {
            let left = self.processes();
            (left.is_empty() || std::time::Instant::now() > deadline).then_some(left)
        });
        left.iter().for_each(|(pid, _)| procs::kill(*pid));
        for path in self.mounted.iter().rev() {
            let _ = unmount(path, UnmountFlags::DETACH);
        }
        if !left.is_empty() && !std::thread::panicking() {
            panic!("processes are left of {}: {left:?}", self.dir.path().display());
        }
    }
}

#[allow(clippy::print_stderr, reason = "shown with a test that failed, and only then")]
fn eprint_log(text: &str) {
    eprintln!("---- the end of the daemon's log ----\n{text}");
}

/// A program of this build, beside the tests.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let program = profile.join(name);
    assert!(program.is_file(), "{} is missing: run `cargo build` first", program.display());
    program
}
