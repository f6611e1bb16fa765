//! From a declaration to a program that can be executed: found, allowed, with its whole environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hostler_model::ProcessSpec;
use hostler_model::nearest::nearest;
use hostler_model::spec::Limits;
use hostler_plugin_host::Digest;
use hostler_shim::launch::{Resource, Rlimit};
use hostler_supervisor::{LaunchError, Program};

use super::home::Home;
use super::policy::{Candidate, Policy};

/// Resolves a declaration of a project.
///
/// # Errors
/// What is missing or forbidden, and what to do about it.
pub(crate) fn resolve(home: &Home, project: &Path, spec: &ProcessSpec) -> Result<Program, LaunchError> {
    let cwd = Path::new(&spec.cwd);
    check_cwd(cwd).map_err(LaunchError)?;
    let env = environment(spec, cwd).map_err(LaunchError)?;
    let search_path = env.get("PATH").map_or("", String::as_str);
    let exec = find(&spec.command, cwd, search_path).map_err(LaunchError)?;
    let policy = Policy::load(home.policy())
        .map_err(|e| LaunchError(format!("nothing may run until the policy is repaired: {e}")))?;
    let candidate = candidate(&exec, spec, project);
    let is_on_path = || is_on_path(&exec, [&candidate.asked, &candidate.real], &spec.search_path);
    policy
        .judge(&candidate, is_on_path, home.policy())
        .map_err(|e| LaunchError(format!("not allowed: {e}")))?;
    let argv = std::iter::once(&spec.command).chain(&spec.args).map(OsString::from).collect();
    Ok(Program {
        exec,
        argv,
        env: env.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
        rlimits: rlimits(&spec.limits),
    })
}

/// A path of a declaration as an absolute one.
pub(crate) fn absolute(base: &Path, path: &str) -> String {
    let joined = match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => base.join(path),
    };
    joined.to_string_lossy().into_owned()
}

/// Checks that a directory can be worked in.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_cwd(cwd: &Path) -> Result<(), String> {
    match std::fs::metadata(cwd) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => {
            Err(format!("the working directory {} is a file; give its directory in `cwd`", cwd.display()))
        }
        Err(e) => {
            Err(format!("the working directory {} cannot be used: {e}; give another in `cwd`", cwd.display()))
        }
    }
}

/// Finds an executable as a shell does: a name on the search path, or a path relative to the directory.
fn find(command: &str, cwd: &Path, search_path: &str) -> Result<PathBuf, String> {
    if command.contains('\0') {
        return Err(format!("the command {command:?} contains a NUL byte"));
    }
    if command.contains('/') {
        let path = cwd.join(command);
        return check_executable(&path).map(|()| path);
    }
    let dirs: Vec<PathBuf> = search_dirs(search_path).collect();
    let mut reason = None;
    for dir in &dirs {
        let path = dir.join(command);
        match check_executable(&path) {
            Ok(()) => return Ok(path),
            Err(e) if path.exists() => reason = Some(e),
            Err(_) => {}
        }
    }
    Err(reason.unwrap_or_else(|| not_found(command, cwd, &dirs)))
}

fn search_dirs(search_path: &str) -> impl Iterator<Item = PathBuf> {
    // A relative directory would depend on who looks.
    std::env::split_paths(search_path).filter(|p| p.is_absolute()).collect::<Vec<_>>().into_iter()
}

fn check_executable(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(format!("{shown} is a directory, not an executable")),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Err(format!(
            "{shown} is not executable; run `chmod +x {shown}`, or name its interpreter as the command and \
             the file in `args`"
        )),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(format!("{shown} does not exist")),
        Err(e) => Err(format!("{shown} cannot be executed: {e}")),
    }
}

fn not_found(command: &str, cwd: &Path, dirs: &[PathBuf]) -> String {
    let shown: String = command.chars().take(100).collect();
    if check_executable(&cwd.join(command)).is_ok() {
        return format!(
            "no executable `{shown}` on PATH, but there is one in the working directory: use `./{shown}`"
        );
    }
    let mut names: Vec<String> = Vec::new();
    for dir in dirs {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        names.extend(entries.flatten().filter_map(|e| e.file_name().into_string().ok()));
    }
    let searched: Vec<String> = dirs.iter().map(|d| d.display().to_string()).collect();
    let near = nearest(command, names.iter().map(String::as_str));
    let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    format!("no executable `{shown}` on PATH ({}){hint}", searched.join(":"))
}

