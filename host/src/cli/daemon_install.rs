//! `hostler daemon install`: a unit for the user's systemd, so that what should run does so after a reboot.

use std::path::{Path, PathBuf};

use super::exit::{Failure, Outcome};
use crate::daemon::home::{self, Home};

/// Writes the unit and says how to enable it.
pub(super) fn run(home: &Home) -> Outcome {
    let program = super::launch::own_program().map_err(|e| Failure::failed(e.to_string()))?;
    let path = unit_path()?;
    let chosen_home = std::env::var_os(home::VARIABLE).map(|_| home.root());
    let text = unit(&program, chosen_home);
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
    written.map_err(|e| Failure::failed(format!("cannot write {}: {e}", path.display())))?;
    println!("wrote {}", path.display());
    println!(
        "enable it:             systemctl --user daemon-reload && systemctl --user enable --now hostler"
    );
    println!("start it without login: loginctl enable-linger");
    Ok(())
}

fn unit_path() -> Result<PathBuf, Failure> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let config = config.or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config")));
    let config = config.ok_or_else(|| Failure::failed("neither XDG_CONFIG_HOME nor HOME is set"))?;
    Ok(config.join("systemd/user/hostler.service"))
}

/// The unit. `KillMode=process`: when the daemon is stopped or upgraded, its processes run on. `on-failure`: killed, it
/// comes back, but `hostler daemon stop` is meant. `Delegate`: each run may have a cgroup of its own below the unit's;
/// and, as the daemon is in a part of it, with limits.
fn unit(program: &Path, home: Option<&Path>) -> String {
    let environment =
        home.map(|h| format!("Environment={}\n", quoted(&format!("{}={}", home::VARIABLE, h.display()))));
    format!(
        "[Unit]\nDescription=hostler process supervisor\n\n\
         [Service]\nType=exec\n{}ExecStart={} daemon run\nKillMode=process\nDelegate=yes\nDelegateSubgroup={}\nRestart=on-failure\nRestartSec=1\n\n\
         [Install]\nWantedBy=default.target\n",
        environment.unwrap_or_default(),
        quoted(&program.display().to_string()),
        hostler_supervisor::cgroup::SUBGROUP,
    )
}

/// A word as systemd reads it: quoted, `%` and `$` doubled (systemd.service(5), systemd.unit(5)).
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_leaves_processes_alone_and_quotes_paths() {
        let text = unit(Path::new("/opt/my tools/hostler"), Some(Path::new("/data/100%")));
        assert!(text.contains("ExecStart=\"/opt/my tools/hostler\" daemon run\n"), "{text}");
        assert!(text.contains("Environment=\"HOSTLER_HOME=/data/100%%\"\n"), "{text}");
        assert!(text.contains("KillMode=process\n"), "{text}");
    }
}
