//! Which plugins there are and how they are: `hostler plugin list`.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_api::monitoring::PluginUse;
use hostler_api::plugin::{GrantsView, PluginList, PluginState, PluginView};
use hostler_plugin_host::{Digest, EngineOptions, Grants, PeerPattern, PluginStatus, Stats, Trust, inspect};

use super::Plugins;
use super::declaration::Declaration;
use crate::daemon::config::Config;
use crate::plugins::builtin;

impl Plugins {
    /// All that are declared or built in, and how those in use are.
    pub(crate) async fn list(&self) -> PluginList {
        self.keep_current().await;
        let (config, config_dir) = (self.inner.config.current(), self.config_dir().to_owned());
        let of_projects = self.inner.projects.all();
        let looking = tokio::task::spawn_blocking(move || {
            let mut all = catalog(&config, &config_dir);
            all.extend(of_projects.iter().map(|(name, declaration)| look(name, declaration, &config_dir)));
            all
        });
        let mut plugins = looking.await.unwrap_or_default();
        for loaded in self.all_loaded() {
            let known = plugins.iter().position(|view| view.name == loaded.full_name);
            let at = known.unwrap_or_else(|| {
                let mut view = blank(&loaded.full_name, &loaded.made_of().declaration);
                view.reason = Some(
                    "no longer declared, so it has no grants; who uses it keeps it until its next start"
                        .to_owned(),
                );
                plugins.push(view);
                plugins.len() - 1
            });
            add(&mut plugins[at], loaded.plugin.status());
        }
        PluginList { plugins, note: None }
    }

    /// What those in use have cost since the daemon has started, by name; all uses of a name together.
    pub(crate) fn costs(&self) -> BTreeMap<String, Stats> {
        let mut costs: BTreeMap<String, Stats> = BTreeMap::new();
        for loaded in self.all_loaded() {
            let cost = costs.entry(loaded.full_name.clone()).or_default();
            *cost = *cost + loaded.plugin.stats();
        }
        costs
    }

    /// Those that were needed so far, the busiest first. Reads no file.
    pub(crate) fn in_use(&self) -> Vec<PluginUse> {
        let mut views = BTreeMap::new();
        for loaded in self.all_loaded() {
            let blank = || blank(&loaded.full_name, &loaded.made_of().declaration);
            add(views.entry(loaded.full_name.clone()).or_insert_with(blank), loaded.plugin.status());
        }
        let mut all: Vec<PluginUse> = views.into_values().map(PluginUse::from).collect();
        all.sort_by_key(|plugin| std::cmp::Reverse(plugin.busy_ms));
        all
    }
}

