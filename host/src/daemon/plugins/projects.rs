//! What a project's `hostler.toml` declares under `[plugins]`, for the processes of this project alone. The user's own
//! declarations come first, and no file of a project widens what they grant: a plugin of a project may do what the user
//! granted to the very same component, and has no more of the machine than any other plugin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hostler_config::{Change, PlannedPart};
use hostler_plugin_host::{Digest, Grants};
use hostler_store::Project;

use super::declaration::Declaration;
use crate::daemon::config::{Config, did_you_mean};

/// The plugins that one file declares, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Declared(BTreeMap<String, Declaration>);

/// What is wrong with the table of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[plugins.{plugin}]: {why}")]
pub(crate) struct WrongTable {
    /// Its name.
    pub(crate) plugin: String,
    /// What, and what to write.
    pub(crate) why: String,
}

impl Declared {
    /// Reads the tables of a file in `dir`.
    ///
    /// # Errors
    /// What is wrong, with the name of the plugin and what to write.
    pub(crate) fn read(tables: &BTreeMap<String, toml::Table>, dir: &Path) -> Result<Self, WrongTable> {
        let read = |(name, table): (&String, &toml::Table)| {
            let wrong = |why| WrongTable { plugin: name.clone(), why };
            Ok((name.clone(), of_project(name, table, dir).map_err(wrong)?))
        };
        tables.iter().map(read).collect::<Result<_, WrongTable>>().map(Self)
    }

