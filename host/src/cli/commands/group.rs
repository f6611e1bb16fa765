//! `hostler group`

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use hostler_api::ToolError;
use hostler_api::groups::{
    AddToGroup, CreateGroup, GroupList, GroupResult, GroupView, MemberArgs, MemberView, MembersResult,
    StartGroup, StopGroup,
};
use hostler_model::groups::{Condition, StopStrategy};
use serde_json::{Value, json};

use super::spec_args::For;
use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::mcp::GROUPS_METHOD;

#[derive(ClapArgs)]
#[command(
    after_help = "Examples:\n  hostler group create shop db migrate:db api:db,migrate=completed web:api=ready\n  hostler group add shop worker:db\n  hostler group start shop"
)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: GroupCommand,
    /// Print the tool's result
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum GroupCommand {
    /// Declare a group of known processes, or declare it anew
    Create {
        /// Name of the group
        name: String,
        /// PROCESS, or PROCESS:DEPENDENCY[=CONDITION],… with a condition of started, ready, healthy or completed
        #[arg(value_name = "MEMBER")]
        members: Vec<String>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// In which order it is stopped
        #[arg(long, value_enum)]
        stop_strategy: Option<Strategy>,
    },
    /// Add a process to a group, or declare its dependencies there anew
    Add {
        /// Name of the group
        group: String,
        /// PROCESS, or PROCESS:DEPENDENCY[=CONDITION],…
        member: String,
        /// Milliseconds to wait once its dependencies are so far
        #[arg(long, value_name = "MS")]
        delay_ms: Option<u64>,
    },
    /// Start its processes, each once its dependencies are so far
    Start {
        /// Name of the group
        group: String,
        /// What to wait for
        #[arg(long, value_enum)]
        wait_for: Option<For>,
        /// Longest wait, milliseconds
        #[arg(long, value_name = "MS")]
        timeout_ms: Option<u64>,
    },
    /// Stop its processes
    Stop {
        /// Name of the group
        group: String,
        /// In which order, when not as declared
        #[arg(long, value_enum)]
        strategy: Option<Strategy>,
        /// Milliseconds until SIGKILL
        #[arg(long, value_name = "MS")]
        grace_ms: Option<u64>,
    },
    /// List the groups
    List {
        /// Those of every project
        #[arg(long, short)]
        all_projects: bool,
    },
    /// Show a group and why its members are as they are
    Show {
        /// Name of the group
        group: String,
    },
    /// Stop a group and forget it; its processes stay known
    Remove {
        /// Name of the group
        group: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Strategy {
    Reverse,
    Parallel,
    Sequential,
}

impl From<Strategy> for StopStrategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Reverse => Self::Reverse,
            Strategy::Parallel => Self::Parallel,
            Strategy::Sequential => Self::Sequential,
        }
    }
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let json = args.json;
    match args.command {
        GroupCommand::Create { name, members, description, stop_strategy } => {
            let members = members.iter().map(|m| member(m)).collect::<Result<_, _>>()?;
            let stop_strategy = stop_strategy.map(StopStrategy::from);
            let request = CreateGroup { name, description, members, stop_strategy, project: None };
            declared(Client::connect()?.call("create_group", &request)?.result, json)
        }
        GroupCommand::Add { group, member: text, delay_ms } => {
            let member = MemberArgs { delay_ms, ..member(&text)? };
            let request = AddToGroup { group, member, project: None };
            declared(Client::connect()?.call("add_to_group", &request)?.result, json)
        }
        GroupCommand::Start { group, wait_for, timeout_ms } => {
            let wait_for = wait_for.map(Into::into);
            let request = StartGroup { group, wait_for, timeout_ms, project: None };
            moved(Client::connect()?.call("start_group", &request)?.result, json)
        }
        GroupCommand::Stop { group, strategy, grace_ms } => {
            let strategy = strategy.map(StopStrategy::from);
            let request = StopGroup { group, strategy, grace_ms, ..StopGroup::default() };
            moved(Client::connect()?.call("stop_group", &request)?.result, json)
        }
        GroupCommand::Remove { group } => {
            let request = StopGroup { group, remove: true, ..StopGroup::default() };
            moved(Client::connect()?.call("stop_group", &request)?.result, json)
        }
        GroupCommand::List { all_projects } => list(all_projects, json),
        GroupCommand::Show { group } => show(&group, json),
    }
}

