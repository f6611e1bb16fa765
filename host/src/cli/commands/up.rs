//! `hostler up`, `down` and `trust`

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args as ClapArgs;
use hostler_api::process::Detail;
use hostler_api::stack::{Action, ApplyConfig, ApplyResult, ChangeView};
use hostler_plugin_host::Digest;

use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::daemon::home::Home;
use crate::daemon::{resolve, trust};

const FILE_NAME: &str = "hostler.toml";
/// How often a watched file is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// The daemon answers a wait after this long at the latest.
const LONGEST_MS: u64 = 55_000;

#[derive(ClapArgs)]
pub(in crate::cli) struct UpArgs {
    /// The file (default: hostler.toml of the working directory, or of one above it)
    file: Option<PathBuf>,
    /// Reads .env.NAME and .env.NAME.local as well, in place of the file's env_profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Apply it again whenever it, an .env file beside it, or an environment file of its processes changes
    #[arg(long)]
    watch: bool,
    /// Longest wait for the processes, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 120_000)]
    timeout_ms: u64,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

#[derive(ClapArgs)]
pub(in crate::cli) struct DownArgs {
    /// The file (default: hostler.toml of the working directory, or of one above it)
    file: Option<PathBuf>,
    /// Only show what would be stopped and forgotten
    #[arg(long)]
    dry_run: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

#[derive(ClapArgs)]
pub(in crate::cli) struct TrustArgs {
    /// The file (default: hostler.toml of the working directory, or of one above it)
    file: Option<PathBuf>,
}

pub(in crate::cli) fn up(args: UpArgs) -> Outcome {
    let file = find(args.file.as_deref())?;
    let mut last = Look::at(&file, &args);
    let outcome = up_once(&file, &args);
    if !args.watch || args.dry_run {
        return outcome;
    }
    last.is_trusted |= outcome.is_ok();
    report(outcome);
    render::note("watching the file; Ctrl-C ends the watching, and the processes run on");
    loop {
        std::thread::park_timeout(LOOK);
        let now = Look::at(&file, &args);
        // An editor may be between two writes.
        if now.written[0].is_some() && now != last {
            let outcome = up_once(&file, &args);
            last = Look { is_trusted: now.is_trusted || outcome.is_ok(), ..now };
            report(outcome);
        }
    }
}

/// What a watched file depends on.
#[derive(PartialEq)]
struct Look {
    /// When it, and then the files of its variables and of its processes', were written, and how long they are.
    written: Vec<Option<(SystemTime, u64)>>,
    /// Somebody may trust it meanwhile.
    is_trusted: bool,
}

impl Look {
    fn at(file: &Path, args: &UpArgs) -> Self {
        let content = std::fs::read_to_string(file).unwrap_or_default();
        let profile = args.profile.clone().or_else(|| hostler_config::env_profile(&content).ok().flatten());
        let dir = file.parent().unwrap_or(Path::new("/"));
        let beside = resolve::variable_files(dir, profile.as_deref());
        let of_processes = environment_files(file, &content, profile.as_deref());
        let files = std::iter::once(file.to_owned()).chain(beside).chain(of_processes);
        let written = files.map(|file| modified(&file)).collect();
        let is_trusted = Home::find().is_ok_and(|home| trust::is_trusted(&home, file, content.as_bytes()));
        Self { written, is_trusted }
    }
}

/// The environment files that its processes name, whether they are there or not.
fn environment_files(file: &Path, content: &str, profile: Option<&str>) -> Vec<PathBuf> {
    let dir = file.parent().unwrap_or(Path::new("/"));
    let mut variables = resolve::variables(dir, profile).unwrap_or_default();
    variables.extend(self::variables(content));
    // A mistake is told by who applies it, and the file is read again once it is mended.
    let Ok(stack) = hostler_config::read(content, &dir.to_string_lossy(), profile, &variables) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for declared in stack.processes.values() {
        let cwd = resolve::absolute(dir, declared.args.cwd.as_deref().unwrap_or("."));
        let named = declared.args.env_files.iter().flatten();
        files.extend(named.map(|name| PathBuf::from(resolve::absolute(Path::new(&cwd), name))));
        let of_profile = declared.args.env_profile.as_deref();
        files.extend(of_profile.into_iter().flat_map(|p| resolve::variable_files(Path::new(&cwd), Some(p))));
    }
    files
}

fn report(outcome: Outcome) {
    if let Err(Failure { message, .. }) = outcome
        && !message.is_empty()
    {
        render::note(&format!("hostler: {message}"));
    }
}

fn modified(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

fn up_once(file: &Path, args: &UpArgs) -> Outcome {
    let mut client = Client::connect()?;
    let request = ApplyConfig {
        path: Some(shown(file)),
        profile: args.profile.clone(),
        env: variables(&std::fs::read_to_string(file).unwrap_or_default()),
        dry_run: true,
        detail: Detail::Full,
        ..ApplyConfig::default()
    };
    let planned = client.call("apply_config", &request)?.result;
    let plan: ApplyResult = parse(planned.clone())?;
    if !args.json {
        show_plan(&plan);
    } else if args.dry_run {
        render::json(&planned);
    }
    if args.dry_run {
        plan.note.iter().filter(|_| !args.json).for_each(|note| render::note(note));
        return Ok(());
    }
    // Nobody is asked about what nobody was shown.
    if !plan.trusted && !args.json {
        ask_for_trust(file, &plan)?;
    }
    let deadline = std::time::Instant::now() + Duration::from_millis(args.timeout_ms);
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now()).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let timeout_ms = Some(left.min(LONGEST_MS));
        let request = ApplyConfig { dry_run: false, timeout_ms, ..request.clone() };
        let applied = client.call("apply_config", &request)?.result;
        let result: ApplyResult = parse(applied.clone())?;
        let under_way = result.members.iter().any(|m| {
            use hostler_api::groups::MemberStatus as S;
            matches!(m.status, S::Starting | S::Waiting | S::Stopping | S::Backoff)
        });
        if !result.done && under_way && left > LONGEST_MS {
            continue;
        }
        if args.json {
            render::json(&applied);
        } else {
            super::group::members(&result.members);
            result.note.iter().for_each(|note| render::note(note));
        }
        let nothing = result.members.is_empty();
        return if result.done || nothing { Ok(()) } else { Err(Failure::failed("")) };
    }
}

/// What the shell of the user has for the variables that the file asks for. A file that cannot be read is the daemon's
/// to tell of.
fn variables(text: &str) -> BTreeMap<String, String> {
    let set = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    hostler_config::variables(text).into_iter().filter_map(set).collect()
}

/// Without a terminal nobody is asked: the daemon refuses, and says what to do. Trust is in what was shown, which the
/// file may not say any more when the answer comes.
fn ask_for_trust(file: &Path, plan: &ApplyResult) -> Outcome {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(());
    }
    let shown = render::on_one_line(&file.display().to_string());
    print!("{shown} is new or has changed. Run what it says? [y/N] ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        return Err(Failure::failed("nothing was changed"));
    }
    let content = content(file)?;
    if plan.sha256 != Some(Digest::of(&content).to_string()) {
        return Err(Failure::failed(format!(
            "{shown} changed meanwhile, and nothing was done; look again at what it says: `hostler up` shows it"
        )));
    }
    remember(file, &content).map(drop)
}

