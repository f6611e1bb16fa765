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

/// The longest wait for a peer. The timeout of the call is nearly always shorter.
const MAX_WAIT: Duration = Duration::from_secs(60);

type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Exchange = Result<(http::Response<WasiBody>, Driver), Error>;

/// The hook through which every request of one instance goes.
#[derive(Debug)]
pub(crate) struct Gate {
    granted: Vec<PeerPattern>,
}

impl Gate {
    pub(crate) fn new(granted: Vec<PeerPattern>) -> Self {
        Self { granted }
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
        Box::new(exchange(request, host, port, admitting, options.unwrap_or_default()))
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

/// Sends the request to an address that was checked, and waits for the head of the answer.
async fn exchange(
    mut request: http::Request<WasiBody>,
    host: String,
    port: u16,
    admitting: Vec<PeerPattern>,
    options: RequestOptions,
) -> Exchange {
    let connect_wait = options.connect_timeout.unwrap_or(MAX_WAIT).min(MAX_WAIT);
    let answer_wait = options.first_byte_timeout.unwrap_or(MAX_WAIT).min(MAX_WAIT);
    let stream = timeout(connect_wait, connect(&host, port, &admitting))
        .await
        .map_err(|_| Error::ConnectionTimeout)??;
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

/// Connects to the first allowed address of the host.
async fn connect(host: &str, port: u16, admitting: &[PeerPattern]) -> Result<TcpStream, Error> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((bare, port)).await.map_err(|error| unresolved(&error))?.collect();
    let mut last = Error::DestinationIpProhibited;
    for peer in found.into_iter().filter(|peer| is_allowed(*peer, admitting)) {
        match TcpStream::connect(peer).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
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
        let mut gate = Gate::new(granted.iter().map(|text| text.parse().unwrap()).collect());
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
