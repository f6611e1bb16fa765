//! `hostler graph`: what waits for what, with its live state.

mod layout;
mod svg;
mod text;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hostler_api::groups::{GroupList, GroupView};
use hostler_api::{ErrorKind, ToolError};
use serde_json::json;

use super::client::Client;
use super::exit::{Failure, Outcome};
use super::render;
use crate::mcp::GROUPS_METHOD;
use layout::Graph;

#[derive(ClapArgs)]
pub(super) struct Args {
    /// The group (default: all of the project)
    group: Option<String>,
    /// Write a picture of it into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print nodes, edges and levels
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    let result = Client::connect()?.request(GROUPS_METHOD, json!({}))?;
    let list: GroupList = super::client::parse(result)?;
    let groups = chosen(list.groups, args.group.as_deref())?;
    let graphs: Vec<Graph> = groups.iter().map(Graph::of).collect();
    if let Some(path) = &args.svg {
        let [graph] = &graphs[..] else {
            let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
            let message = format!("a picture is of one group; there are: {}", names.join(", "));
            return Err(Failure { message, code: 2 });
        };
        std::fs::write(path, svg::draw(graph))
            .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
        render::note(&format!("wrote {}", path.display()));
    }
    if args.json {
        render::json(&json!({ "groups": graphs }));
    } else if args.svg.is_none() {
        if graphs.is_empty() {
            render::note("no groups; `hostler up` and `hostler group create` make some");
        }
        let texts: Vec<String> = graphs.iter().map(text::draw).collect();
        print!("{}", texts.join("\n"));
    }
    Ok(())
}

fn chosen(groups: Vec<GroupView>, named: Option<&str>) -> Result<Vec<GroupView>, Failure> {
    let Some(named) = named else { return Ok(groups) };
    let names = groups.iter().map(|g| g.name.clone()).collect::<Vec<_>>().join(", ");
    let found = groups.into_iter().find(|g| g.name == named);
    found.map(|group| vec![group]).ok_or_else(|| {
        let message = format!("no group `{named}` in this project; there are: {names}");
        ToolError::new(ErrorKind::NotFound, message).into()
    })
}
