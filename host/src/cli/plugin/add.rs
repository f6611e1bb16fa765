//! `hostler plugin add`

use clap::Args as ClapArgs;
use hostler_plugin_host::{Grants, PeerPattern};

use crate::cli::exit::{Failure, Outcome};
use crate::daemon::home::Home;
use crate::plugins::check::{self, Mark, Report, Wants};
use crate::plugins::config_file::{self, Added, NewDeclaration};
use crate::plugins::source::{Source, read_config};

#[derive(ClapArgs)]
pub(super) struct Args {
    /// The component: a file, or builtin:NAME. It stays where it is
    #[arg(value_name = "FILE")]
    plugin: String,
    /// By what processes name it; its own name by default
    #[arg(long)]
    name: Option<String>,
    /// Its configuration: a JSON object, or @ and a file
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Let it connect there
    #[arg(long, value_name = "HOST:PORT")]
    grant_tcp: Vec<PeerPattern>,
    /// Let it send HTTP requests there
    #[arg(long, value_name = "HOST:PORT")]
    grant_http: Vec<PeerPattern>,
    /// Let it run this program, if the policy allows it too
    #[arg(long, value_name = "NAME")]
    grant_command: Vec<String>,
}

pub(super) fn run(args: Args) -> Outcome {
    let home = Home::find().map_err(Failure::failed)?;
    let source = Source::open(&args.plugin)?;
    let config = args.config.as_deref().map(read_config).transpose()?;
    let report = check::check(&source, config.clone(), &home)?;
    refuse_failures(&report)?;
    let Some((own_name, sha256)) = report.facts.name.as_deref().zip(report.facts.sha256.as_deref()) else {
        return Err(Failure::failed("the plugin did not say its name"));
    };
    let name = args.name.as_deref().unwrap_or(own_name);
    let grants = Grants { tcp: args.grant_tcp, http: args.grant_http, commands: args.grant_command };
    let config = config.unwrap_or_default();
    let new = NewDeclaration { name, source: &source, sha256, grants: &grants, config: &config };
    let path = home.config();
    let done = match config_file::add(&path, &new)? {
        Added::New => "declared",
        Added::Updated => "declared again, with the digest that it has now",
    };
    println!("[plugins.{name}] {done} in {}", path.display());
    println!("  source   {}", source.name);
    println!("  granted  {}", granted(&grants));
    if let Some(how) = report.facts.world.and_then(|world| how_to_use(world, name)) {
        println!("  use it   {how}");
    }
    if let Some(more) = report.facts.wants.as_ref().and_then(|wants| flags(wants, &grants)) {
        println!("  it also wants: hostler plugin add {} --name {name} {more}", source.name);
    }
    Ok(())
}

/// Who names a plugin of this world, and how.
fn how_to_use(world: &str, name: &str) -> Option<String> {
    match world {
        "log-parser" => Some(format!("hostler start NAME --parser {name} -- COMMAND")),
        "health-check" => Some(format!("hostler start NAME --health {name} -- COMMAND")),
        "error-categorizer" => {
            Some(format!("categorizers = [\"{name}\", \"generic\"] under [errors] of the same file"))
        }
        _ => None,
    }
}

fn refuse_failures(report: &Report) -> Outcome {
    let failed = report.checks.iter().filter(|finding| finding.result == Mark::Fail);
    let reasons: Vec<String> = failed.map(|finding| format!("{}: {}", finding.check, finding.text)).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("nothing was declared, for it is not fit: {}", reasons.join("; "))))
}

fn granted(grants: &Grants) -> String {
    let peers = |what: &str, peers: &[PeerPattern]| -> Vec<String> {
        peers.iter().map(|peer| format!("{what} {peer}")).collect()
    };
    let commands = grants.commands.iter().map(|name| format!("command {name}")).collect();
    let all = [peers("tcp", &grants.tcp), peers("http", &grants.http), commands].concat();
    if all.is_empty() { "nothing beyond computing".to_owned() } else { all.join(", ") }
}

/// The options that grant what it says it wants and has not.
fn flags(wants: &Wants, grants: &Grants) -> Option<String> {
    let missing = |flag: &str, wanted: &[String], has: Vec<String>| -> Vec<String> {
        wanted
            .iter()
            .filter(|wish| !has.contains(wish))
            .map(|wish| format!("--grant-{flag} {wish}"))
            .collect()
    };
    let peers = |peers: &[PeerPattern]| peers.iter().map(ToString::to_string).collect();
    let all = [
        missing("tcp", &wants.tcp, peers(&grants.tcp)),
        missing("http", &wants.http, peers(&grants.http)),
        missing("command", &wants.commands, grants.commands.clone()),
    ]
    .concat();
    (!all.is_empty()).then(|| all.join(" "))
}
