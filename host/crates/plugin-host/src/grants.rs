//! What a plugin may do beyond computing: what it asks for, and what the user grants to exactly this file.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a component's file: what consent is given to. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a component.
    #[must_use]
    pub fn of(wasm: &[u8]) -> Self {
        Self(Sha256::digest(wasm).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A text that is no SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a SHA-256: 64 hexadecimal digits are expected, as `sha256sum` and `hostler plugin check` print"
)]
pub struct DigestError(String);

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let wrong = || DigestError(text.chars().take(80).collect());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

/// The host of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case.
    Name(String),
    /// All names below one: `*.example.org`, kept as `.example.org`.
    Below(String),
}

/// `host:port`: which peers may be reached. The host is a name, `*.` and a name, or an address (IPv6 in brackets); the
/// port is a number or `*`.
///
/// The machine itself is special, since what listens there trusts it: `localhost`, `127.0.0.1` and `[::1]` need a port,
/// and a name that leads to such an address, or to a link-local one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerPattern {
    host: Host,
    port: Option<u16>,
}

/// A text that is no pattern. Says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a `host:port` pattern: {why}")]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl PeerPattern {
    /// Whether a connection to `host` (as the plugin wrote it) and `port` may be tried; the address that the name
    /// leads to has to pass [`allows_address_of_name`] too.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        self.allows_port(port) && self.allows_host(host)
    }

    /// Whether the name may be resolved.
    pub(crate) fn allows_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match &self.host {
            Host::Address(address) => {
                bare.parse().is_ok_and(|other: IpAddr| other.to_canonical() == *address)
            }
            Host::Name(name) => host == *name || (self.is_localhost() && is_loopback(bare)),
            Host::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        }
    }

    pub(crate) fn allows_port(&self, port: u16) -> bool {
        // A wish for any port of this machine may be uttered, and is never granted.
        self.port.map_or(!self.is_this_machine(), |own| own == port)
    }

    /// Whether a grant of `other` is what this wish is about: the same, or the same host when the port depends on the
    /// configuration.
    fn is_met_by(&self, other: &Self) -> bool {
        self.host == other.host && (self.port.is_none() || self.port == other.port)
    }

    fn is_this_machine(&self) -> bool {
        self.is_localhost() || matches!(&self.host, Host::Address(address) if address.is_loopback())
    }

    /// Whether the pattern names this address itself, with this port.
    pub(crate) fn allows_address(&self, address: IpAddr, port: u16) -> bool {
        matches!(&self.host, Host::Address(own) if *own == address.to_canonical()) && self.allows_port(port)
    }

    /// Whether this is the one name that stands for the machine itself.
    pub(crate) fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Name(name) if name == "localhost")
    }
}

/// Whether an address that a granted name led to may be used. Whoever owns a name could otherwise point it at what
/// listens on this machine, or at the metadata service of a cloud.
pub(crate) fn allows_address_of_name(address: IpAddr, name_is_localhost: bool) -> bool {
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() || is_link_local(address) {
        return false;
    }
    address.is_loopback() == name_is_localhost
}

fn is_loopback(host: &str) -> bool {
    host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

impl FromStr for PeerPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::from_wish(text)?;
        if pattern.is_this_machine() && pattern.port.is_none() {
            let why = "the machine itself can be reached on listed ports only; name the port";
            return Err(PatternError { pattern: text.trim().to_owned(), why });
        }
        Ok(pattern)
    }
}

impl PeerPattern {
    /// Reads what a plugin wants. It may want `localhost:*`, since the port is known from its configuration only.
    pub(crate) fn from_wish(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let wrong = |why| PatternError { pattern: text.chars().take(120).collect(), why };
        let (host, port) =
            text.rsplit_once(':').ok_or_else(|| wrong("the port is missing; `*` means any port"))?;
        let port = match port {
            "*" => None,
            number => match number.parse() {
                Ok(0) | Err(_) => return Err(wrong("the port must be 1 to 65535 or `*`")),
                Ok(number) => Some(number),
            },
        };
        Ok(Self { host: parse_host(host).map_err(wrong)?, port })
    }
}

fn parse_host(host: &str) -> Result<Host, &'static str> {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: IpAddr = inner.parse().map_err(|_| "what stands in brackets is no IPv6 address")?;
        return Ok(Host::Address(address.to_canonical()));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(_) => Ok(Host::Address(address)),
            IpAddr::V6(_) => Err("an IPv6 address needs brackets"),
        };
    }
    let lower = host.to_ascii_lowercase();
    let name = lower.strip_prefix("*.").unwrap_or(&lower);
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label_ok) {
        return Err("the host must be a name, `*.` and a name, or an address");
    }
    Ok(if name.len() < lower.len() { Host::Below(format!(".{name}")) } else { Host::Name(lower) })
}

impl fmt::Display for PeerPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(out, "[{address}]")?,
            Host::Address(address) => write!(out, "{address}")?,
            Host::Name(name) => out.write_str(name)?,
            Host::Below(suffix) => write!(out, "*{suffix}")?,
        }
        match self.port {
            Some(port) => write!(out, ":{port}"),
            None => out.write_str(":*"),
        }
    }
}

/// What a plugin may do, or asks for. Empty means: compute, tell the time, draw random numbers, write its log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Peers for `wasi:sockets`, TCP only.
    pub tcp: Vec<PeerPattern>,
    /// Peers for `wasi:http`.
    pub http: Vec<PeerPattern>,
    /// Programs for `commands`, exactly as the plugin names them. The policy of the user has its say as well.
    pub commands: Vec<String>,
}

