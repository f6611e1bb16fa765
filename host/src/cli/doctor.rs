//! `hostler doctor`: is everything there that hostler needs, and what to do when not.

use std::path::Path;

use super::client::Client;
use super::exit::{Failure, Outcome};
use crate::daemon::boot;
use crate::daemon::home::Home;

enum Finding {
    Good(String),
    Remark(String),
    Bad(String),
}

use Finding::{Bad, Good, Remark};

pub(super) fn run() -> Outcome {
    let home = Home::find().map_err(Failure::unreachable)?;
    let findings = [
        home_is_usable(&home),
        policy_is_valid(&home),
        kernel_has_pidfd(),
        proc_lists_children(),
        Remark(crate::daemon::control_groups()),
        daemon_answers(&home),
    ];
    let mut bad = 0;
    for finding in &findings {
        let (mark, text) = match finding {
            Good(text) => ("ok    ", text),
            Remark(text) => ("note  ", text),
            Bad(text) => {
                bad += 1;
                ("WRONG ", text)
            }
        };
        println!("{mark}{text}");
    }
    if bad == 0 { Ok(()) } else { Err(Failure::failed(format!("{bad} of {} checks failed", findings.len()))) }
}

fn home_is_usable(home: &Home) -> Finding {
    let shown = home.root().display();
    let probe = home.root().join("doctor.probe");
    let written =
        home.create().and_then(|()| std::fs::write(&probe, "x")).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Good(format!("home {shown} can be written")),
        Err(e) => {
            Bad(format!("home {shown} cannot be written: {e}; set HOSTLER_HOME to a directory of your own"))
        }
    }
}

fn policy_is_valid(home: &Home) -> Finding {
    let shown = home.policy().display();
    match crate::daemon::check_policy(home) {
        Ok(true) => Good(format!("policy {shown} is valid")),
        Ok(false) => {
            Good(format!("no policy at {shown}: what is on PATH and in the project may run, shells may not"))
        }
        Err(e) => Bad(format!("nothing may run: {e}")),
    }
}

fn kernel_has_pidfd() -> Finding {
    let pid = rustix::process::getpid();
    match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
        Ok(_) => Good("the kernel has pidfds".to_owned()),
        Err(e) => Bad(format!("the kernel has no pidfds ({e}); hostler needs Linux 5.3 or later")),
    }
}

fn proc_lists_children() -> Finding {
    let pid = std::process::id();
    if Path::new(&format!("/proc/{pid}/task/{pid}/children")).exists() {
        Good("/proc lists the children of processes".to_owned())
    } else {
        Remark(
            "/proc does not list children (CONFIG_PROC_CHILDREN): stopping a tree scans all processes"
                .to_owned(),
        )
    }
}

fn daemon_answers(home: &Home) -> Finding {
    match (boot::running_pid(home), Client::connect_if_running(home)) {
        (None, _) => Remark("the daemon is not running; the first command starts it".to_owned()),
        (Some(pid), Some(_)) => Good(format!("the daemon answers (pid {pid})")),
        (Some(pid), None) => Bad(format!(
            "the daemon (pid {pid}) does not answer on {}; `hostler daemon restart` mends it, processes run on",
            home.socket().display()
        )),
    }
}
