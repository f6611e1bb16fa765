//! How the health of a service is checked.

use hostler_api::process::HealthArgs;

use super::super::super::yaml::Node;
use super::super::super::{Imported, nothing, probe};
use super::super::variables;
use super::program::Hidden;
use super::{Home, Service};
use crate::draft::{Draft, literal};
use crate::{checks, shell};

impl Service<'_> {
    /// Its own check; and where nobody sees the ports of a container, whether they are open.
    pub(super) fn check(&self, draft: &mut Draft, imported: &mut Imported) {
        let Some(check) = self.node.get("healthcheck").filter(|check| !check.is_true("disable")) else {
            let port = self.ports.first().filter(|_| self.home == Home::Container);
            draft.health.extend(port.map(|port| checks::tcp(&format!("localhost:{port}"))));
            return;
        };
        let Some(test) = check.get("test") else { return };
        match self.test(test) {
            Ok(Some(found)) => {
                draft.health.push(probe::OF_COMPOSE.with(found, check, self.name, imported));
            }
            Ok(None) => {}
            Err(why) => imported.note(test.line, format!("the health check of `{}`: {why}", self.name)),
        }
    }

    fn test(&self, test: &Node) -> Result<Option<HealthArgs>, String> {
        let texts = test.texts();
        match &texts[..] {
            [none] if test.is_list() && none == "NONE" => Ok(None),
            [kind, words @ ..] if test.is_list() && kind == "CMD" && !words.is_empty() => {
                let words: Vec<String> =
                    words.iter().map(|word| variables(word)).collect::<Result<Vec<_>, _>>()?;
                let found = checks::of_command(&words);
                Ok(Some(match self.home {
                    Home::Here(_) => found,
                    Home::Container => self.made_here(found).unwrap_or_else(|| self.inside(words)),
                }))
            }
            [kind, line] if test.is_list() && kind == "CMD-SHELL" => self.shell_test(line).map(Some),
            [line] if !test.is_list() => self.shell_test(line).map(Some),
            _ => Err("it is none of CMD, CMD-SHELL and NONE".to_owned()),
        }
    }

    /// A check that is a line of a shell.
    fn shell_test(&self, line: &str) -> Result<HealthArgs, String> {
        let words = self.words_of_shell(line);
        if let Home::Here(_) = self.home {
            return words.map(|words| checks::of_command(&words));
        }
        let made = words.as_ref().ok().and_then(|words| self.made_here(checks::of_command(words)));
        match (made, words) {
            (Some(made), _) => Ok(made),
            (None, Ok(words)) => Ok(self.inside(words)),
            // Its container has the shell that it needs.
            (None, Err(_)) => Ok(self.inside(["sh".to_owned(), "-c".to_owned(), variables(line)?])),
        }
    }

    /// The words of a line whose shell only turns one failure into another, and fills in what the service sets.
    fn words_of_shell(&self, line: &str) -> Result<Vec<String>, String> {
        let (line, hidden) = Hidden::in_line(line)?;
        let line = line.trim().trim_end_matches("|| exit 1").trim_end_matches("|| false");
        let shell::Line { command, env, cwd } = shell::line(line, nothing)?;
        let mut unknown = shell::has_names(&command);
        unknown.retain(|name| !self.environment.contains_key(name));
        if !unknown.is_empty() {
            return Err(format!("only its container knows {}", unknown.join(", ")));
        }
        if !env.is_empty() || cwd.is_some() {
            return Err("it needs variables or a directory of its own".to_owned());
        }
        let words = shell::split(&shell::with_values(&command, &self.environment))?;
        Ok(words.iter().map(|word| hidden.shown(word)).collect())
    }

    /// A check as it is made from here, by the port that the container publishes.
    fn made_here(&self, mut check: HealthArgs) -> Option<HealthArgs> {
        let field = ["address", "url"].into_iter().find(|field| check.config.contains_key(*field))?;
        let text = check.config.get(field)?.as_str()?;
        let plain = text.replace("127.0.0.1", "localhost").replace("0.0.0.0", "localhost");
        let (before, rest) = plain.split_once("localhost")?;
        let (inside, rest) = match rest.strip_prefix(':') {
            Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
            None => ("80", rest),
        };
        let moved = format!("{before}localhost:{}{rest}", self.ports.here(inside)?);
        check.config.insert(field.to_owned(), moved.into());
        Some(check)
    }

    /// A check that is made in the container, as before.
    fn inside(&self, words: impl IntoIterator<Item = String>) -> HealthArgs {
        let mut outer: Vec<String> = ["docker", "compose"].map(str::to_owned).into();
        outer.extend(self.file.into_iter().flat_map(|file| ["-f".to_owned(), literal(file)]));
        outer.extend(["exec", "-T"].map(str::to_owned));
        outer.push(literal(self.name));
        outer.extend(words);
        checks::command(&outer)
    }
}
