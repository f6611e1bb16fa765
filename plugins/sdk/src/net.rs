//! TCP connections for health checks. In a component they go through the host, which asks the grants for each address;
//! natively, in tests, they are the system's.

use crate::health::{Report, unhealthy};
use crate::plugin::Error;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasi;

#[cfg(not(target_arch = "wasm32"))]
pub use native::Connection;
#[cfg(target_arch = "wasm32")]
pub use wasi::Connection;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasi::wait;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The grants do not allow it: the check could not be made.
    Denied(String),
    /// The other side does not answer, or not as it should.
    Failed(String),
}

impl Failure {
    /// What the check makes of it: an error when it could not be made, and otherwise a report of bad health.
    pub fn into_report(self) -> Result<Report, Error> {
        match self {
            Self::Denied(why) => Err(Error::Unavailable(why)),
            Self::Failed(why) => Ok(unhealthy(why)),
        }
    }
}

/// `host:port`, with an IPv6 address in brackets. The port may be left out if there is a usual one.
pub fn split_address(address: &str, usual_port: Option<u16>) -> Result<(String, u16), String> {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => {
            (host, port.parse().ok())
        }
        _ => (address, usual_port),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match port {
        Some(port) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err(format!("{address:?} is no host and port such as localhost:8080")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_addresses() {
        let split = |address| split_address(address, Some(80)).ok();
        assert_eq!(split("localhost:8080"), Some(("localhost".to_owned(), 8080)));
        assert_eq!(split("localhost"), Some(("localhost".to_owned(), 80)));
        assert_eq!(split("[::1]:8080"), Some(("::1".to_owned(), 8080)));
        assert_eq!(split("[::1]"), Some(("::1".to_owned(), 80)));
        assert_eq!(split("::1"), Some(("::1".to_owned(), 80)));
        assert_eq!(split(":8080"), None);
        assert_eq!(split("localhost:high"), None);
    }
}
