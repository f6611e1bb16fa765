//! One service of docker compose.

use hostler_api::process::HealthArgs;
use hostler_model::groups::Condition;
use hostler_model::words;

use super::super::probe::Timing;
use super::super::yaml::{Entry, Node};
use super::super::{Imported, condition};
use super::ports::Ports;
use super::variables;
use crate::draft::{Container, Draft, literal};
use crate::{checks, shell, units};

/// Where the program of a service comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// From a directory of the project, when it is not that of the file.
    Here(Option<String>),
    /// From an image.
    Container,
}

pub(super) struct Service<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    pub(super) home: Home,
    pub(super) ports: Ports,
    node: &'a Node,
    /// The compose file, when docker compose does not find it by itself.
    file: Option<&'a str>,
}

/// Fields of a service that runs here which are carried over, or which only its image needs.
const HERE: [&str; 25] = [
    "command",
    "entrypoint",
    "working_dir",
    "build",
    "image",
    "environment",
    "env_file",
    "depends_on",
    "healthcheck",
    "restart",
    "ports",
    "expose",
    "container_name",
    "hostname",
    "networks",
    "volumes",
    "profiles",
    "stop_signal",
    "stop_grace_period",
    "tty",
    "stdin_open",
    "init",
    "mem_limit",
    "cpus",
    "deploy",
];

impl<'a> Service<'a> {
    pub(super) fn of(entry: &'a Entry, file: Option<&'a str>) -> Self {
        let (name, node) = (entry.key.as_str(), &entry.value);
        let ports = Ports::of(node.get("ports"));
        Self { name, line: entry.line, home: home(node), ports, node, file }
    }

    /// The process; none when it cannot be one, which is noted.
    pub(super) fn draft(&self, imported: &mut Imported) -> Option<Draft> {
        let mut draft = match &self.home {
            Home::Container => self.in_container(imported),
            Home::Here(dir) => match self.here(dir.clone(), imported) {
                Ok(draft) => draft,
                Err(why) => {
                    imported.left_out(self.line, self.name, why);
                    return None;
                }
            },
        };
        self.depends_on(&mut draft, imported);
        self.restart(&mut draft);
        self.check(&mut draft, imported);
        let grace = self.node.text_of("stop_grace_period").and_then(units::duration_ms);
        draft.grace_ms = grace.or(draft.grace_ms);
        if self.node.get("profiles").is_some_and(|profiles| !profiles.items().is_empty()) {
            draft.autostart = Some(false);
        }
        Some(draft)
    }

    /// Docker compose starts it, shows its output, and ends it when it is ended itself.
    fn in_container(&self, imported: &mut Imported) -> Draft {
        let file = self.file.map(|file| format!("-f {} ", literal(file))).unwrap_or_default();
        let name = literal(self.name);
        let command =
            format!("docker compose {file}up --no-deps --no-log-prefix --exit-code-from {name} {name}");
        let image = self.node.text_of("image").map(|image| format!(" ({image})")).unwrap_or_default();
        let text = format!("`{}` runs in its container{image}, through docker compose", self.name);
        imported.note(self.line, text);
        let container = Container {
            image: self.node.text_of("image").map(str::to_owned),
            is_built: self.node.get("build").is_some(),
        };
        Draft { name: self.name.to_owned(), command, container: Some(container), ..Draft::default() }
    }

    fn here(&self, dir: Option<String>, imported: &mut Imported) -> Result<Draft, String> {
        let mut draft = self.program()?;
        draft.cwd = match (dir, draft.cwd.take()) {
            (Some(dir), Some(inner)) => Some(format!("{dir}/{inner}")),
            (dir, inner) => dir.or(inner),
        };
        imported.unknown(self.node.entries().iter().map(|e| (e.line, e.key.as_str())), &HERE, self.name);
        for (line, name, value) in self.node.get("environment").map(Node::variables).unwrap_or_default() {
            // A name alone takes the value that it has where compose is run.
            match value.map_or_else(|| Ok(format!("${{{name}:-}}")), |value| variables(&value)) {
                Ok(value) => drop(draft.env.insert(name, value)),
                Err(why) => {
                    imported.note(line, format!("`{name}` of `{}` is not carried over: {why}", self.name))
                }
            }
        }
        for file in self.node.get("env_file").map(Node::items).unwrap_or_default() {
            let path = file.text().or_else(|| file.text_of("path")).unwrap_or_default();
            draft.env_files.extend(variables(path).ok().filter(|path| !path.is_empty()));
        }
        draft.stop_signal = self.node.text_of("stop_signal").map(literal);
        draft.pty = self.node.is_true("tty");
        self.limits(&mut draft, imported);
        let text = format!("`{}` runs here, not in its container: install what its image has", self.name);
        imported.note(self.line, text);
        Ok(draft)
    }

