//! Programs that are known by their names.

/// Shells.
pub const SHELLS: [&str; 14] = [
    "sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "ash", "csh", "tcsh", "rbash", "busybox", "nu",
    "pwsh",
];

/// Programs that execute one of their arguments.
pub const WRAPPERS: [&str; 19] = [
    "env", "nice", "nohup", "setsid", "timeout", "stdbuf", "time", "sudo", "doas", "xargs", "ionice", "chrt",
    "taskset", "unshare", "nsenter", "chroot", "runuser", "setpriv", "su",
];

/// The shell that these words run, by itself or through a program that executes one of its arguments.
pub fn shell_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut words = words.into_iter();
    let program = base(words.next()?);
    if SHELLS.contains(&program) {
        return Some(program);
    }
    let mut rest = words.filter(|word| !word.starts_with('-')).map(base);
    rest.find(|word| SHELLS.contains(word)).filter(|_| WRAPPERS.contains(&program))
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_found_behind_what_executes_it() {
        for (line, wanted) in [
            ("bash -c x", Some("bash")),
            ("/bin/sh run.sh", Some("sh")),
            ("env A=1 bash", Some("bash")),
            ("sudo -n nice zsh", Some("zsh")),
            ("cat /bin/sh", None),
            ("./start.sh", None),
            ("", None),
        ] {
            assert_eq!(shell_of(line.split_whitespace()), wanted, "{line}");
        }
    }
}
