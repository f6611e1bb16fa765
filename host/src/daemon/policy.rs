//! The user's policy: which executables may run. It is the user's, not the repository's.
//!
//! It guards against accidents and against an agent that was talked into something, in layers that are easy
//! to reason about; it is no sandbox: a program that may run may do what its user may do.

use std::path::{Path, PathBuf};

use hostler_model::programs::{SHELLS, WRAPPERS};
use serde::Deserialize;

/// `policy.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Policy {
    pub(crate) commands: Commands,
}

/// `[commands]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Commands {
    /// Executables, or directories of them, that may run in addition.
    pub(crate) allow: Vec<PathBuf>,
    /// Executables, or directories of them, that may not run whatever else says so.
    pub(crate) deny: Vec<PathBuf>,
    /// Whether shells may run.
    pub(crate) shells: bool,
    /// Whether what is on the client's PATH may run.
    pub(crate) path: bool,
    /// Whether what is inside the project may run.
    pub(crate) project: bool,
}

impl Default for Commands {
    fn default() -> Self {
        Self { allow: Vec::new(), deny: Vec::new(), shells: false, path: true, project: true }
    }
}

#[allow(clippy::derivable_impls, reason = "the serde defaults above and this one are read together")]
impl Default for Policy {
    fn default() -> Self {
        Self { commands: Commands::default() }
    }
}

/// Programs that end or erase the machine. They run only when the policy allows the very file.
const DANGEROUS: [&str; 18] = [
    "shutdown",
    "reboot",
    "halt",
    "poweroff",
    "init",
    "telinit",
    "kexec",
    "mkfs",
    "mke2fs",
    "fdisk",
    "sfdisk",
    "parted",
    "wipefs",
    "blkdiscard",
    "dd",
    "shred",
    "mkswap",
    "swapoff",
];

/// What is known of a program that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Absolute path by which it was asked for.
    pub(crate) asked: PathBuf,
    /// The file that this path leads to, all links followed.
    pub(crate) real: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// The project's directory, all links followed.
    pub(crate) project: PathBuf,
}

impl Policy {
    /// Reads the policy; a missing file is the default policy.
    ///
    /// # Errors
    /// When the file cannot be read or understood. Then nothing may run: a policy that is meant to forbid
    /// must not be lost to a slip of the pen.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|e| format!("{} is not valid:\n{e}", path.display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }

    /// Decides on a program. `is_on_path` tells whether it is in a directory of the client's PATH, by either path: to
    /// find out, all links of all of them are followed. `file` is where the policy stands, for the message.
    ///
    /// # Errors
    /// Why it may not run, and what the user can do about it.
    pub(crate) fn judge(
        &self,
        candidate: &Candidate,
        is_on_path: impl FnOnce() -> bool,
        file: &Path,
    ) -> Result<(), String> {
        let Candidate { asked, real, .. } = candidate;
        let rules = &self.commands;
        let named = |list: &[PathBuf]| list.iter().any(|p| real.starts_with(p) || asked.starts_with(p));
        let exactly = |path: &PathBuf| rules.allow.contains(path);
        let advice =
            |what: &str| format!("to allow it, the user adds {what} under [commands] in {}", file.display());
        if named(&rules.deny) {
            return Err(format!("{} is denied by {}", real.display(), file.display()));
        }
        let allow_line = format!("allow = [{real:?}]");
        if exactly(real) || exactly(asked) {
            return Ok(());
        }
        for name in names(asked, real, &candidate.args) {
            if is_dangerous(&name) {
                return Err(format!("{name} can end or erase the machine; {}", advice(&allow_line)));
            }
            if SHELLS.contains(&name.as_str()) && !rules.shells {
                return Err(format!(
                    "{name} is a shell, and shells are not allowed: start the program itself with its arguments, or a script file of the project; {}",
                    advice("shells = true")
                ));
            }
        }
        let in_project = candidate.project.parent().is_some() && real.starts_with(&candidate.project);
        if (rules.project && in_project) || named(&rules.allow) || (rules.path && is_on_path()) {
            return Ok(());
        }
        Err(format!(
            "{} is neither on PATH nor inside the project {}; {}",
            real.display(),
            candidate.project.display(),
            advice(&allow_line)
        ))
    }
}

