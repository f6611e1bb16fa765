//! From the arguments of a start to a complete declaration.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_api::ToolError;
use hostler_api::process::{HealthArgs, LifetimeKind, LimitArgs, RestartArgs, SpecArgs};
use hostler_model::errors::redact::REDACTED;
use hostler_model::restart::RestartPolicy;
use hostler_model::spec::{Lifetime, Limits, StopSpec};
use hostler_model::{ProcessSpec, words};
use hostler_store::Project;

use super::checks;
use crate::daemon::resolve::absolute;

/// MAX_ARG_STRLEN of the kernel, bytes with the final NUL.
const MAX_WORD: usize = 128 << 10;

/// Time to live of a lease that does not say.
const DEFAULT_LEASE_MS: u64 = 600_000;

/// A new declaration.
///
/// # Errors
/// Names the argument.
pub(super) fn new_spec(
    args: &SpecArgs,
    project: &Project,
    search_path: &str,
) -> Result<ProcessSpec, ToolError> {
    let blank = ProcessSpec {
        command: String::new(),
        args: Vec::new(),
        cwd: project.root.clone(),
        search_path: search_path.to_owned(),
        env: Default::default(),
        env_files: Vec::new(),
        env_profile: None,
        env_digest: None,
        restart: RestartPolicy::default(),
        schedule: None,
        watch: None,
        health: Vec::new(),
        stop: StopSpec::default(),
        limits: Limits::default(),
        lifetime: Lifetime::default(),
        parsers: Vec::new(),
        pty: false,
        no_new_privs: false,
    };
    changed_spec(blank, args, project)
}

/// A declaration with the given arguments changed.
///
/// # Errors
/// Names the argument.
pub(super) fn changed_spec(
    mut spec: ProcessSpec,
    args: &SpecArgs,
    project: &Project,
) -> Result<ProcessSpec, ToolError> {
    if let Some(cwd) = &args.cwd {
        spec.cwd = absolute(Path::new(&project.root), cwd);
    }
    if let Some(command) = &args.command {
        (spec.command, spec.args) = command_line(command, Path::new(&spec.cwd))?;
        spec.args.extend(args.args.iter().flatten().cloned());
    } else if let Some(new_args) = &args.args {
        spec.args.clone_from(new_args);
    }
    check_words(&spec)?;
    check_placeholders(args)?;
    if let Some(env) = &args.env {
        check_env(env.keys(), env.values())?;
        spec.env.clone_from(env);
    }
    if let Some(files) = &args.env_files {
        spec.env_files = files.iter().map(|f| absolute(Path::new(&spec.cwd), f)).collect();
    }
    if let Some(profile) = &args.env_profile {
        spec.env_profile = Some(profile.clone());
    }
    if let Some(restart) = &args.restart {
        spec.restart = restart_policy(spec.restart, restart);
    }
    if let Some(stop) = &args.stop {
        if let Some(signal) = &stop.signal {
            spec.stop.signal =
                signal.parse().map_err(|e| ToolError::invalid(format!("`stop.signal`: {e}")))?;
        }
        spec.stop.grace_ms = stop.grace_ms.unwrap_or(spec.stop.grace_ms);
    }
    if let Some(limits) = &args.limits {
        check_limits(limits)?;
        spec.limits = Limits {
            memory_bytes: limits.memory_bytes.or(spec.limits.memory_bytes),
            cpu_percent: limits.cpu_percent.or(spec.limits.cpu_percent),
            open_files: limits.open_files.or(spec.limits.open_files),
            processes: limits.processes.or(spec.limits.processes),
        };
    }
    if let Some(health) = &args.health {
        spec.health = checks::declared(health)?;
    }
    if let Some(log) = &args.log {
        spec.parsers.clone_from(&log.parsers);
    }
    spec.lifetime = lifetime(spec.lifetime, args)?;
    spec.pty = args.pty.unwrap_or(spec.pty);
    spec.no_new_privs = args.no_new_privs.unwrap_or(spec.no_new_privs);
    Ok(spec)
}

/// One text is a command line, unless there is a file of that very name.
fn command_line(command: &str, cwd: &Path) -> Result<(String, Vec<String>), ToolError> {
    if command.contains('/') && command.contains(' ') && cwd.join(command).is_file() {
        return Ok((command.to_owned(), Vec::new()));
    }
    let mut words = words::split(command).map_err(|e| ToolError::invalid(format!("`command`: {e}")))?;
    let program = words.remove(0);
    Ok((program, words))
}