fn show_plan(plan: &ApplyResult) {
    let rows: Vec<[String; 3]> = plan
        .changes
        .iter()
        .map(|change| [format!("  {}", change.process), change.action.as_str().to_owned(), detail(change)])
        .chain(
            plan.parts.iter().map(|part| {
                [format!("  {}", part.part), part.action.as_str().to_owned(), changed(&part.fields)]
            }),
        )
        .collect();
    println!("{} ({})", plan.group, render::on_one_line(&plan.file));
    render::columns(&rows);
    println!();
}

/// What is to be known of a change before somebody says yes to it, on one line.
fn detail(change: &ChangeView) -> String {
    let what = match (&change.action, &change.command) {
        (Action::Create, Some(command)) => command.clone(),
        // What is executed is more than that something of it differs.
        (Action::Restart, Some(command)) if change.fields.iter().any(|f| f == "command" || f == "args") => {
            format!("{}: {command}", changed(&change.fields))
        }
        _ => changed(&change.fields),
    };
    let parts: Vec<&str> = [what.as_str(), change.note.as_deref().unwrap_or_default()].into();
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    render::on_one_line(&parts.join("; "))
}

fn changed(fields: &[String]) -> String {
    if fields.is_empty() { String::new() } else { format!("changed: {}", fields.join(", ")) }
}

pub(in crate::cli) fn down(args: DownArgs) -> Outcome {
    // Without a file, the daemon knows which one there was.
    let file = find(args.file.as_deref()).ok().or_else(|| args.file.clone().map(absolute));
    let (path, dry_run) = (file.as_deref().map(shown), args.dry_run);
    let request = ApplyConfig { path, dry_run, down: true, detail: Detail::Full, ..ApplyConfig::default() };
    let result = Client::connect()?.call("apply_config", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let result: ApplyResult = parse(result)?;
    for change in &result.changes {
        println!("  {}  {}", change.process, if args.dry_run { "remove" } else { "removed" });
    }
    result.note.iter().for_each(|note| render::note(note));
    Ok(())
}

pub(in crate::cli) fn trust(args: TrustArgs) -> Outcome {
    let file = find(args.file.as_deref())?;
    let digest = remember(&file, &content(&file)?)?;
    println!("trusted {} (sha256 {digest}); `hostler up` runs it until it changes", file.display());
    Ok(())
}

fn content(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::failed(format!("{}: {e}", file.display())))
}

fn remember(file: &Path, content: &[u8]) -> Result<String, Failure> {
    let home = Home::find().map_err(Failure::unreachable)?;
    trust::trust(&home, file, content)
        .map_err(|e| Failure::failed(format!("{} cannot be written: {e}", home.trusted().display())))
}

fn find(file: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let found = match file {
        Some(file) => Some(here.join(file)),
        None => here.ancestors().map(|dir| dir.join(FILE_NAME)).find(|file| file.is_file()),
    };
    let found = found.and_then(|file| std::fs::canonicalize(file).ok());
    found.filter(|file| file.is_file()).ok_or_else(|| {
        let name = file.map_or_else(|| FILE_NAME.into(), |f| f.display().to_string());
        Failure { message: format!("there is no {name} here"), code: 3 }
    })
}

fn absolute(file: PathBuf) -> PathBuf {
    std::path::absolute(&file).unwrap_or(file)
}

fn shown(file: &Path) -> String {
    file.to_string_lossy().into_owned()
}