impl Grants {
    /// What `self` asks for and `granted` does not have.
    #[must_use]
    pub fn missing_in(&self, granted: &Self) -> Self {
        let lacking = |asked: &[PeerPattern], given: &[PeerPattern]| {
            asked.iter().filter(|wish| !given.iter().any(|grant| wish.is_met_by(grant))).cloned().collect()
        };
        Self {
            tcp: lacking(&self.tcp, &granted.tcp),
            http: lacking(&self.http, &granted.http),
            commands: self.commands.iter().filter(|name| !granted.commands.contains(name)).cloned().collect(),
        }
    }

    /// Whether nothing is granted, or nothing asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.http.is_empty() && self.commands.is_empty()
    }
}

/// The grants that the user gave, each to one file by its digest: a changed file has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consents(BTreeMap<Digest, Grants>);

impl Consents {
    /// Consents to one file.
    #[must_use]
    pub fn with(mut self, digest: Digest, grants: Grants) -> Self {
        self.0.insert(digest, grants);
        self
    }

    /// What the file may do.
    #[must_use]
    pub fn grants_of(&self, digest: &Digest) -> Grants {
        self.0.get(digest).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> PeerPattern {
        text.parse().unwrap()
    }

    #[test]
    fn patterns_match_what_they_name_and_nothing_else() {
        assert!(pattern("db.example.org:5432").allows("DB.example.org.", 5432));
        assert!(!pattern("db.example.org:5432").allows("db.example.org", 5433));
        assert!(!pattern("db.example.org:5432").allows("evil-db.example.org", 5432));
        assert!(pattern("*.example.org:*").allows("a.b.example.org", 1));
        assert!(!pattern("*.example.org:*").allows("example.org", 1));
        assert!(!pattern("*.example.org:*").allows("notexample.org", 1));
        assert!(pattern("10.0.0.1:80").allows_address("10.0.0.1".parse().unwrap(), 80));
        assert!(pattern("10.0.0.1:80").allows_address("::ffff:10.0.0.1".parse().unwrap(), 80));
        assert!(pattern("[::1]:80").allows("[::1]", 80));
        assert!(pattern("localhost:80").allows("127.0.0.1", 80));
    }

    #[test]
    fn the_machine_itself_needs_a_port() {
        for text in ["localhost:*", "127.0.0.1:*", "[::1]:*", "127.9.9.9:*"] {
            let error = text.parse::<PeerPattern>().unwrap_err().to_string();
            assert!(error.contains("listed ports"), "{error}");
        }
    }

    #[test]
    fn a_wish_for_any_port_of_this_machine_is_met_by_one_and_allows_nothing() {
        let wish = PeerPattern::from_wish("localhost:*").unwrap();
        assert!(!wish.allows("localhost", 80) && !wish.allows("127.0.0.1", 80));
        assert!(!PeerPattern::from_wish("127.0.0.1:*").unwrap().allows_address([127, 0, 0, 1].into(), 80));
        let wishes = Grants { tcp: vec![wish], ..Grants::default() };
        let granted = |text: &str| Grants { tcp: vec![pattern(text)], ..Grants::default() };
        assert!(wishes.missing_in(&granted("localhost:5432")).is_empty());
        assert!(!wishes.missing_in(&granted("example.org:5432")).is_empty());
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, why) in [
            ("example.org", "port is missing"),
            ("example.org:0", "1 to 65535"),
            ("example.org:http", "1 to 65535"),
            ("::1:80", "brackets"),
            ("a..b:80", "must be a name"),
            ("*:443", "must be a name"),
            ("http://a:80", "must be a name"),
        ] {
            let error = text.parse::<PeerPattern>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn names_do_not_lead_to_this_machine_or_to_metadata_services() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "::"]
        {
            assert!(!allows_address_of_name(ip(address), false), "{address}");
        }
        assert!(allows_address_of_name(ip("127.0.0.1"), true));
        assert!(!allows_address_of_name(ip("10.0.0.1"), true));
        assert!(allows_address_of_name(ip("10.0.0.1"), false));
    }

    #[test]
    fn consent_is_to_one_file() {
        let grants = Grants { commands: vec!["pg_isready".into()], ..Grants::default() };
        let consents = Consents::default().with(Digest::of(b"one"), grants.clone());
        assert_eq!(consents.grants_of(&Digest::of(b"one")), grants);
        assert!(consents.grants_of(&Digest::of(b"two")).is_empty());
        assert_eq!(grants.missing_in(&Grants::default()), grants);
        assert!(grants.missing_in(&grants).is_empty());
    }

    proptest! {
        #[test]
        fn shown_patterns_and_digests_are_read_back(text in "([a-z]{1,5}\\.){0,3}[a-z]{1,5}", port in 1..=u16::MAX) {
            let pattern = pattern(&format!("{text}:{port}"));
            prop_assert_eq!(pattern.to_string().parse::<PeerPattern>(), Ok(pattern));
            let digest = Digest::of(text.as_bytes());
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }

        #[test]
        fn no_text_breaks_the_parsers(text in "\\PC{0,80}") {
            let _ = text.parse::<PeerPattern>();
            let _ = text.parse::<Digest>();
        }
    }
}