fn candidate(exec: &Path, spec: &ProcessSpec, project: &Path) -> Candidate {
    let real = std::fs::canonicalize(exec).unwrap_or_else(|_| exec.to_owned());
    // The directory's links are followed too, so that `dir/../x` and linked directories mean what they are.
    let asked = match (exec.parent(), exec.file_name()) {
        (Some(dir), Some(name)) => canonical(dir).join(name),
        _ => exec.to_owned(),
    };
    Candidate { asked, real, args: spec.args.clone(), project: canonical(project) }
}

/// What was found on the search path needs no further look, which would cost a start more than its policy.
fn is_on_path(exec: &Path, followed: [&PathBuf; 2], search_path: &str) -> bool {
    let in_dir = |path: &Path, dir: &Path| path.parent() == Some(dir);
    search_dirs(search_path).any(|dir| in_dir(exec, &dir))
        || search_dirs(search_path)
            .map(|dir| canonical(&dir))
            .any(|dir| followed.iter().any(|p| in_dir(p, &dir)))
}

fn canonical(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The daemon's own environment, the client's PATH, the files and the variables, later ones over earlier ones.
fn environment(spec: &ProcessSpec, cwd: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(n, _)| !n.starts_with("HOSTLER_"))
        .collect();
    env.insert("PATH".to_owned(), spec.search_path.clone());
    env.insert("PWD".to_owned(), spec.cwd.clone());
    for file in environment_files(cwd, spec.env_profile.as_deref(), &spec.env_files) {
        env.extend(read_variables(&file)?);
    }
    env.extend(spec.env.clone());
    Ok(env)
}

/// The environment files of a process, later ones over earlier ones; of those of a profile, the ones that there are.
pub(crate) fn environment_files(cwd: &Path, profile: Option<&str>, files: &[String]) -> Vec<PathBuf> {
    let of_profile = profile.into_iter().flat_map(|p| profile_files(cwd, p)).filter(|f| f.exists());
    of_profile.chain(files.iter().map(PathBuf::from)).collect()
}

/// A digest of what the environment files of a process say to it now; none when it has none, or one cannot be read.
pub(crate) fn env_digest(spec: &ProcessSpec) -> Option<String> {
    if spec.env_files.is_empty() && spec.env_profile.is_none() {
        return None;
    }
    let mut said = BTreeMap::new();
    for file in environment_files(Path::new(&spec.cwd), spec.env_profile.as_deref(), &spec.env_files) {
        said.extend(read_variables(&file).ok()?);
    }
    said.retain(|name, _| !spec.env.contains_key(name));
    Some(Digest::of(&serde_json::to_vec(&said).ok()?).to_string())
}

/// What `${NAME}` may mean in a file of this directory: the environment, and what its `.env` files say on top.
///
/// # Errors
/// When one of them is not understood.
pub(crate) fn variables(dir: &Path, profile: Option<&str>) -> Result<BTreeMap<String, String>, String> {
    let mut all: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(n, _)| !n.starts_with("HOSTLER_"))
        .collect();
    for file in variable_files(dir, profile).filter(|f| f.exists()) {
        all.extend(read_variables(&file)?);
    }
    Ok(all)
}

/// The files that [`variables`] reads where they exist, later ones over earlier ones.
pub(crate) fn variable_files(dir: &Path, profile: Option<&str>) -> impl Iterator<Item = PathBuf> + use<> {
    let count = if profile.is_some() { 4 } else { 2 };
    profile_files(dir, profile.unwrap_or_default()).into_iter().take(count)
}

/// Checks that there is a file of a profile that somebody asked for by name.
///
/// # Errors
/// Names the profiles that there are.
pub(crate) fn check_profile(dir: &Path, profile: &str) -> Result<(), String> {
    if variable_files(dir, Some(profile)).skip(2).any(|file| file.is_file()) {
        return Ok(());
    }
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let names: BTreeSet<String> = names
        .filter_map(|name| name.strip_prefix(".env.").map(|name| name.trim_end_matches(".local").to_owned()))
        .filter(|name| name != "local")
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let next = match nearest(profile, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "there is no profile yet: such a file makes one".to_owned(),
        None => format!("there are: {}", names.join(", ")),
    };
    let shown: String = profile.chars().take(100).collect();
    Err(format!("no .env.{shown} in {}; {next}", dir.display()))
}

