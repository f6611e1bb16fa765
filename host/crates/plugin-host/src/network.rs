//! Which peers a plugin reaches over `wasi:sockets`: a name is resolved only if it is granted, and an address is
//! connected to only if it is granted itself or a granted name led to it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, Host, HostResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, SocketError};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtxView};

use crate::grants::{PeerPattern, allows_address_of_name};
use crate::state::State;

/// Names whose addresses are remembered per instance. More than any check needs, and a bound.
const MAX_NAMES: usize = 256;

/// The network of one instance.
#[derive(Debug)]
pub(crate) struct Peers {
    tcp: Vec<PeerPattern>,
    /// Where granted names led to: the address, and the patterns by their number in `tcp`.
    learned: Mutex<HashMap<IpAddr, Vec<usize>>>,
}

impl Peers {
    pub(crate) fn new(tcp: Vec<PeerPattern>) -> Arc<Self> {
        Arc::new(Self { tcp, learned: Mutex::default() })
    }

    /// Whether there is anybody to talk to.
    pub(crate) fn is_empty(&self) -> bool {
        self.tcp.is_empty()
    }

    /// Whether this use of a socket is allowed.
    pub(crate) fn permits(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            // The kernel chooses address and port of an outgoing connection; WASI asks about that as a bind.
            SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpConnect => self.permits_connection(address),
            SocketAddrUse::TcpListen
            | SocketAddrUse::TcpAccept
            | SocketAddrUse::UdpBind
            | SocketAddrUse::UdpSend
            | SocketAddrUse::UdpReceive => false,
        }
    }

    fn permits_connection(&self, peer: SocketAddr) -> bool {
        let (address, port) = (peer.ip().to_canonical(), peer.port());
        if self.tcp.iter().any(|pattern| pattern.allows_address(address, port)) {
            return true;
        }
        // `localhost` needs no resolver to be understood.
        if address.is_loopback()
            && self.tcp.iter().any(|pattern| pattern.is_localhost() && pattern.allows_port(port))
        {
            return true;
        }
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(&address).is_some_and(|by| by.iter().any(|index| self.tcp[*index].allows_port(port)))
    }

    fn permits_name(&self, name: &str) -> bool {
        self.tcp.iter().any(|pattern| pattern.allows_host(name))
    }

    /// Remembers that a granted name led to this address. Returns whether the plugin may know of it.
    fn learn(&self, name: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let by: Vec<usize> = (0..self.tcp.len())
            .filter(|index| {
                let pattern = &self.tcp[*index];
                let literal = pattern.allows_host(&address.to_string());
                literal
                    || (pattern.allows_host(name) && allows_address_of_name(address, pattern.is_localhost()))
            })
            .collect();
        if by.is_empty() {
            return false;
        }
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.len() >= MAX_NAMES {
            learned.clear();
        }
        learned.insert(address, by);
        true
    }
}

/// The resolver of one instance, in front of WASI's.
pub(crate) struct Resolver<'a> {
    pub(crate) wasi: WasiSocketsCtxView<'a>,
    pub(crate) peers: &'a Peers,
    /// Which name each open look-up is about, by the number of its resource.
    pub(crate) lookups: &'a mut HashMap<u32, String>,
}

struct HasResolver;

impl HasData for HasResolver {
    type Data<'a> = Resolver<'a>;
}

fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
    }
}

/// Puts the resolver in the place of WASI's.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let added = ip_name_lookup::add_to_linker::<State, HasResolver>(linker, State::resolver);
    linker.allow_shadowing(false);
    added
}

type Stream = ip_name_lookup::ResolveAddressStream;

impl Host for Resolver<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> Result<Resource<Stream>, SocketError> {
        if !self.peers.permits_name(&name) {
            tracing::debug!(name = %name.escape_debug(), "a plugin asked for a name that it is not granted");
            return Err(ErrorCode::AccessDenied.into());
        }
        let stream = self.wasi.resolve_addresses(network, name.clone())?;
        self.lookups.insert(stream.rep(), name);
        Ok(stream)
    }
}

