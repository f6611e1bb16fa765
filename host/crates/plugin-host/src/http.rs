//! `wasi:http` for plugins: the name and the address behind it must both be allowed, and the connection goes to the
//! address that was checked. Plain HTTP/1.1; TLS would bring a second TLS library and its certificates into the binary.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Scheme;
use http_body_util::BodyExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::grants::{PeerPattern, allows_address_of_name};
use crate::surroundings::BoxFuture;

/// The longest wait for a peer. The timeout of the call is nearly always shorter.
const MAX_WAIT: Duration = Duration::from_secs(60);

type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Exchange = Result<(http::Response<WasiBody>, Driver), Error>;

/// Where a name leads, for a port.
type Lookup = fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

/// The hook through which every request of one instance goes.
#[derive(Debug)]
pub(crate) struct Gate {
    granted: Vec<PeerPattern>,
    lookup: Lookup,
}

impl Gate {
    pub(crate) fn new(granted: Vec<PeerPattern>) -> Self {
        Self { granted, lookup: by_the_system }
    }

    /// The patterns that allow this host and port.
    fn admitting(&self, host: &str, port: u16) -> Vec<PeerPattern> {
        self.granted.iter().filter(|pattern| pattern.allows(host, port)).cloned().collect()
    }
}

impl WasiHttpHooks for Gate {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Exchange> + Send> {
        if request.uri().scheme() != Some(&Scheme::HTTP) {
            return refuse(Error::InternalError(Some(
                "only http:// is available to plugins, not TLS".into(),
            )));
        }
        let Some(authority) = request.uri().authority() else {
            return refuse(Error::HttpRequestUriInvalid);
        };
        let (host, port) = (authority.host().to_owned(), authority.port_u16().unwrap_or(80));
        let admitting = self.admitting(&host, port);
        if admitting.is_empty() {
            tracing::debug!(%host, port, "a plugin asked for an HTTP peer that it is not granted");
            return refuse(Error::HttpRequestDenied);
        }
        let peer = Peer { host, port, admitting, lookup: self.lookup };
        Box::new(exchange(request, peer, options.unwrap_or_default()))
    }

    // A server that does not answer is what a check is for: no warning of the daemon each time.

    fn p2_error_from_connect(&mut self, error: &io::Error) -> ErrorCode {
        tracing::debug!(%error, "a plugin could not connect");
        connect_code(error)
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        tracing::debug!(%error, "a plugin's HTTP exchange failed");
        if error.is_timeout() {
            ErrorCode::HttpResponseTimeout
        } else if error.is_incomplete_message() || error.is_closed() {
            ErrorCode::ConnectionTerminated
        } else {
            ErrorCode::HttpProtocolError
        }
    }
}

/// What the guest is told when there is no connection.
fn connect_code(error: &io::Error) -> ErrorCode {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
        io::ErrorKind::TimedOut => ErrorCode::ConnectionTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ErrorCode::DestinationUnavailable
        }
        _ => ErrorCode::ConnectionTerminated,
    }
}

fn refuse(error: Error) -> Box<dyn Future<Output = Exchange> + Send> {
    Box::new(async move { Err(error) })
}

/// Whom a request is for.
struct Peer {
    host: String,
    port: u16,
    /// The patterns that allow it.
    admitting: Vec<PeerPattern>,
    lookup: Lookup,
}

/// Sends the request to an address that was checked, and waits for the head of the answer.
async fn exchange(mut request: http::Request<WasiBody>, peer: Peer, options: RequestOptions) -> Exchange {
    let connect_wait = options.connect_timeout.unwrap_or(MAX_WAIT).min(MAX_WAIT);
    let answer_wait = options.first_byte_timeout.unwrap_or(MAX_WAIT).min(MAX_WAIT);
    let stream = timeout(connect_wait, connect(&peer)).await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) =
        timeout(connect_wait, hyper::client::conn::http1::handshake(TokioIo::new(stream)))
            .await
            .map_err(|_| Error::ConnectionTimeout)??;
    // The request line has the path only: the authority is in the Host header, and this is no proxy.
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(http::Uri::default, http::Uri::from);
    let mut connection = Box::pin(connection);
    let send = async {
        timeout(answer_wait, sender.send_request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(Error::from)
    };
    tokio::pin!(send);
    // The connection has to be driven for the answer to come, and may end with it.
    let response = tokio::select! {
        biased;
        response = &mut send => response?,
        ended = &mut connection => {
            ended?;
            let response = send.await?;
            return Ok((response.map(body), Box::new(async { Ok(()) })));
        }
    };
    Ok((response.map(body), Box::new(async move { connection.await.map_err(Error::from) })))
}

fn body(incoming: hyper::body::Incoming) -> WasiBody {
    incoming.map_err(Error::from).boxed_unsync()
}