/// All that are declared or built in, without a daemon. Reads their files.
pub(crate) fn catalog(config: &Config, config_dir: &Path) -> Vec<PluginView> {
    let undeclared = builtin::ALL.iter().filter(|builtin| !config.plugins.contains_key(builtin.name));
    let declared = config.plugins.iter().map(|(name, declaration)| look(name, declaration, config_dir));
    let built_in =
        undeclared.map(|builtin| look(builtin.name, &Declaration::of_builtin(builtin.name), config_dir));
    let mut all: Vec<PluginView> = declared.chain(built_in).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn look(name: &str, declaration: &Declaration, config_dir: &Path) -> PluginView {
    let mut view = blank(name, declaration);
    let found = declaration.source.read(config_dir).and_then(|wasm| {
        view.sha256 = Some(Digest::of(&wasm).to_string());
        inspect(&wasm, EngineOptions::default().max_component_bytes).map_err(|error| error.to_string())
    });
    match found {
        Ok(inspection) => {
            view.kind = Some(inspection.kind.world().to_owned());
            if declaration.sha256.is_some_and(|declared| declared != inspection.digest) {
                view.reason =
                    Some("the file is not the one that `sha256` names: it has no grants".to_owned());
            }
        }
        Err(why) => {
            view.status = PluginState::Broken;
            view.reason = Some(why);
        }
    }
    view
}

/// One of which nothing is known.
fn blank(name: &str, declaration: &Declaration) -> PluginView {
    PluginView {
        name: name.to_owned(),
        kind: None,
        source: declaration.source.to_string(),
        sha256: None,
        status: PluginState::Idle,
        reason: None,
        uses: 0,
        granted: GrantsView::default(),
        ungranted: GrantsView::default(),
        calls: 0,
        items: 0,
        ns_per_item: None,
        traps: 0,
        timeouts: 0,
        invalid_answers: 0,
        refusals: 0,
        quarantined_calls: 0,
        memory_peak_bytes: 0,
    }
}

/// Adds one use of a plugin to what is shown of it.
fn add(view: &mut PluginView, status: PluginStatus) {
    let PluginStatus { kind, digest, granted, ungranted, trust, last_fault, reload_error, stats, .. } =
        status;
    view.kind.get_or_insert_with(|| kind.world().to_owned());
    // What serves may be older than the file.
    view.sha256 = Some(digest.to_string());
    view.uses += 1;
    let now = match trust {
        Trust::Trusted { .. } => PluginState::Active,
        Trust::Quarantined { .. } | Trust::OnTrial { .. } => PluginState::Quarantined,
    };
    if view.status != PluginState::Quarantined {
        view.status = now;
    }
    let quarantine = match trust {
        Trust::Trusted { .. } => last_fault.map(|fault| format!("last fault: {fault}")),
        Trust::Quarantined { remaining_ms, reason } => {
            Some(format!("left alone for {} s: {reason}", remaining_ms.div_ceil(1000)))
        }
        Trust::OnTrial { reason } => Some(format!("its next call decides: {reason}")),
    };
    let reload = reload_error.map(|why| format!("not reloaded: {why}"));
    let reasons: Vec<String> = [view.reason.take(), quarantine, reload].into_iter().flatten().collect();
    view.reason = (!reasons.is_empty()).then(|| hostler_model::text::clip(reasons.join("; "), 1_000));
    join(&mut view.granted, &granted);
    join(&mut view.ungranted, &ungranted);
    count(view, &stats);
}

fn count(view: &mut PluginView, stats: &Stats) {
    let before = view.ns_per_item.unwrap_or(0).saturating_mul(view.items);
    let spent = u64::try_from(stats.busy.as_nanos()).unwrap_or(u64::MAX);
    view.calls += stats.calls;
    view.items += stats.items;
    view.ns_per_item = before.saturating_add(spent).checked_div(view.items);
    view.traps += stats.traps;
    view.timeouts += stats.timeouts;
    view.invalid_answers += stats.invalid_answers;
    view.refusals += stats.refusals;
    view.quarantined_calls += stats.quarantined;
    view.memory_peak_bytes = view.memory_peak_bytes.max(stats.memory_peak);
}

fn join(all: &mut GrantsView, more: &Grants) {
    let peers = |peers: &[PeerPattern]| peers.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (all, more) in [
        (&mut all.tcp, peers(&more.tcp)),
        (&mut all.http, peers(&more.http)),
        (&mut all.commands, more.commands.clone()),
    ] {
        all.extend(more);
        all.sort();
        all.dedup();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use hostler_plugin_host::{Info, Kind};

    fn status(trust: Trust, stats: Stats) -> PluginStatus {
        let info = Info {
            name: "mine".to_owned(),
            version: "1.0.0".to_owned(),
            summary: String::new(),
            config_schema: None,
            sample_config: None,
            wants: Grants::default(),
            extra: Vec::new(),
        };
        PluginStatus {
            name: "mine".to_owned(),
            kind: Kind::LogParser,
            info,
            digest: Digest::of(b"mine"),
            revision: 1,
            granted: Grants::default(),
            ungranted: Grants::default(),
            trust,
            last_fault: Some("it trapped".to_owned()),
            reload_error: None,
            stats,
        }
    }

    fn shown(statuses: impl IntoIterator<Item = PluginStatus>) -> PluginView {
        let mut view = blank("mine", &Declaration::of_builtin("json"));
        statuses.into_iter().for_each(|status| add(&mut view, status));
        view
    }

    #[test]
    fn the_uses_of_a_plugin_are_counted_together() {
        let of = |items, busy, memory_peak| Stats {
            calls: 2,
            items,
            busy: Duration::from_nanos(busy),
            memory_peak,
            traps: 1,
            ..Stats::default()
        };
        let trusted = Trust::Trusted { recent_faults: 1 };
        let view = shown(
            [(10, 4_000, 70_000), (30, 2_000, 200_000), (0, 0, 65_536)]
                .map(|(items, busy, memory)| status(trusted.clone(), of(items, busy, memory))),
        );
        assert_eq!((view.uses, view.calls, view.items, view.traps), (3, 6, 40, 3));
        assert_eq!((view.ns_per_item, view.memory_peak_bytes), (Some(150), 200_000));
        assert_eq!(shown([status(trusted, of(0, 7, 0))]).ns_per_item, None, "of nothing");
    }

    #[test]
    fn a_quarantine_says_why_and_for_how_long() {
        let reason = || "it trapped: unreachable".to_owned();
        let trusted = || Trust::Trusted { recent_faults: 0 };
        for (trust, state, wanted) in [
            (trusted(), PluginState::Active, "last fault: it trapped"),
            (
                Trust::Quarantined { remaining_ms: 4_001, reason: reason() },
                PluginState::Quarantined,
                "left alone for 5 s: it trapped: unreachable",
            ),
            (
                Trust::OnTrial { reason: reason() },
                PluginState::Quarantined,
                "its next call decides: it trapped: unreachable",
            ),
        ] {
            let view = shown([status(trust, Stats::default())]);
            assert_eq!((view.status, view.reason.as_deref()), (state, Some(wanted)));
        }
        // One use in quarantine is what is to be seen.
        let quarantined = Trust::Quarantined { remaining_ms: 1, reason: reason() };
        let both = [quarantined, trusted()].map(|trust| status(trust, Stats::default()));
        assert_eq!(shown(both).status, PluginState::Quarantined);
    }
}
