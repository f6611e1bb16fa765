//! What a service runs, and where.

use std::collections::BTreeMap;

use super::super::super::yaml::Node;
use super::super::super::{Imported, nothing};
use super::super::variables;
use crate::draft::Draft;
use crate::shell;

/// What a service runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Program {
    draft: Draft,
    /// For a line of a shell: the variables of docker compose in it, which are not those of the shell.
    hidden: Option<Hidden>,
}

impl Program {
    /// Of entrypoint and command.
    ///
    /// # Errors
    /// Why it cannot be run without its container.
    pub(super) fn of(name: &str, node: &Node) -> Result<Self, String> {
        let mut words = Vec::new();
        for field in ["entrypoint", "command"].iter().filter_map(|field| node.get(field)) {
            match field.text() {
                Some(line) if !field.is_list() => words.extend(shell::split(line)?),
                _ => words.extend(field.texts()),
            }
        }
        if let Some(line) = shell::given_to_shell(&words) {
            let (line, hidden) = Hidden::in_line(line)?;
            return Ok(Self { draft: Draft::of_shell(name, &line, nothing)?, hidden: Some(hidden) });
        }
        let words = words.iter().map(|word| variables(word)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { draft: Draft::of_words(name, words)?, hidden: None })
    }

    /// The process that runs it with this environment.
    pub(super) fn draft(
        self,
        line: usize,
        environment: &BTreeMap<String, String>,
        env_files: Vec<String>,
        imported: &mut Imported,
    ) -> Draft {
        let mut draft = Draft { line: Some(line), env_files, ..self.draft };
        for (name, value) in environment {
            draft.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        // Without a shell nobody would fill in what the process sets itself.
        if let Some(hidden) = &self.hidden {
            imported.fill_in_own_values(&mut draft);
            let texts = draft.args.iter_mut().chain(draft.env.values_mut()).chain(&mut draft.cwd);
            texts.chain(std::iter::once(&mut draft.command)).for_each(|text| *text = hidden.shown(text));
        }
        draft
    }
}

/// Variables of docker compose, each of which a character for private use stands for while the line around them is read as
/// a shell would read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    /// The line as the shell gets it: `$$` is a dollar sign that docker compose leaves to it.
    ///
    /// # Errors
    /// When it has an expansion that is not known here.
    pub(super) fn in_line(text: &str) -> Result<(String, Self), String> {
        let (mut out, mut rest, mut hidden) = (String::new(), text, Self::default());
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = match rest[1..].chars().next() {
                Some('{') => rest.find('}').map_or(rest.len(), |end| end + 1),
                Some(c) if c.is_ascii_alphanumeric() || c == '_' => {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    rest[1..].find(|c| !is_part(c)).map_or(rest.len(), |end| end + 1)
                }
                next => {
                    out.push('$');
                    rest = &rest[1 + usize::from(next == Some('$'))..];
                    continue;
                }
            };
            out.push(stand_in(hidden.0.len()).ok_or("it has too many variables")?);
            hidden.0.push(variables(&rest[..end])?);
            rest = &rest[end..];
        }
        Ok((out + rest, hidden))
    }

    /// A text with them in their places again.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match self.0.iter().enumerate().find(|(at, _)| stand_in(*at) == Some(c)) {
                Some((_, variable)) => out.push_str(variable),
                None => out.push(c),
            }
        }
        out
    }
}

fn stand_in(at: usize) -> Option<char> {
    u32::try_from(at).ok().filter(|at| *at < 0x800).and_then(|at| char::from_u32(0xF000 + at))
}

/// The directory of the project in which a service runs. There is none when it has no command, or when its program is in its
/// image and what it sees of the project is only a file that it reads or a place for its data.
pub(super) fn directory(node: &Node) -> Option<String> {
    let has_command = ["command", "entrypoint"].iter().any(|field| node.get(field).is_some());
    if !has_command {
        return None;
    }
    let mounts: Vec<(String, String)> =
        node.get("volumes").map(Node::items).unwrap_or_default().iter().filter_map(bind).collect();
    let context = node.get("build").map(|build| {
        let context = build.text().or_else(|| build.text_of("context")).unwrap_or(".");
        context.to_owned()
    });
    let context = context.filter(|context| !context.contains(['$', ':'])).map(|context| clean(&context));
    let mounted = match node.text_of("working_dir") {
        Some(inside) => mounts
            .iter()
            .filter_map(|(here, target)| Some((target.len(), joined(here, below(inside, target)?))))
            .max()
            .map(|(_, directory)| directory),
        None => {
            let is_mounted = |directory: &str| mounts.iter().any(|(here, _)| clean(here) == directory);
            let mounted = context.as_deref().into_iter().chain(["."]).find(|directory| is_mounted(directory));
            mounted.map(str::to_owned)
        }
    };
    mounted.or(context).map(|directory| clean(&directory))
}

