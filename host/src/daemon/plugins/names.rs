//! What to say of names: which plugins there are, and which one was probably meant.

use std::path::Path;

use hostler_model::nearest::nearest;
use hostler_plugin_host::Kind;

use super::super::config::Config;
use super::declaration::Source;
use crate::plugins::builtin::{self, Builtin};

/// That there is no plugin of this name, and what to do.
pub(super) fn unknown(name: &str, kind: Kind, config: &Config, path: &Path) -> String {
    let declared = config.plugins.keys().map(String::as_str);
    let near = nearest(name, declared.chain(builtin::ALL.iter().map(|builtin| builtin.name)));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_else(|| ".".to_owned());
    let shown: String = name.chars().take(100).collect();
    format!(
        "there is no plugin `{shown}`{near} {}. Others are declared as [plugins.NAME] in {}",
        of_kind(kind, config),
        path.display()
    )
}

/// Which plugins of a kind there are.
pub(super) fn of_kind(kind: Kind, config: &Config) -> String {
    let is_one = |name: &str| builtin::find(name).and_then(Builtin::kind) == Some(kind);
    let builtins = builtin::ALL.iter().map(|builtin| builtin.name).filter(|name| is_one(name));
    let declared = config.plugins.iter().filter(|(_, declaration)| match &declaration.source {
        Source::Builtin(name) => is_one(name),
        // Of what kind a file is shows when it is loaded.
        Source::File(_) => true,
    });
    let mut names: Vec<&str> = builtins.chain(declared.map(|(name, _)| name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    format!("There are: {}", names.join(", "))
}