    /// Entrypoint and command.
    fn program(&self) -> Result<Draft, String> {
        let mut words = Vec::new();
        for field in ["entrypoint", "command"].iter().filter_map(|field| self.node.get(field)) {
            match field.text() {
                Some(line) if !field.is_list() => words.extend(words::split(line).or_else(|_| quoted(line))?),
                _ => words.extend(field.texts()),
            }
        }
        // What a shell is given is read as that: `$$` is a dollar sign that compose left to it.
        let name = self.name;
        if let [shell, flag, line] = &words[..]
            && ["sh", "bash", "/bin/sh", "/bin/bash"].contains(&shell.as_str())
            && ["-c", "-lc", "-ec", "-euc"].contains(&flag.as_str())
        {
            return Draft::of_shell(name, &line.replace("$$", "$"));
        }
        let mut words = words.iter().map(|word| variables(word));
        let program = words.next().ok_or("its command is empty")??;
        let command = shell::program(&program)?;
        let args = words.collect::<Result<Vec<_>, _>>()?;
        Ok(Draft { name: name.to_owned(), command, args, ..Draft::default() })
    }

    fn depends_on(&self, draft: &mut Draft, imported: &mut Imported) {
        let Some(depends_on) = self.node.get("depends_on") else { return };
        let names = if depends_on.entries().is_empty() { depends_on.texts() } else { Vec::new() };
        draft.depends_on.extend(names.into_iter().map(|name| (name, Condition::Started)));
        for on in depends_on.entries() {
            let named = on.value.text_of("condition").unwrap_or("service_started");
            match condition(named) {
                Some(condition) => drop(draft.depends_on.insert(on.key.clone(), condition)),
                None => imported.note(on.line, format!("nothing is known of the condition `{named}`")),
            }
        }
    }

    fn restart(&self, draft: &mut Draft) {
        let (policy, most) = match self.node.text_of("restart") {
            Some("no" | "false") => ("never", None),
            Some("always" | "unless-stopped") => ("always", None),
            Some(text) => match text.split_once(':') {
                Some(("on-failure", most)) => ("on_failure", most.parse().ok()),
                _ if text == "on-failure" => ("on_failure", None),
                _ => return,
            },
            None => return,
        };
        draft.restart = Some(policy);
        draft.max_restarts = most;
    }

    fn limits(&self, draft: &mut Draft, imported: &mut Imported) {
        let deploy = self.node.get("deploy");
        let limits = deploy.and_then(|d| d.get("resources")).and_then(|r| r.get("limits"));
        let of = |old: &str, new: &str| {
            self.node.text_of(old).or_else(|| limits.and_then(|limits| limits.text_of(new)))
        };
        draft.memory_bytes = of("mem_limit", "memory").and_then(units::bytes);
        draft.cpu_percent = of("cpus", "cpus").and_then(units::cpu_percent);
        if let Some(replicas) = deploy.and_then(|d| d.number_of("replicas")).filter(|n| *n > 1) {
            let text = format!("of the {replicas} replicas of `{}` one is started", self.name);
            imported.note(self.line, text);
        }
    }

    /// Its own check; and where nobody sees the ports of a container, whether they are open.
    fn check(&self, draft: &mut Draft, imported: &mut Imported) {
        let Some(check) = self.node.get("healthcheck").filter(|check| !check.is_true("disable")) else {
            let port = self.ports.first().filter(|_| self.home == Home::Container);
            draft.health.extend(port.map(|port| checks::tcp(&format!("localhost:{port}"))));
            return;
        };
        let Some(test) = check.get("test") else { return };
        match self.test(test) {
            Ok(Some(found)) => draft.health.push(Timing::of_compose(check).with(found)),
            Ok(None) => {}
            Err(why) => imported.note(test.line, format!("the health check of `{}`: {why}", self.name)),
        }
    }

    fn test(&self, test: &Node) -> Result<Option<HealthArgs>, String> {
        let texts = test.texts();
        let words = match &texts[..] {
            [none] if test.is_list() && none == "NONE" => return Ok(None),
            [kind, words @ ..] if test.is_list() && kind == "CMD" => {
                words.iter().map(|word| variables(word)).collect::<Result<Vec<_>, _>>()?
            }
            [kind, line] if test.is_list() && kind == "CMD-SHELL" => of_shell(line)?,
            [line] => of_shell(line)?,
            _ => return Err("it is none of CMD, CMD-SHELL and NONE".to_owned()),
        };
        let found = checks::of_command(&words);
        Ok(Some(match self.home {
            Home::Here(_) => found,
            Home::Container => self.made_outside(found, words),
        }))
    }

