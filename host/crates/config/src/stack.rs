//! A stack: the processes and groups of a file, templates and defaults filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use hostler_api::process::SpecArgs;
use hostler_model::groups::{Condition, Declared as DeclaredGroup, Member, StopStrategy};
use hostler_model::nearest::nearest;
use hostler_model::{Group, ProcessName, Schedule, WatchSpec};
use toml::Spanned;

use crate::mistake::Mistake;
use crate::places::Places;
use crate::settings::{File, GroupTable, ProcessTable, Settings};

/// A process of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// As the arguments of a start.
    pub args: SpecArgs,
    /// When it is started, in place of at once.
    pub schedule: Option<Schedule>,
    /// For which files it is restarted.
    pub watch: Option<WatchSpec>,
    /// What must be so before it is started.
    pub depends_on: BTreeMap<ProcessName, Condition>,
    /// How long to wait after that.
    pub delay_ms: u64,
    /// Whether the start of the whole stack starts it.
    pub autostart: bool,
    /// The templates that it has settings from, nearest first.
    pub extends: Vec<String>,
}

/// All that a file declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// The processes by their names.
    pub processes: BTreeMap<ProcessName, Declared>,
    /// The group of all that is started with the stack.
    pub whole: Group,
    /// The other groups.
    pub groups: Vec<Group>,
    /// The plugins of the project.
    pub plugins: BTreeMap<String, toml::Table>,
    /// Where it all stands.
    pub places: Places,
}

impl Stack {
    /// What is wrong with a process, at its place in the text: the setting that the message names in backticks, else
    /// `otherwise`, else the process.
    #[must_use]
    pub fn mistake(&self, text: &str, process: &ProcessName, message: &str, otherwise: &str) -> Mistake {
        let extends = self.processes.get(process).map_or(&[][..], |declared| declared.extends.as_slice());
        let templates = extends.iter().map(|name| ["templates", name.as_str()]);
        let is_in = |group: &&Group| group.member(process.as_str()).is_some();
        let groups = self.groups.iter().filter(is_in).map(|group| ["groups", group.name().as_str()]);
        let from: Vec<[&str; 2]> = templates.chain(groups).collect();
        self.places.of_process(text, process.as_str(), &from, message, otherwise)
    }
}

/// Fills in templates and defaults, and checks what refers to what.
pub(crate) fn resolve(text: &str, dir: &str, file: File, places: Places) -> Result<Stack, Mistake> {
    let reader = Reader { text, dir, file: &file };
    let mut processes = BTreeMap::new();
    for (key, table) in &file.processes {
        let name = reader.name(key.get_ref(), key.span())?;
        processes.insert(name, reader.process(key, table)?);
    }
    reader.check_conditions(&processes)?;
    let whole_name = match &file.name {
        Some(name) => reader.name(name.get_ref(), name.span())?,
        None => directory_name(dir),
    };
    let started = processes.iter().filter(|(_, p)| p.autostart).map(|(name, _)| name.clone());
    let started: Vec<ProcessName> = started.collect();
    let whole = GroupTable::default();
    let whole = reader.group(whole_name, &whole, started, &processes, 0..0)?;
    let mut groups = Vec::new();
    for (key, table) in &file.groups {
        let name = reader.name(key.get_ref(), key.span())?;
        if name == *whole.name() {
            let message =
                format!("`{name}` is the name of the whole stack; choose another, or set `name` at the top");
            return Err(Mistake::at(text, key.span(), message));
        }
        let members = table.members.iter().map(|m| reader.known(m)).collect::<Result<_, _>>()?;
        groups.push(reader.group(name, table, members, &processes, key.span())?);
    }
    Ok(Stack { processes, whole, groups, plugins: file.plugins, places })
}

fn directory_name(dir: &str) -> ProcessName {
    let name = Path::new(dir).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    ProcessName::suggest(&name)
        .or_else(|| ProcessName::suggest("stack"))
        .unwrap_or_else(|| unreachable!("`stack` is a name"))
}

