//! The system's connections.

use super::Failure;
use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// A TCP connection.
#[derive(Debug)]
pub struct Connection(TcpStream);

fn failed(error: std::io::Error) -> Failure {
    Failure::Failed(error.to_string())
}

impl Connection {
    /// Connects. The timeout is for this and for each later operation.
    pub fn open(host: &str, port: u16, timeout: Duration) -> Result<Self, Failure> {
        let mut addresses = (host, port).to_socket_addrs().map_err(failed)?;
        let address = addresses.next().ok_or_else(|| Failure::Failed(format!("{host} has no address")))?;
        let stream = TcpStream::connect_timeout(&address, timeout).map_err(failed)?;
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        Ok(Self(stream))
    }

    /// Sends all bytes.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(failed)
    }

    /// Waits for bytes, at most this many at once. None when the other side closed the connection.
    pub fn receive(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; most];
        let count = self.0.read(&mut bytes).map_err(failed)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}