/// The look-up's errors are the network's.
impl network::Host for Resolver<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.wasi, error)
    }
}

impl network::HostNetwork for Resolver<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.wasi, network)
    }
}

impl HostResolveAddressStream for Resolver<'_> {
    fn resolve_next_address(&mut self, stream: Resource<Stream>) -> Result<Option<IpAddress>, SocketError> {
        let name = self.lookups.get(&stream.rep()).cloned().unwrap_or_default();
        loop {
            match self.wasi.resolve_next_address(Resource::new_borrow(stream.rep()))? {
                Some(address) if self.peers.learn(&name, ip(address)) => return Ok(Some(address)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn subscribe(&mut self, stream: Resource<Stream>) -> wasmtime::Result<Resource<DynPollable>> {
        self.wasi.subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<Stream>) -> wasmtime::Result<()> {
        self.lookups.remove(&stream.rep());
        HostResolveAddressStream::drop(&mut self.wasi, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(patterns: &[&str]) -> Arc<Peers> {
        Peers::new(patterns.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn connects(peers: &Peers, address: &str) -> bool {
        peers.permits(address.parse().unwrap(), SocketAddrUse::TcpConnect)
    }

    #[test]
    fn addresses_need_a_grant_or_a_granted_name() {
        let peers = peers(&["db.example.org:5432", "10.1.2.3:80"]);
        assert!(connects(&peers, "10.1.2.3:80"));
        assert!(!connects(&peers, "10.1.2.3:81"));
        assert!(!connects(&peers, "192.0.2.7:5432"));
        assert!(peers.permits_name("db.example.org"));
        assert!(!peers.permits_name("other.example.org"));
        assert!(peers.learn("db.example.org", "192.0.2.7".parse().unwrap()));
        assert!(connects(&peers, "192.0.2.7:5432"));
        assert!(!connects(&peers, "192.0.2.7:22"));
    }

    #[test]
    fn a_granted_name_does_not_open_this_machine() {
        let peers = peers(&["db.example.org:*"]);
        assert!(!peers.learn("db.example.org", "127.0.0.1".parse().unwrap()));
        assert!(!connects(&peers, "127.0.0.1:5432"));
        assert!(!connects(&peers, "[::ffff:127.0.0.1]:5432"));
    }

    /// DNS rebinding: the first answer is an honest one, the next ones are what the attacker is after.
    #[test]
    fn a_name_that_changes_its_address_does_not_open_this_machine() {
        let peers = peers(&["*.example.org:*"]);
        assert!(peers.learn("a.example.org", "192.0.2.7".parse().unwrap()));
        for (address, peer) in [
            ("127.0.0.1", "127.0.0.1:5432"),
            ("::1", "[::1]:5432"),
            ("::ffff:127.0.0.1", "127.0.0.1:5432"),
            ("169.254.169.254", "169.254.169.254:80"),
            ("0.0.0.0", "0.0.0.0:5432"),
        ] {
            assert!(!peers.learn("a.example.org", address.parse().unwrap()), "{address}");
            assert!(!connects(&peers, peer), "{peer}");
        }
        assert!(connects(&peers, "192.0.2.7:5432"));
    }

    #[test]
    fn localhost_is_reached_on_its_port_over_both_families() {
        let peers = peers(&["localhost:8080"]);
        assert!(connects(&peers, "127.0.0.1:8080"));
        assert!(connects(&peers, "[::1]:8080"));
        assert!(!connects(&peers, "127.0.0.1:8081"));
    }

    #[test]
    fn nothing_listens_and_nothing_speaks_udp() {
        let peers = peers(&["10.1.2.3:80"]);
        let any = "0.0.0.0:0".parse().unwrap();
        assert!(peers.permits(any, SocketAddrUse::TcpBind));
        assert!(!peers.permits("0.0.0.0:80".parse().unwrap(), SocketAddrUse::TcpBind));
        for usage in [SocketAddrUse::TcpListen, SocketAddrUse::UdpBind, SocketAddrUse::UdpSend] {
            assert!(!peers.permits("10.1.2.3:80".parse().unwrap(), usage));
        }
    }
}