struct Reader<'a> {
    text: &'a str,
    dir: &'a str,
    file: &'a File,
}

impl Reader<'_> {
    fn name(&self, text: &str, span: Range<usize>) -> Result<ProcessName, Mistake> {
        ProcessName::try_from(text.to_owned()).map_err(|e| Mistake::at(self.text, span, e.to_string()))
    }

    fn process(&self, key: &Spanned<String>, table: &ProcessTable) -> Result<Declared, Mistake> {
        let limits = Settings { limits: self.file.limits, ..Settings::default() };
        let mut own = Settings::default();
        for extended in &table.extends {
            own = own.overlaid(self.template(extended)?);
        }
        let own = own.overlaid(table.settings());
        let of_groups = self.of_groups(key.get_ref(), &own)?;
        let mut settings = limits.overlaid(self.file.defaults.clone()).overlaid(of_groups).overlaid(own);
        let Some(command) = table.command.clone() else {
            let message = format!("`{}` has no `command`", key.get_ref());
            return Err(Mistake::at(self.text, key.span(), message));
        };
        let mut env = self.file.env.clone();
        env.extend(settings.env.take().unwrap_or_default());
        settings.env = Some(env).filter(|env| !env.is_empty());
        settings.cwd = Some(self.here(settings.cwd.as_deref().unwrap_or(".")));
        if let Some(files) = &mut settings.env_files {
            files.iter_mut().for_each(|file| *file = self.here(file));
        }
        settings.env_profile = settings.env_profile.or_else(|| self.file.env_profile.clone());
        let mut depends_on = BTreeMap::new();
        for (on, condition) in &table.depends_on.0 {
            let condition = condition.or(table.condition).unwrap_or_default();
            depends_on.insert(self.known(on)?, condition);
        }
        Ok(Declared {
            schedule: settings.schedule.take().map(|setting| setting.0),
            watch: settings.watch.take().map(|setting| setting.in_dir(self.dir)),
            args: settings.into_args(Some(command)),
            depends_on,
            delay_ms: table.delay_ms.unwrap_or(0),
            autostart: table.autostart.unwrap_or(true),
            extends: table.extends.iter().rev().map(|name| name.get_ref().clone()).collect(),
        })
    }

    /// What the groups of a process say of it where neither it nor its templates do.
    fn of_groups(&self, process: &str, own: &Settings) -> Result<Settings, Mistake> {
        let (mut health, mut log) = (None, None);
        if own.health.is_none() {
            health = self.agreed(process, "health", |group| group.health.as_ref())?;
        }
        if own.log.is_none() {
            log = self.agreed(process, "log", |group| group.log.as_ref())?;
        }
        Ok(Settings { health, log, ..Settings::default() })
    }

    /// A setting that groups have for a process. They have to agree: none of them is nearer to it than another.
    fn agreed<T: Clone + PartialEq>(
        &self,
        process: &str,
        setting: &str,
        of: impl Fn(&GroupTable) -> Option<&T>,
    ) -> Result<Option<T>, Mistake> {
        let is_member = |group: &GroupTable| group.members.iter().any(|name| name.get_ref() == process);
        let its_groups = self.file.groups.iter().filter(|(_, group)| is_member(group));
        let mut all = its_groups.filter_map(|(name, group)| Some((name, of(group)?)));
        let Some((first, agreed)) = all.next() else { return Ok(None) };
        match all.find(|(_, other)| *other != agreed) {
            None => Ok(Some(agreed.clone())),
            Some((second, _)) => {
                let (first, other) = (first.get_ref(), second.get_ref());
                let message = format!(
                    "the groups `{first}` and `{other}` have different `{setting}` for `{process}`, which is in both; \
                     set `{setting}` in [processes.{process}], or in one of the groups only"
                );
                Err(Mistake::at(self.text, second.span(), message))
            }
        }
    }

    /// Refuses to wait for the health of what has no checks: it would be waited for without end.
    fn check_conditions(&self, processes: &BTreeMap<ProcessName, Declared>) -> Result<(), Mistake> {
        let has_checks = |on: &str| {
            let found = processes.iter().find(|(name, _)| name.as_str() == on);
            found.is_some_and(|(_, declared)| declared.args.health.iter().flatten().next().is_some())
        };
        for (key, table) in &self.file.processes {
            for (on, condition) in &table.depends_on.0 {
                let condition = condition.or(table.condition).unwrap_or_default();
                if condition == Condition::Healthy && !has_checks(on.get_ref()) {
                    let (process, on_name) = (key.get_ref(), on.get_ref());
                    let message = format!(
                        "`{process}` would wait without end for `{on_name}` to be healthy, for `{on_name}` has no health \
                         checks: give it some, such as health = [{{ plugin = \"tcp\", config = {{ address = \
                         \"localhost:5432\" }} }}], or wait until it is `ready`, `started` or `completed`"
                    );
                    return Err(Mistake::at(self.text, on.span(), message));
                }
            }
        }
        Ok(())
    }

    /// A path of the file as an absolute one.
    fn here(&self, path: &str) -> String {
        match path {
            "." => self.dir.to_owned(),
            path if path.starts_with("~/") => path.to_owned(),
            path => Path::new(self.dir).join(path.trim_start_matches("./")).to_string_lossy().into_owned(),
        }
    }

    fn template(&self, name: &Spanned<String>) -> Result<Settings, Mistake> {
        let known = self.file.templates.get(name.get_ref());
        known.cloned().ok_or_else(|| {
            let names: Vec<&str> = self.file.templates.keys().map(String::as_str).collect();
            self.unknown("template", name, &names, "[templates.NAME] declares one")
        })
    }

    /// The name of a process of this file.
    fn known(&self, name: &Spanned<String>) -> Result<ProcessName, Mistake> {
        if self.file.processes.contains_key(name.get_ref().as_str()) {
            return self.name(name.get_ref(), name.span());
        }
        let names: Vec<&str> = self.file.processes.keys().map(|k| k.get_ref().as_str()).collect();
        Err(self.unknown("process", name, &names, "[processes.NAME] declares one"))
    }

    fn unknown(&self, what: &str, name: &Spanned<String>, names: &[&str], advice: &str) -> Mistake {
        let hint = match nearest(name.get_ref(), names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => advice.to_owned(),
            None => format!("there are: {}", names.join(", ")),
        };
        Mistake::at(self.text, name.span(), format!("no {what} `{}` in this file; {hint}", name.get_ref()))
    }

    /// A group of these processes and of all that they depend on.
    fn group(
        &self,
        name: ProcessName,
        table: &GroupTable,
        members: Vec<ProcessName>,
        processes: &BTreeMap<ProcessName, Declared>,
        span: Range<usize>,
    ) -> Result<Group, Mistake> {
        let (mut names, mut next) = (BTreeSet::new(), members);
        while let Some(name) = next.pop() {
            if let Some(process) = processes.get(&name)
                && names.insert(name)
            {
                next.extend(process.depends_on.keys().cloned());
            }
        }
        let member = |name: ProcessName| {
            let declared = processes.get(&name)?;
            let (depends_on, delay_ms) = (declared.depends_on.clone(), declared.delay_ms);
            Some(Member { process: name, depends_on, delay_ms })
        };
        let declared = DeclaredGroup {
            name,
            description: table.description.clone(),
            members: names.into_iter().filter_map(member).collect(),
            stop_strategy: table.stop_strategy.unwrap_or(StopStrategy::Reverse),
        };
        Group::new(declared).map_err(|error| {
            let span = self.cycle_span(&error).unwrap_or(span);
            Mistake::at(self.text, span, error.to_string())
        })
    }

    /// Where the first process of a cycle is declared.
    fn cycle_span(&self, error: &hostler_model::InvalidGroup) -> Option<Range<usize>> {
        let hostler_model::InvalidGroup::Cycle(path) = error else { return None };
        let first = path.first()?;
        self.file.processes.keys().find(|key| key.get_ref() == first.as_str()).map(Spanned::span)
    }
}
