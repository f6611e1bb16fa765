//! `compose.yaml` and `docker-compose.yml`. A service whose program comes from the project's own directory becomes a
//! process that runs here; one whose program is in an image runs in its container, through `docker compose up`.

mod ports;
mod service;

use std::collections::BTreeMap;

use super::yaml::Node;
use super::{Imported, NotImported, stack_name};
use ports::Ports;
use service::{Home, Service};

/// Fields of the file that are carried over, or that docker compose goes on reading.
const FILE: [&str; 7] = ["version", "name", "services", "networks", "volumes", "configs", "secrets"];

/// File names that docker compose finds by itself.
const FOUND: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

pub(super) fn read(file_name: &str, root: &Node) -> Result<Imported, NotImported> {
    let mut imported = Imported::default();
    let Some(services) = root.get("services").filter(|services| !services.entries().is_empty()) else {
        return Err(NotImported("it has no `services`".to_owned()));
    };
    imported.unknown(root.entries().iter().map(|e| (e.line, e.key.as_str())), &FILE, "the file");
    imported.file.name = root.text_of("name").filter(|name| !name.contains('$')).and_then(stack_name);
    let file = (!FOUND.contains(&file_name)).then(|| file_name.to_owned());
    let services: Vec<Service<'_>> =
        services.entries().iter().map(|entry| Service::of(entry, file.as_deref())).collect();
    let hosts: BTreeMap<&str, (&Home, &Ports)> =
        services.iter().map(|service| (service.name, (&service.home, &service.ports))).collect();
    for service in &services {
        let mut draft = service.draft(&mut imported);
        if matches!(service.home, Home::Here(_)) {
            reach_others(&mut draft, &hosts, service.line, &mut imported);
        }
        imported.file.processes.push(draft);
    }
    Ok(imported)
}

/// Between containers a service is reached by its name; from here by the port that it has here.
fn reach_others(
    draft: &mut crate::draft::Draft,
    hosts: &BTreeMap<&str, (&Home, &Ports)>,
    line: usize,
    imported: &mut Imported,
) {
    let name = draft.name.clone();
    let texts = draft.env.iter_mut().map(|(variable, value)| (format!("`{variable}` of `{name}`"), value));
    let args = draft.args.iter_mut().map(|arg| (format!("an argument of `{name}`"), arg));
    let command = std::iter::once((format!("the command of `{name}`"), &mut draft.command));
    for (what, text) in texts.chain(args).chain(command) {
        for (host, (home, ports)) in hosts.iter().filter(|(host, _)| **host != name) {
            let Some((changed, is_reached)) = ports::with_host(text, host, home, ports) else { continue };
            *text = changed;
            let text = if is_reached {
                format!("{what} named the service `{host}`, and names localhost now")
            } else {
                format!(
                    "{what} names the service `{host}`, which publishes no port: publish it, and write localhost"
                )
            };
            imported.note(line, text);
        }
    }
}

/// With the variables of docker compose as `hostler.toml` has them.
///
/// # Errors
/// When it is an expansion that is not known here.
fn variables(text: &str) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').ok_or("`${` is never closed")?;
            out.push_str(&variable(inside)?);
            rest = after;
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            match &rest[..end] {
                "" => out.push_str("$$"),
                name => out.push_str(&format!("${{{name}:-}}")),
            }
            rest = &rest[end..];
        }
    }
    Ok(out + rest)
}

/// `NAME`, `NAME:-default`, `NAME-default`, `NAME:?error` and `NAME?error`.
fn variable(inside: &str) -> Result<String, String> {
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let unknown = || Err(format!("nothing is known here of the expansion `${{{inside}}}`"));
    if name.is_empty() || rest.contains(['$', '{']) {
        return unknown();
    }
    match rest.chars().next() {
        None => Ok(format!("${{{name}:-}}")),
        Some('-') => Ok(format!("${{{name}:-{}}}", &rest[1..])),
        // It must be set: a variable without a default must be, here as well.
        Some('?') => Ok(format!("${{{name}}}")),
        Some(_) => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_those_of_compose() {
        for (text, wanted) in [
            ("a $B ${C}", "a ${B:-} ${C:-}"),
            ("${D:-x}:${E-y}", "${D:-x}:${E:-y}"),
            ("${F:?must be set}${G?}", "${F}${G}"),
            ("$$5 5$ $", "$$5 5$$ $$"),
        ] {
            assert_eq!(variables(text).as_deref(), Ok(wanted), "{text}");
        }
        assert!(variables("${A:+b}").unwrap_err().contains("${A:+b}"));
        assert!(variables("${A:-${B}}").is_err() && variables("${A").is_err());
    }
}