/// `PROCESS:DEPENDENCY=CONDITION,…`; a name may have colons of its own, so the last one counts.
fn member(text: &str) -> Result<MemberArgs, Failure> {
    let (process, on) = text.rsplit_once(':').unwrap_or((text, ""));
    let mut member = MemberArgs { process: process.to_owned(), ..MemberArgs::default() };
    for dependency in on.split(',').filter(|d| !d.is_empty()) {
        let (name, condition) = dependency.split_once('=').unwrap_or((dependency, "started"));
        let condition: Condition = serde_json::from_value(Value::from(condition)).map_err(|_| {
            ToolError::invalid(format!(
                "`{dependency}`: {condition:?} is no condition; there are started, ready, healthy and completed"
            ))
        })?;
        member.conditions.insert(name.to_owned(), condition);
    }
    Ok(member)
}

fn declared(result: Value, json: bool) -> Outcome {
    if json {
        render::json(&result);
        return Ok(());
    }
    let result: GroupResult = parse(result)?;
    show_group(&result.group);
    Ok(())
}

fn moved(result: Value, json: bool) -> Outcome {
    let moved: MembersResult = parse(result.clone())?;
    if json {
        render::json(&result);
    } else {
        println!("{} {}", moved.group, moved.status);
        members(&moved.members);
        moved.note.iter().for_each(|note| render::note(note));
    }
    if moved.done { Ok(()) } else { Err(Failure::failed("")) }
}

fn groups(all_projects: bool) -> Result<(Value, GroupList), Failure> {
    let result = Client::connect()?.request(GROUPS_METHOD, json!({"all_projects": all_projects}))?;
    Ok((result.clone(), parse(result)?))
}

fn list(all_projects: bool, json: bool) -> Outcome {
    let (result, list) = groups(all_projects)?;
    if json {
        render::json(&result);
        return Ok(());
    }
    if list.groups.is_empty() {
        render::note("no groups; `hostler group create` makes one");
        return Ok(());
    }
    let mut rows = vec![["GROUP", "STATUS", "HEALTH", "MEMBERS"].map(str::to_owned)];
    rows.extend(list.groups.iter().map(|g| {
        let name = if all_projects { format!("{}/{}", g.project, g.name) } else { g.name.clone() };
        let members: Vec<&str> = g.members.iter().map(|m| m.process.as_str()).collect();
        [name, g.status.clone(), g.health.clone(), members.join(" ")]
    }));
    render::columns(&rows);
    Ok(())
}

fn show(group: &str, json: bool) -> Outcome {
    let (_, list) = groups(true)?;
    let (_, here) = groups(false)?;
    let named = |g: &&GroupView| format!("{}/{}", g.project, g.name) == group;
    let found = here.groups.iter().find(|g| g.name == group).or_else(|| list.groups.iter().find(named));
    let Some(found) = found else {
        let names: Vec<&str> = here.groups.iter().map(|g| g.name.as_str()).collect();
        let message = format!("no group `{group}` in this project; there are: {}", names.join(", "));
        return Err(ToolError::new(hostler_api::ErrorKind::NotFound, message).into());
    };
    if json {
        render::json(&serde_json::to_value(found).unwrap_or_default());
    } else {
        show_group(found);
    }
    Ok(())
}

fn show_group(group: &GroupView) {
    println!("{} {} ({})", group.name, group.status, group.health);
    members(&group.members);
}

/// Each member on a line.
pub(super) fn members(members: &[MemberView]) {
    let rows: Vec<[String; 3]> = members
        .iter()
        .map(|m| {
            let first = m.why.as_deref().unwrap_or_default().to_owned();
            [format!("  {}", m.process), m.status.as_str().to_owned(), first]
        })
        .collect();
    render::columns(&rows);
}