fn is_dangerous(name: &str) -> bool {
    DANGEROUS.contains(&name) || name.starts_with("mkfs.")
}

/// The names under which a program, or the one it wraps, is known.
fn names(asked: &Path, real: &Path, args: &[String]) -> Vec<String> {
    let base = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
    let mut names: Vec<String> = [base(asked), base(real)].into_iter().flatten().collect();
    if names.iter().any(|n| WRAPPERS.contains(&n.as_str())) {
        names.extend(args.iter().filter(|a| !a.starts_with('-')).filter_map(|a| base(Path::new(a))));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(asked: &str, real: &str, args: &[&str]) -> Candidate {
        Candidate {
            asked: asked.into(),
            real: real.into(),
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            project: "/home/me/shop".into(),
        }
    }

    fn judge(policy: &Policy, asked: &str, real: &str, args: &[&str]) -> Result<(), String> {
        let is_on_path = || ["/usr/bin/", "/bin/", "/usr/sbin/"].iter().any(|dir| asked.starts_with(dir));
        policy.judge(&candidate(asked, real, args), is_on_path, Path::new("/p/policy.toml"))
    }

    #[test]
    fn path_and_project_may_run_and_the_rest_may_not() {
        let policy = Policy::default();
        assert_eq!(judge(&policy, "/usr/bin/node", "/usr/lib/node/bin/node", &[]), Ok(()));
        assert_eq!(judge(&policy, "/home/me/shop/run", "/home/me/shop/run", &[]), Ok(()));
        for (asked, real) in [
            ("/home/me/shopping/run", "/home/me/shopping/run"),
            ("/home/me/shop/link", "/opt/tool"),
            ("/opt/tool", "/opt/tool"),
        ] {
            let message = judge(&policy, asked, real, &[]).unwrap_err();
            assert!(message.contains("allow = ") && message.contains("/p/policy.toml"), "{message}");
        }
    }

    #[test]
    fn shells_and_destroyers_need_a_word_of_the_user() {
        let policy = Policy::default();
        for (asked, real, args) in [
            ("/bin/sh", "/usr/bin/dash", vec![]),
            ("/home/me/shop/innocent", "/usr/bin/bash", vec![]),
            ("/usr/bin/env", "/usr/bin/env", vec!["-i", "bash", "-c", "x"]),
            ("/usr/sbin/runuser", "/usr/sbin/runuser", vec!["-u", "postgres", "--", "bash"]),
            ("/usr/sbin/reboot", "/usr/bin/systemctl", vec![]),
            ("/usr/bin/sudo", "/usr/bin/sudo", vec!["-n", "/sbin/mkfs.ext4", "/dev/sda"]),
        ] {
            assert!(judge(&policy, asked, real, &args).is_err(), "{asked}");
        }
        let shells = Policy { commands: Commands { shells: true, ..Commands::default() } };
        assert_eq!(judge(&shells, "/bin/sh", "/usr/bin/dash", &["-c", "x"]), Ok(()));
        let exact =
            Policy { commands: Commands { allow: vec!["/usr/bin/dash".into()], ..Commands::default() } };
        assert_eq!(judge(&exact, "/bin/sh", "/usr/bin/dash", &[]), Ok(()));
    }

    #[test]
    fn a_directory_allows_what_is_below_it_and_deny_wins() {
        let commands = Commands {
            allow: vec!["/opt/tools".into()],
            deny: vec!["/opt/tools/bad".into()],
            ..Commands::default()
        };
        let policy = Policy { commands };
        assert_eq!(judge(&policy, "/opt/tools/a/b", "/opt/tools/a/b", &[]), Ok(()));
        assert!(judge(&policy, "/opt/tools/bad", "/opt/tools/bad", &[]).is_err());
        assert!(judge(&policy, "/opt/toolsmith/x", "/opt/toolsmith/x", &[]).is_err());
    }

    #[test]
    fn a_broken_policy_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        assert_eq!(Policy::load(&file), Ok(Policy::default()));
        std::fs::write(&file, "[commands]\nshels = true\n").unwrap();
        let message = Policy::load(&file).unwrap_err();
        assert!(
            message.contains("line 2") && message.contains("shels") && message.contains("shells"),
            "{message}"
        );
    }
}