/// The kernel's bound of one word is named here rather than met there: what it refuses is not declared, and so
/// does not come back with every list.
fn check_words(spec: &ProcessSpec) -> Result<(), ToolError> {
    let words = std::iter::once(&spec.command).chain(&spec.args);
    match words.enumerate().find(|(_, word)| word.len() >= MAX_WORD) {
        None => Ok(()),
        Some((at, word)) => {
            let field = if at == 0 { "`command`".to_owned() } else { format!("argument {at}") };
            Err(ToolError::invalid(format!(
                "{field} has {} bytes, and the kernel passes on at most {}; put it into a file",
                word.len(),
                MAX_WORD - 1
            )))
        }
    }
}

/// Who passes on what an answer showed of a declaration would put a placeholder where a secret was.
fn check_placeholders(args: &SpecArgs) -> Result<(), ToolError> {
    let has = |text: &String| text.contains(REDACTED);
    let in_config =
        |check: &HealthArgs| check.config.values().any(|value| value.to_string().contains(REDACTED));
    let field = [
        ("command", args.command.as_ref().is_some_and(has)),
        ("args", args.args.iter().flatten().any(has)),
        ("env", args.env.iter().flat_map(BTreeMap::values).any(has)),
        ("health", args.health.iter().flatten().any(in_config)),
    ];
    match field.into_iter().find(|(_, has)| *has) {
        Some((name, _)) => Err(ToolError::invalid(format!(
            "`{name}`: {REDACTED} stands for a secret that answers do not show; give the secret itself, or leave `{name}` \
             out to keep what is declared"
        ))),
        None => Ok(()),
    }
}

/// A limit of nothing is a mistake.
fn check_limits(limits: &LimitArgs) -> Result<(), ToolError> {
    let zero = [
        ("memory_bytes", limits.memory_bytes),
        ("cpu_percent", limits.cpu_percent.map(u64::from)),
        ("open_files", limits.open_files),
        ("processes", limits.processes),
    ];
    match zero.into_iter().find(|(_, value)| *value == Some(0)) {
        Some((name, _)) => Err(ToolError::invalid(format!(
            "`limits.{name}`: 0 would let nothing run; leave it out for no limit"
        ))),
        None => Ok(()),
    }
}

fn check_env<'a>(
    names: impl Iterator<Item = &'a String>,
    values: impl Iterator<Item = &'a String>,
) -> Result<(), ToolError> {
    for name in names {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(ToolError::invalid(format!("`env`: {name:?} is not a name of a variable")));
        }
    }
    for value in values {
        if value.contains('\0') {
            return Err(ToolError::invalid(
                "`env`: a value contains a NUL byte, which the kernel cannot pass on",
            ));
        }
    }
    Ok(())
}

fn restart_policy(base: RestartPolicy, args: &RestartArgs) -> RestartPolicy {
    RestartPolicy {
        when: args.policy.unwrap_or(base.when),
        max_restarts: args.max_restarts.unwrap_or(base.max_restarts),
        window_ms: args.window_ms.unwrap_or(base.window_ms),
        backoff_initial_ms: args.backoff_initial_ms.unwrap_or(base.backoff_initial_ms),
        backoff_max_ms: args.backoff_max_ms.unwrap_or(base.backoff_max_ms),
        cooldown_ms: args.cooldown_ms.or(base.cooldown_ms).filter(|ms| *ms > 0),
    }
}

fn lifetime(base: Lifetime, args: &SpecArgs) -> Result<Lifetime, ToolError> {
    match (args.lifetime, args.lease_ms) {
        (None, None) => Ok(base),
        (Some(LifetimeKind::Persistent), None) => Ok(Lifetime::Persistent),
        (Some(LifetimeKind::Session), None) => Ok(Lifetime::Session),
        (Some(LifetimeKind::Lease), ttl) => Ok(Lifetime::Lease { ttl_ms: ttl.unwrap_or(DEFAULT_LEASE_MS) }),
        (_, Some(_)) => Err(ToolError::invalid("`lease_ms` goes with `lifetime: lease` only")),
    }
}