    /// A check that was made in the container: by the port that it publishes, or else there as before.
    fn made_outside(&self, mut check: HealthArgs, words: Vec<String>) -> HealthArgs {
        for field in ["address", "url"] {
            let Some(text) = check.config.get(field).and_then(|value| value.as_str()) else { continue };
            let plain = text.replace("127.0.0.1", "localhost").replace("0.0.0.0", "localhost");
            let inside = match field {
                "url" if !plain.trim_start_matches("http://").contains(':') => Some("80"),
                _ => plain
                    .split_once("localhost:")
                    .map(|(_, rest)| &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]),
            };
            let here = inside.and_then(|inside| Some((inside, self.ports.here(inside)?)));
            if let Some((inside, here)) = here {
                let moved = if plain.contains("localhost:") {
                    plain.replacen(&format!("localhost:{inside}"), &format!("localhost:{here}"), 1)
                } else {
                    plain.replacen("localhost", &format!("localhost:{here}"), 1)
                };
                check.config.insert(field.to_owned(), moved.into());
                return check;
            }
        }
        let mut outer: Vec<String> = ["docker", "compose"].map(str::to_owned).into();
        outer.extend(self.file.into_iter().flat_map(|file| ["-f".to_owned(), literal(file)]));
        outer.extend(["exec", "-T", self.name].map(str::to_owned));
        outer.extend(words);
        // The program is docker, so that no other check is made of it.
        checks::of_command(&outer)
    }
}

/// A check's line, of which the shell only turned one failure into another.
fn of_shell(line: &str) -> Result<Vec<String>, String> {
    let line = line.replace("$$", "$");
    let line = line.trim().trim_end_matches("|| exit 1").trim_end_matches("|| false");
    let read = shell::line(line, |_| String::new())?;
    words::split(&read.command).or_else(|_| quoted(&read.command))
}

/// Words with variables in them.
fn quoted(line: &str) -> Result<Vec<String>, String> {
    // A variable is a word, or part of one, whatever is in its braces.
    let hidden = line.replace('$', "\u{1}");
    let words = words::split(&hidden).map_err(|why| why.to_string())?;
    Ok(words.into_iter().map(|word| word.replace('\u{1}', "$")).collect())
}

/// Where the program of a service comes from: it has a command, and its working directory is one of the project.
fn home(node: &Node) -> Home {
    let has_command = ["command", "entrypoint"].iter().any(|field| node.get(field).is_some());
    if !has_command {
        return Home::Container;
    }
    let inside = node.text_of("working_dir");
    let volumes = node.get("volumes").map(Node::items).unwrap_or_default();
    let mounted = volumes.iter().filter_map(bind).find_map(|(here, target)| match inside {
        Some(inside) => {
            let rest = inside.strip_prefix(target.as_str())?;
            let below = rest.is_empty() || rest.starts_with('/');
            below.then(|| joined(&here, rest.trim_start_matches('/')))
        }
        None => Some(here),
    });
    let context = node.get("build").and_then(|build| build.text().or_else(|| build.text_of("context")));
    let dir = match (mounted, context) {
        (Some(mounted), _) => mounted,
        (None, Some(context)) if !context.contains("://") && !context.contains('$') => context.to_owned(),
        (None, _) => return Home::Container,
    };
    let dir = dir.trim_start_matches("./").trim_end_matches('/').to_owned();
    Home::Here((!dir.is_empty() && dir != ".").then(|| literal(&dir)))
}

fn joined(dir: &str, inner: &str) -> String {
    if inner.is_empty() { dir.to_owned() } else { format!("{}/{inner}", dir.trim_end_matches('/')) }
}

/// A directory of the project that a container sees, and as what.
fn bind(volume: &Node) -> Option<(String, String)> {
    let (here, target) = match volume.text() {
        Some(text) => {
            let (here, rest) = text.split_once(':')?;
            (here, rest.split(':').next()?)
        }
        None => (volume.text_of("source")?, volume.text_of("target")?),
    };
    let is_of_project = here == "." || here.starts_with("./") || here.starts_with("../");
    is_of_project.then(|| (here.to_owned(), target.trim_end_matches('/').to_owned()))
}
