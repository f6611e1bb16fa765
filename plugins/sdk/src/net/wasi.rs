//! The host's connections: `wasi:sockets`.

use super::Failure;
use std::time::Duration;
use wasip2::{
    clocks::monotonic_clock,
    io::{
        poll::{Pollable, poll},
        streams::{InputStream, OutputStream, StreamError},
    },
    sockets::{
        instance_network::instance_network,
        ip_name_lookup::resolve_addresses,
        network::{
            ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
            Network,
        },
        tcp::TcpSocket,
        tcp_create_socket::create_tcp_socket,
    },
};

/// A TCP connection.
#[derive(Debug)]
pub struct Connection {
    // Streams are children of their socket: they are dropped first.
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
    timeout: Duration,
}

impl Connection {
    /// Connects. The timeout is for this and for each later operation.
    pub fn open(host: &str, port: u16, timeout: Duration) -> Result<Self, Failure> {
        let network = instance_network();
        let mut last = Failure::Failed(format!("{host} has no address"));
        for address in addresses(&network, host, timeout)? {
            match connect(&network, with_port(address, port), timeout) {
                Ok((socket, input, output)) => return Ok(Self { input, output, _socket: socket, timeout }),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// Sends all bytes.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // The most that one call takes.
        bytes
            .chunks(4096)
            .try_for_each(|chunk| self.output.blocking_write_and_flush(chunk))
            .map_err(|e| closed(&e))
    }

    /// Waits for bytes, at most this many at once. None when the other side closed the connection.
    pub fn receive(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        wait(&self.input.subscribe(), self.timeout, "answer")?;
        match self.input.read(most as u64) {
            Ok(bytes) => Ok(bytes),
            Err(StreamError::Closed) => Ok(Vec::new()),
            Err(error) => Err(closed(&error)),
        }
    }
}

/// Waits until something is ready, but no longer than this.
pub(crate) fn wait(ready: &Pollable, timeout: Duration, what: &str) -> Result<(), Failure> {
    let late = monotonic_clock::subscribe_duration(timeout.as_nanos() as u64);
    if poll(&[ready, &late]).contains(&0) {
        return Ok(());
    }
    Err(Failure::Failed(format!("no {what} within {} ms", timeout.as_millis())))
}

fn addresses(network: &Network, host: &str, timeout: Duration) -> Result<Vec<IpAddress>, Failure> {
    let refused = |code| failure(code, &format!("the address of {host}"));
    let found = resolve_addresses(network, host).map_err(refused)?;
    let mut addresses = Vec::new();
    loop {
        match found.resolve_next_address() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => wait(&found.subscribe(), timeout, "address")?,
            Err(code) => return Err(refused(code)),
        }
    }
}

fn connect(
    network: &Network,
    address: IpSocketAddress,
    timeout: Duration,
) -> Result<(TcpSocket, InputStream, OutputStream), Failure> {
    let refused = |code| failure(code, "the connection");
    let family = match address {
        IpSocketAddress::Ipv4(_) => IpAddressFamily::Ipv4,
        IpSocketAddress::Ipv6(_) => IpAddressFamily::Ipv6,
    };
    let socket = create_tcp_socket(family).map_err(refused)?;
    socket.start_connect(network, address).map_err(refused)?;
    loop {
        match socket.finish_connect() {
            Ok((input, output)) => return Ok((socket, input, output)),
            Err(ErrorCode::WouldBlock) => wait(&socket.subscribe(), timeout, "connection")?,
            Err(code) => return Err(refused(code)),
        }
    }
}

fn with_port(address: IpAddress, port: u16) -> IpSocketAddress {
    match address {
        IpAddress::Ipv4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }),
        IpAddress::Ipv6(address) => {
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

fn failure(code: ErrorCode, what: &str) -> Failure {
    match code {
        ErrorCode::AccessDenied => Failure::Denied(format!("{what}: not granted")),
        code => Failure::Failed(format!("{what}: {}", code.name().replace('-', " "))),
    }
}

fn closed(error: &StreamError) -> Failure {
    match error {
        StreamError::Closed => Failure::Failed("the connection was closed".to_owned()),
        StreamError::LastOperationFailed(error) => Failure::Failed(error.to_debug_string()),
    }
}