/// Connects to the first allowed address of the host. The name is looked up once: what was checked is what is connected
/// to, whatever the name leads to a moment later.
async fn connect(Peer { host, port, admitting, lookup }: &Peer) -> Result<TcpStream, Error> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup(bare.to_owned(), *port).await.map_err(|error| unresolved(&error))?;
    let mut last = Error::DestinationIpProhibited;
    for peer in found.into_iter().filter(|peer| is_allowed(*peer, admitting)) {
        match TcpStream::connect(peer).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}

fn by_the_system(host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
}

fn is_allowed(peer: SocketAddr, admitting: &[PeerPattern]) -> bool {
    admitting.iter().any(|pattern| {
        pattern.allows_address(peer.ip(), peer.port())
            || allows_address_of_name(peer.ip(), pattern.is_localhost())
    })
}

fn unresolved(error: &io::Error) -> Error {
    Error::DnsError { rcode: Some(error.to_string()), info_code: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_and_address_must_be_granted() {
        let gate = Gate::new(vec!["localhost:8080".parse().unwrap(), "api.example.org:80".parse().unwrap()]);
        assert!(gate.admitting("localhost", 8081).is_empty());
        assert!(gate.admitting("evil.example.org", 80).is_empty());
        let local = gate.admitting("localhost", 8080);
        assert!(is_allowed("127.0.0.1:8080".parse().unwrap(), &local));
        let named = gate.admitting("api.example.org", 80);
        assert!(is_allowed("192.0.2.1:80".parse().unwrap(), &named));
        assert!(!is_allowed("127.0.0.1:80".parse().unwrap(), &named));
        assert!(!is_allowed("169.254.169.254:80".parse().unwrap(), &named));
    }

    fn request(uri: &str) -> http::Request<WasiBody> {
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        http::Request::get(uri).body(body).unwrap()
    }

    async fn send(granted: &[&str], uri: &str) -> Result<(u16, Vec<u8>), Error> {
        send_by(by_the_system, granted, uri).await
    }

    async fn send_by(lookup: Lookup, granted: &[&str], uri: &str) -> Result<(u16, Vec<u8>), Error> {
        let granted = granted.iter().map(|text| text.parse().unwrap()).collect();
        let mut gate = Gate { granted, lookup };
        let sent = gate.send_request(request(uri), None, Box::new(async { Ok(()) }));
        let (response, driver) = Box::into_pin(sent).await?;
        let driver = tokio::spawn(Box::into_pin(driver));
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes().to_vec();
        driver.await.unwrap()?;
        Ok((status, body))
    }

    /// Answers one connection with what it was asked for.
    async fn serve_once() -> (u16, tokio::task::JoinHandle<String>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy").await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (port, served)
    }

    #[tokio::test]
    async fn a_granted_peer_answers() {
        let (port, served) = serve_once().await;
        let uri = format!("http://127.0.0.1:{port}/health?deep=1");
        let (status, body) = send(&[&format!("127.0.0.1:{port}")], &uri).await.unwrap();
        assert_eq!((status, body.as_slice()), (503, b"busy".as_slice()));
        assert!(served.await.unwrap().starts_with("GET /health?deep=1 HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn a_peer_without_a_grant_is_not_even_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let uri = format!("http://localhost:{port}/");
        let error = send(&[], &uri).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
        let error = send(&["example.org:80", &format!("localhost:{}", port ^ 1)], &uri).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    /// DNS rebinding: whoever owns a granted name lets it lead to where the plugin may not go.
    #[tokio::test]
    async fn a_granted_name_that_leads_to_this_machine_is_not_asked() {
        fn hostile(_: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            let addresses = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0"];
            let peers = addresses.map(|address| SocketAddr::new(address.parse().unwrap(), port));
            Box::pin(async move { Ok(peers.to_vec()) })
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let authority = format!("api.example.org:{}", listener.local_addr().unwrap().port());
        let error = send_by(hostile, &[&authority], &format!("http://{authority}/")).await.unwrap_err();
        assert!(matches!(error, Error::DestinationIpProhibited), "{error:?}");
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    /// The first answer of the resolver is what counts: there is no second look-up between the check and the connection.
    #[tokio::test]
    async fn a_name_is_looked_up_once_for_a_request() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static LOOKUPS: AtomicU32 = AtomicU32::new(0);
        fn counting(_: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            LOOKUPS.fetch_add(1, Relaxed);
            Box::pin(async move { Ok(vec![SocketAddr::new([127, 0, 0, 1].into(), port)]) })
        }
        let (port, served) = serve_once().await;
        let authority = format!("localhost:{port}");
        let (status, _) = send_by(counting, &[&authority], &format!("http://{authority}/")).await.unwrap();
        assert_eq!((status, LOOKUPS.load(Relaxed)), (503, 1));
        served.await.unwrap();
    }

    #[tokio::test]
    async fn tls_and_missing_peers_are_errors() {
        let error = send(&["example.org:443"], "https://example.org/").await.unwrap_err();
        assert!(matches!(error, Error::InternalError(_)), "{error:?}");
        // Bound, so that nobody else gets the port, and not listening.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let error =
            send(&[&format!("127.0.0.1:{port}")], &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Connect(_)), "{error:?}");
    }
}
