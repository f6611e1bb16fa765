//! The ports of services, and how one is reached by another.

use super::super::yaml::Node;
use super::{Home, variables};
use crate::checks;

/// What a service publishes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ports {
    /// The port in its container, and the one here, which may be a variable.
    pairs: Vec<(String, String)>,
    /// The first one here that can be connected to.
    first: Option<String>,
}

impl Ports {
    /// From `ports`, short and long.
    pub(super) fn of(ports: Option<&Node>) -> Self {
        let mut found = Self::default();
        for port in ports.map(Node::items).unwrap_or_default() {
            let Some((inside, here)) = published(port) else { continue };
            let protocol = port.text_of("protocol").or_else(|| Some(port.text()?.split_once('/')?.1));
            if protocol.is_none_or(|protocol| protocol == "tcp") {
                found.first.get_or_insert_with(|| here.clone());
            }
            found.pairs.push((inside, here));
        }
        found
    }

    /// The port here of one in the container.
    pub(super) fn here(&self, inside: &str) -> Option<&str> {
        self.pairs.iter().find(|(target, _)| target == inside).map(|(_, here)| here.as_str())
    }

    /// The first port here.
    pub(super) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// `[[IP:]HERE:]INSIDE[/PROTOCOL]`, or a map. A port that is published at random cannot be told beforehand.
fn published(port: &Node) -> Option<(String, String)> {
    let (inside, here) = match (port.text_of("target"), port.text_of("published")) {
        (Some(inside), Some(here)) => (variables(inside).ok()?, variables(here).ok()?),
        _ => {
            let text = variables(port.text()?).ok()?;
            match &apart(text.split('/').next().unwrap_or_default())[..] {
                [.., here, inside] => (inside.clone(), here.clone()),
                _ => return None,
            }
        }
    };
    let is_one = |port: &str| checks::has_port(&format!("localhost:{port}"), None);
    (is_one(&inside) && is_one(&here)).then_some((inside, here))
}

/// Splits at colons that are not in a variable.
fn apart(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_u32);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap_or_else(|| unreachable!("there is a part from the beginning")).push(c);
    }
    parts
}

/// A text with `host` as it is reached from here, and whether it is reached; `None` when it is not named.
pub(super) fn with_host(text: &str, host: &str, home: &Home, ports: &Ports) -> Option<(String, bool)> {
    if text == host {
        return Some(("localhost".to_owned(), true));
    }
    let (mut out, mut rest, mut found) = (String::new(), text, None);
    while let Some(at) = rest.find(host) {
        let (before, after) = (&rest[..at], &rest[at + host.len()..]);
        out.push_str(before);
        rest = after;
        let begins = out.ends_with(['@', '/', ',', ' ', '=']) || out.is_empty();
        let digits = after.strip_prefix(':').map(|port| {
            let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            &port[..end]
        });
        match digits.filter(|digits| begins && !digits.is_empty()) {
            Some(inside) => {
                let here = match home {
                    Home::Here(_) => Some(inside),
                    Home::Container => ports.here(inside),
                };
                found = Some(found.unwrap_or(true) && here.is_some());
                out.push_str(
                    &here.map_or_else(|| format!("{host}:{inside}"), |port| format!("localhost:{port}")),
                );
                rest = &after[1 + inside.len()..];
            }
            // A host without its port: the usual one of its service is published as it is, or not at all.
            None if (out.ends_with('@') || out.ends_with("//"))
                && (after.is_empty() || after.starts_with('/')) =>
            {
                let is_reached = matches!(home, Home::Here(_)) || ports.first().is_some();
                found = Some(found.unwrap_or(true) && is_reached);
                out.push_str(if is_reached { "localhost" } else { host });
            }
            None => out.push_str(host),
        }
    }
    found.map(|is_reached| (out + rest, is_reached))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_reached_by_its_port_here() {
        let ports =
            Ports { pairs: vec![("5432".into(), "${DB_PORT:-5433}".into())], first: Some("1".into()) };
        let with = |text| with_host(text, "db", &Home::Container, &ports);
        assert_eq!(with("db"), Some(("localhost".into(), true)));
        assert_eq!(
            with("postgres://me:db@db:5432/db"),
            Some(("postgres://me:db@localhost:${DB_PORT:-5433}/db".into(), true))
        );
        assert_eq!(with("mydb:5432 dbx:1 x.db:3"), None);
        assert_eq!(with("redis://db/0"), Some(("redis://localhost/0".into(), true)));
        assert_eq!(with("db:9"), Some(("db:9".into(), false)), "not published");
        let here = Home::Here(None);
        assert_eq!(
            with_host("http://web:80/", "web", &here, &Ports::default()),
            Some(("http://localhost:80/".into(), true))
        );
    }

    #[test]
    fn ports_are_short_or_long() {
        let text = "- 80\n- '53:53/udp'\n- '8080:80'\n- 127.0.0.1:${P:-90}:91/tcp\n- {target: 1, published: 2}\n\
                    - 3000-3001:3000-3001\n- 127.0.0.1::70\n- ${RANDOM_PORT}:71\n";
        let node = super::super::super::yaml::parse(text).unwrap();
        let wanted = [("53", "53"), ("80", "8080"), ("91", "${P:-90}"), ("1", "2")];
        let ports = Ports::of(Some(&node));
        assert_eq!(ports.pairs, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(ports.first(), Some("8080"), "nobody connects to one of UDP");
    }
}