/// The rest of a path in a container below a directory that is mounted there.
fn below<'a>(path: &'a str, target: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(target)?;
    (rest.is_empty() || rest.starts_with('/') || target.is_empty()).then(|| rest.trim_start_matches('/'))
}

fn joined(directory: &str, inner: &str) -> String {
    if inner.is_empty() {
        directory.to_owned()
    } else {
        format!("{}/{inner}", directory.trim_end_matches('/'))
    }
}

/// A path relative to the project without what says nothing; "." is the project itself.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let joined = parts.join("/");
    match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// A directory of the project that a container sees, and as what.
fn bind(volume: &Node) -> Option<(String, String)> {
    let (here, target) = match volume.text() {
        // Docker compose's own way to say where it is run.
        Some(text) => {
            let text = ["${PWD}", "$PWD"]
                .iter()
                .find_map(|pwd| text.strip_prefix(pwd))
                .map(|rest| format!(".{rest}"));
            let text = text.as_deref().or(volume.text())?;
            let (here, rest) = text.split_once(':')?;
            (here.to_owned(), rest.split(':').next()?.to_owned())
        }
        None => (volume.text_of("source")?.to_owned(), volume.text_of("target")?.to_owned()),
    };
    let is_of_project = here == "." || here == ".." || here.starts_with("./") || here.starts_with("../");
    is_of_project.then(|| (here, target.trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        directory(&super::super::super::super::yaml::parse(text).unwrap())
    }

    #[test]
    fn what_is_mounted_is_where_it_runs_only_when_its_program_is_there() {
        for (text, wanted) in [
            ("{image: redis, command: redis-server /c, volumes: ['./redis.conf:/c']}", None),
            ("{image: postgres, command: -c x, volumes: ['./initdb:/docker-entrypoint-initdb.d']}", None),
            ("{image: x, command: y, volumes: ['./public/system:/mastodon/public/system']}", None),
            ("{build: ., command: y, volumes: ['./public/system:/mastodon/public/system']}", Some(".")),
            ("{build: ./web, command: y, volumes: ['./web/:/app']}", Some("web")),
            ("{build: ./web, command: y, volumes: ['.:/app']}", Some(".")),
            ("{build: {dockerfile: x}, command: y}", Some(".")),
            ("{build: 'https://x/y.git', command: y}", None),
            ("{image: node, command: y, volumes: ['.:/app']}", Some(".")),
            ("{image: node, command: y, volumes: ['${PWD}:/app:ro']}", Some(".")),
            ("{image: node, command: y, volumes: [{type: bind, source: ., target: /app}]}", Some(".")),
            ("{image: node, command: y, working_dir: /app/web, volumes: ['.:/app']}", Some("web")),
            (
                "{image: node, command: y, working_dir: /app/web, volumes: ['.:/app', './ui:/app/web']}",
                Some("ui"),
            ),
            ("{image: node, command: y, working_dir: /srv, volumes: ['.:/app']}", None),
            ("{image: node, command: y, working_dir: /apps, volumes: ['.:/app']}", None),
            ("{build: ., volumes: ['.:/app']}", None),
            ("{build: ../api, command: y}", Some("../api")),
        ] {
            assert_eq!(of(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn variables_of_compose_pass_through_a_line_of_a_shell() {
        let (line, hidden) = Hidden::in_line("run $$PORT ${A:-b} $C$$ 5$ $").unwrap();
        assert!(line.starts_with("run $PORT ") && line.ends_with("$ 5$ $"), "{line}");
        assert_eq!(hidden.shown(&line), "run $PORT ${A:-b} ${C:-}$ 5$ $");
        assert!(Hidden::in_line("${A:+b}").is_err() && Hidden::in_line("${A").is_err());
    }
}
