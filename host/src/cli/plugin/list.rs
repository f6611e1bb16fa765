//! `hostler plugin list`

use clap::Args as ClapArgs;
use hostler_api::plugin::{PluginList, PluginView};
use serde_json::json;

use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::daemon::config::Config;
use crate::daemon::home::Home;
use crate::daemon::plugins::list::catalog;
use crate::mcp::PLUGINS_METHOD;

#[derive(ClapArgs)]
pub(super) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    let home = Home::find().map_err(Failure::failed)?;
    let list = match Client::connect_if_running(&home) {
        Some(mut client) => parse(client.request(PLUGINS_METHOD, json!({}))?)?,
        None => without_daemon(&home),
    };
    if args.json {
        let value = serde_json::to_value(&list).map_err(|error| Failure::failed(error.to_string()))?;
        render::json(&value);
        return Ok(());
    }
    let mut rows =
        vec![["NAME", "KIND", "STATUS", "CALLS", "FAULTS", "NS/ITEM", "SOURCE"].map(str::to_owned)];
    rows.extend(list.plugins.iter().map(row));
    render::columns(&rows);
    for (name, reason) in list.plugins.iter().filter_map(|view| Some((&view.name, view.reason.as_ref()?))) {
        println!("{name}: {reason}");
    }
    list.note.iter().for_each(|note| render::note(note));
    Ok(())
}

/// What is declared; nothing of it is in use.
fn without_daemon(home: &Home) -> PluginList {
    let path = home.config();
    let (config, problem) = match Config::load(&path) {
        Ok(config) => (config, None),
        Err(why) => (Config::default(), Some(why)),
    };
    let dir = path.parent().unwrap_or(std::path::Path::new("/"));
    let idle = "the daemon is not running: no plugin is in use".to_owned();
    PluginList { plugins: catalog(&config, dir), note: Some(problem.unwrap_or(idle)) }
}

fn row(view: &PluginView) -> [String; 7] {
    [
        view.name.clone(),
        view.kind.clone().unwrap_or_else(|| "-".to_owned()),
        view.status.as_str().to_owned(),
        view.calls.to_string(),
        view.faults().to_string(),
        view.ns_per_item.map_or_else(|| "-".to_owned(), |ns| ns.to_string()),
        view.source.clone(),
    ]
}