    /// What changes for it to be as another one.
    pub(crate) fn changes_to(&self, wanted: &Self) -> Vec<PlannedPart> {
        let part = |name: &String, change| PlannedPart { part: format!("plugins.{name}"), change };
        let declared = wanted.0.iter().filter_map(|(name, declaration)| match self.0.get(name) {
            None => Some(part(name, Change::Create)),
            Some(now) if now == declaration => None,
            Some(_) => Some(part(name, Change::Update { fields: Vec::new() })),
        });
        let gone = self.0.keys().filter(|name| !wanted.has(name)).map(|name| part(name, Change::Remove));
        declared.chain(gone).collect()
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn of_project(name: &str, table: &toml::Table, dir: &Path) -> Result<Declaration, String> {
    let read: Result<Declaration, toml::de::Error> = table.clone().try_into();
    let mut declaration =
        read.map_err(|error| format!("{}{}", error.message(), did_you_mean(error.message())))?;
    if !declaration.grants.to_grants().is_empty() {
        let file = declaration.source.to_string();
        return Err(format!(
            "`grants` are the user's to give, in config.toml and to one file: leave them out here, and run \
             `hostler plugin add {file}`"
        ));
    }
    declaration.check(name)?;
    declaration.limits.keep_to_usual();
    declaration.source = declaration.source.below(dir);
    Ok(declaration)
}

/// What the files of all projects declare.
#[derive(Debug, Default)]
pub(super) struct Projects(Mutex<BTreeMap<i64, OfProject>>);

#[derive(Debug, Default)]
struct OfProject {
    name: String,
    files: BTreeMap<PathBuf, Declared>,
    /// Why what a file declares is not there.
    failed: BTreeMap<PathBuf, String>,
}

impl Projects {
    /// Puts what a file declares in place of what it declared before, and answers that.
    pub(super) fn put(&self, project: &Project, file: &Path, declared: Declared) -> Declared {
        let mut projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let OfProject { name, files, failed } = projects.entry(project.id).or_default();
        name.clone_from(&project.name);
        failed.remove(file);
        let before = if declared == Declared::default() {
            files.remove(file)
        } else {
            files.insert(file.to_owned(), declared)
        };
        before.unwrap_or_default()
    }

    /// What a file declares.
    pub(super) fn of_file(&self, project: i64, file: &Path) -> Declared {
        let projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        projects.get(&project).and_then(|of| of.files.get(file)).cloned().unwrap_or_default()
    }

    /// Remembers why what a file declares is not there, until it declares something.
    pub(super) fn fail(&self, project: &Project, file: &Path, why: String) {
        let mut projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        projects.entry(project.id).or_default().failed.insert(file.to_owned(), why);
    }

    /// Why what files declare is not there.
    pub(super) fn failures(&self) -> Vec<String> {
        let projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        projects.values().flat_map(|of| of.failed.values().cloned()).collect()
    }

    /// What is declared under a name for the processes of a project.
    pub(super) fn find(&self, project: i64, name: &str) -> Option<Declaration> {
        let projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        projects.get(&project)?.files.values().find_map(|declared| declared.0.get(name)).cloned()
    }

    /// What a plugin of a project is called among those of others: `project/name`.
    pub(super) fn full_name(&self, project: i64, name: &str) -> String {
        let projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let project = projects.get(&project).map_or("", |of| of.name.as_str());
        format!("{project}/{name}")
    }

    /// All, each with its full name.
    pub(super) fn all(&self) -> Vec<(String, Declaration)> {
        let projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |project: &OfProject| {
            let all = project.files.values().flat_map(|declared| &declared.0);
            let full = |(name, declaration): (&String, &Declaration)| {
                (format!("{}/{name}", project.name), declaration.clone())
            };
            all.map(full).collect::<Vec<_>>()
        };
        projects.values().flat_map(of).collect()
    }
}

/// What the user granted to a file, under whatever names.
pub(super) fn granted_by_user(config: &Config, digest: Digest) -> Grants {
    let mut all = Grants::default();
    for declaration in config.plugins.values().filter(|declaration| declaration.sha256 == Some(digest)) {
        let Grants { tcp, http, commands } = declaration.grants.to_grants();
        all.tcp.extend(tcp);
        all.http.extend(http);
        all.commands.extend(commands);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::plugins::declaration::Source;

    fn read(text: &str) -> Result<Declared, String> {
        #[derive(serde::Deserialize)]
        struct File {
            plugins: BTreeMap<String, toml::Table>,
        }
        let file: File = toml::from_str(text).unwrap();
        Declared::read(&file.plugins, Path::new("/srv/shop")).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_file_declares_plugins_beside_it_with_the_usual_limits() {
        let declared = read(
            "[plugins.mine]\nsource = 'plugins/mine.wasm'\nconfig = { a = 1 }\n\
             limits = { memory_bytes = 1000000000, cpu_ms = 5 }\n[plugins.web]\nsource = 'builtin:http'\n",
        )
        .unwrap();
        let mine = &declared.0["mine"];
        assert_eq!(mine.source, Source::File("/srv/shop/plugins/mine.wasm".into()));
        assert_eq!((mine.limits().memory_bytes, mine.limits().cpu.as_millis()), (64 << 20, 5));
        assert!(declared.has("web") && !declared.has("json"));
    }

    #[test]
    fn what_a_project_may_not_say_is_named() {
        for (text, wanted) in [
            ("[plugins.a]\nsorce = 'x'", "[plugins.a]: unknown field `sorce`"),
            ("[plugins.a]\nsource = 'builtin:jsno'", "did you mean `builtin:json`?"),
            ("[plugins.a]\nsource = 'x.wasm'\ngrants = { commands = ['sh'] }", "hostler plugin add x.wasm"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(wanted), "{why}");
        }
    }

    #[test]
    fn a_file_that_declares_nothing_any_more_is_forgotten() {
        let projects = Projects::default();
        let file = Path::new("/srv/shop/hostler.toml");
        let shop = Project { id: 1, root: "/srv/shop".into(), name: "shop".into() };
        let declared = read("[plugins.web]\nsource = 'builtin:http'").unwrap();
        projects.fail(&shop, file, "it cannot be read".to_owned());
        assert_eq!(projects.failures(), ["it cannot be read"]);
        assert_eq!(projects.put(&shop, file, declared.clone()), Declared::default());
        assert!(projects.failures().is_empty(), "what is declared is there");
        assert_eq!(projects.of_file(1, file), declared);
        assert!(projects.find(1, "web").is_some() && projects.find(2, "web").is_none());
        assert_eq!(projects.all()[0].0, "shop/web");
        assert_eq!(projects.put(&shop, file, Declared::default()), declared);
        assert!(projects.all().is_empty());
    }
}
