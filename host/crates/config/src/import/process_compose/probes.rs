//! Probes, which are those of Kubernetes.

use std::collections::BTreeMap;

use hostler_api::process::HealthArgs;
use serde_json::{Map, Value};

use super::super::yaml::{Entry, Node};
use super::super::{Imported, nothing, probe};
use super::{Process, text};
use crate::draft::Draft;
use crate::{checks, shell};

impl Process<'_> {
    pub(super) fn probes(&self, draft: &mut Draft, imported: &mut Imported) {
        let name = self.name();
        for kind in ["readiness_probe", "liveness_probe"] {
            let Some(entry) = self.node().entries().iter().find(|e| e.key == kind) else { continue };
            match self.check(entry, &draft.env, imported) {
                Ok(found) if draft.health.iter().any(|have| have.config == found.config) => {}
                Ok(found) => {
                    let check = probe::OF_PROCESS_COMPOSE.with(found, &entry.value, name, imported);
                    draft.health.push(check);
                }
                Err(why) => imported.note(entry.line, format!("the {kind} of `{name}`: {why}")),
            }
        }
        if let Some(line) = self.node().get("ready_log_line") {
            let text = format!(
                "`ready_log_line` of `{name}` is not carried over: a health check says that it is ready"
            );
            imported.note(line.line, text);
        }
    }

    fn check(
        &self,
        entry: &Entry,
        env: &BTreeMap<String, String>,
        imported: &mut Imported,
    ) -> Result<HealthArgs, String> {
        if let Some(exec) = entry.value.get("exec") {
            let fields = exec.entries().iter().map(|e| (e.line, e.key.as_str()));
            imported.unknown(fields, &["command"], self.name());
            let line = self.templates.filled(
                exec.text_of("command").unwrap_or_default(),
                exec.line,
                self.name(),
                imported,
            );
            let shell::Line { command, env: own, cwd } = shell::line(&line.replace("$$", "$"), nothing)?;
            if !own.is_empty() || cwd.is_some() {
                return Err("it needs variables or a directory of its own".to_owned());
            }
            return Ok(checks::of_command(&shell::split(&shell::with_values(&command, env))?));
        }
        let Some(get) = entry.value.get("http_get") else {
            return Err("it is neither `exec` nor `http_get`".to_owned());
        };
        Get { process: self, get, env }.check(imported)
    }
}

/// A page that is asked for.
struct Get<'a> {
    process: &'a Process<'a>,
    get: &'a Node,
    env: &'a BTreeMap<String, String>,
}

impl Get<'_> {
    fn part(&self, name: &str, usual: &str, imported: &mut Imported) -> String {
        let Some(given) = self.get.get(name) else { return usual.to_owned() };
        let filled = self.process.templates.filled(
            given.text().unwrap_or(usual),
            given.line,
            self.process.name(),
            imported,
        );
        let found = text(&filled, given.line, imported).unwrap_or_else(|| usual.to_owned());
        shell::with_plain_values(&found, self.env)
    }

    fn check(&self, imported: &mut Imported) -> Result<HealthArgs, String> {
        let name = self.process.name();
        let known = ["host", "path", "port", "scheme", "status_code", "headers"];
        imported.unknown(self.get.entries().iter().map(|e| (e.line, e.key.as_str())), &known, name);
        let scheme = self.part("scheme", "http", imported).to_ascii_lowercase();
        let (host, path) = (self.part("host", "localhost", imported), self.part("path", "/", imported));
        let port = match self.part("port", "", imported) {
            port if port.is_empty() => port,
            port => format!(":{port}"),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{host}{port}{slash}{path}");
        let headers = self.headers(imported);
        if checks::is_url(&url) {
            return self.by_plugin(&url, headers, imported);
        }
        if !url.starts_with("https://") || !checks::is_url(&url.replacen("https://", "http://", 1)) {
            return Err(format!("{url} is no address that can be asked"));
        }
        let text = format!(
            "the health of `{name}` is asked with curl, to which all below 400 is well: plugin http knows no TLS"
        );
        imported.note(self.get.line, text);
        let mut words = ["curl", "-fsS", "-o", "/dev/null"].map(str::to_owned).to_vec();
        words.extend(headers.iter().flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]));
        words.push(url);
        Ok(checks::command(&words))
    }

    fn by_plugin(
        &self,
        url: &str,
        headers: BTreeMap<String, String>,
        imported: &mut Imported,
    ) -> Result<HealthArgs, String> {
        let mut check = checks::http(url);
        if let Some(status) = self.get.get("status_code") {
            match status.text().filter(|text| text.parse::<u16>().is_ok_and(|n| (100..600).contains(&n))) {
                Some(text) => drop(check.config.insert("status".to_owned(), text.into())),
                None => {
                    let text = format!("`status_code` of `{}` is no status", self.process.name());
                    imported.note(status.line, text);
                }
            }
        }
        if !headers.is_empty() {
            let headers: Map<String, Value> =
                headers.into_iter().map(|(name, value)| (name, value.into())).collect();
            check.config.insert("headers".to_owned(), headers.into());
        }
        Ok(check)
    }

    fn headers(&self, imported: &mut Imported) -> BTreeMap<String, String> {
        let given = self.get.get("headers").map(Node::variables).unwrap_or_default();
        let filled = given.into_iter().filter_map(|(line, name, value)| {
            let value = text(&value.unwrap_or_default(), line, imported)?;
            Some((name, shell::with_plain_values(&value, self.env)))
        });
        filled.collect()
    }
}