fn read_variables(file: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("the environment file {} cannot be read: {e}", file.display()))?;
    hostler_model::dotenv::parse(&text).map_err(|e| format!("the environment file {}: {e}", file.display()))
}

fn profile_files(cwd: &Path, profile: &str) -> [PathBuf; 4] {
    [".env".to_owned(), ".env.local".to_owned(), format!(".env.{profile}"), format!(".env.{profile}.local")]
        .map(|name| cwd.join(name))
}

/// The limit of open files that this process began with, before it raised its own.
static FILE_LIMIT: OnceLock<Option<u64>> = OnceLock::new();

/// Remembers it, for the processes that are started.
pub(crate) fn remember_file_limit(soft: Option<u64>) {
    let _ = FILE_LIMIT.set(soft);
}

fn rlimits(limits: &Limits) -> Vec<Rlimit> {
    let mut all = Vec::new();
    let mut add = |resource, value: Option<u64>| {
        all.extend(value.map(|v| Rlimit { resource, soft: v, hard: v }));
    };
    // The tree is held to its limits by its group or by being looked at. This is for who grows faster than anybody looks.
    // There is none of processes: the kernel would count all of the user's, and not those of the tree.
    add(Resource::Data, limits.memory_bytes.map(|bytes| bytes.saturating_mul(2)));
    add(Resource::OpenFiles, limits.open_files);
    if let (None, Some(Some(soft))) = (limits.open_files, FILE_LIMIT.get()) {
        let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        all.push(Rlimit { resource: Resource::OpenFiles, soft: *soft, hard: hard.unwrap_or(u64::MAX) });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_the_tree_is_none_of_the_user() {
        let limits = Limits { processes: Some(50), memory_bytes: Some(1 << 20), ..Limits::default() };
        let data = Rlimit { resource: Resource::Data, soft: 2 << 20, hard: 2 << 20 };
        assert_eq!(rlimits(&limits), [data]);
        let limits = Limits { processes: Some(50), open_files: Some(64), ..Limits::default() };
        let files = Rlimit { resource: Resource::OpenFiles, soft: 64, hard: 64 };
        assert_eq!(rlimits(&limits), [files]);
    }

    #[test]
    fn a_digest_is_of_what_environment_files_say_and_not_of_how() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.env");
        let spec = |env_files: &[&Path], env: &[(&str, &str)]| -> ProcessSpec {
            let text = serde_json::json!({
                "command": "x", "args": [], "cwd": dir.path(), "search_path": "", "env_files": env_files,
                "env": env.iter().copied().collect::<BTreeMap<_, _>>(),
                "restart": hostler_model::RestartPolicy::default(),
                "stop": hostler_model::spec::StopSpec::default(),
            });
            serde_json::from_value(text).unwrap()
        };
        let said = |text: &str, spec: &ProcessSpec| {
            std::fs::write(&file, text).unwrap();
            env_digest(spec)
        };
        let plain = spec(&[&file], &[]);
        let first = said("A=1\nB=2\n", &plain);
        assert!(first.is_some());
        assert_eq!(said("# a comment\nB='2'\nA=1\n", &plain), first);
        assert_ne!(said("A=1\nB=3\n", &plain), first);
        let own = spec(&[&file], &[("B", "0")]);
        assert_eq!(said("A=1\nB=3\n", &own), said("A=1\nB=2\n", &own), "what it sets itself counts");
        assert_eq!(env_digest(&spec(&[], &[])), None);
        assert_eq!(env_digest(&spec(&[&dir.path().join("gone")], &[])), None);
    }

    #[test]
    fn executables_are_found_and_problems_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("plain"), "x").unwrap();
        std::fs::write(path("prog"), "x").unwrap();
        std::fs::set_permissions(path("prog"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(path("dir")).unwrap();
        let search = dir.path().to_str().unwrap();
        let here = dir.path();
        assert_eq!(find("prog", Path::new("/"), search), Ok(path("prog")));
        assert_eq!(find("./prog", here, ""), Ok(here.join("./prog")));
        for (command, search, wanted) in [
            ("prgo", search, "did you mean `prog`"),
            ("prog", "", "use `./prog`"),
            ("plain", search, "chmod +x"),
            ("./dir", search, "is a directory"),
            ("./gone", search, "does not exist"),
            ("a\0b", search, "NUL"),
        ] {
            let message = find(command, here, search).unwrap_err();
            assert!(message.contains(wanted), "{command}: {message}");
        }
    }
}
