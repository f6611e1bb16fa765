//! MCP over HTTP: for clients that cannot start a program. Off unless the user says otherwise, on the loopback only,
//! with a token that a file of this user has; the handler is that of the socket.

mod sessions;
mod token;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hostler_api::connection::Selection;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::server::Server;
use crate::daemon::service::Service;
use sessions::Sessions;
use token::Token;

/// Where MCP is.
const PATH: &str = "/mcp";
/// Connections at the same time; more wait.
const CONNECTIONS: usize = 64;
/// Longest message, bytes; as on the socket.
const MAX_BODY: usize = 16 << 20;
/// A client has this long to say what it wants.
const HEADERS: Duration = Duration::from_secs(30);

/// `[http]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpConfig {
    /// Serves MCP at this port of 127.0.0.1; 0 for any. Off without it.
    pub(crate) port: Option<u16>,
    /// Where the token is (default `http-token` in the home); made when there is none.
    pub(crate) token_file: Option<PathBuf>,
    /// The directory whose project these clients are in (default: the user's home directory).
    pub(crate) project: Option<PathBuf>,
    /// Only these tools: families or names.
    pub(crate) tools: Vec<String>,
    /// Only tools that change nothing.
    pub(crate) read_only: bool,
}

type Body = BoxBody<Bytes, Infallible>;
type Mcp = StreamableHttpService<Server, Sessions>;

/// What each connection needs.
struct Endpoint {
    mcp: Mcp,
    token: Token,
    service: Arc<Service>,
}

/// Begins to serve, and answers the URL.
///
/// # Errors
/// When the port is taken, the token cannot be had, or a tool is selected that does not exist.
pub(crate) async fn start(
    service: &Arc<Service>,
    config: &HttpConfig,
    port: u16,
    shutdown: &CancellationToken,
    connections: &TaskTracker,
) -> Result<String, String> {
    let selection = Selection { tools: config.tools.clone(), read_only: config.read_only };
    super::check_selection(&selection).map_err(|error| format!("[http] tools: {}", error.message))?;
    let token_file = config.token_file.clone().unwrap_or_else(|| service.home.http_token());
    let token = Token::load(&token_file).map_err(|why| format!("{}: {why}", token_file.display()))?;
    let project = config.project.clone().or_else(|| std::env::var_os("HOME").map(PathBuf::from));
    let project = project.unwrap_or_else(|| PathBuf::from("/"));
    let client =
        service.client(&project, None, None, "mcp".to_owned()).await.map_err(|error| error.message)?;
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .map_err(|error| format!("cannot listen on port {port} of 127.0.0.1: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let (handler_service, client, closing) = (service.clone(), Arc::new(client), shutdown.clone());
    let make = move || Ok(Server::new(handler_service.clone(), client.clone(), &selection, closing.clone()));
    let config = StreamableHttpServerConfig::default()
        .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"])
        .enforce_origin_validation()
        .with_max_request_body_bytes(MAX_BODY)
        .with_cancellation_token(shutdown.clone());
    let mcp = StreamableHttpService::new(make, Arc::new(Sessions::default()), config);
    let endpoint = Arc::new(Endpoint { mcp, token, service: service.clone() });
    connections.spawn(accept(listener, endpoint, shutdown.clone(), connections.clone()));
    Ok(format!("http://{address}{PATH}"))
}

async fn accept(
    listener: TcpListener,
    endpoint: Arc<Endpoint>,
    shutdown: CancellationToken,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, endpoint.clone(), shutdown.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    endpoint: Arc<Endpoint>,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let answer = hyper::service::service_fn(move |request| {
        let endpoint = endpoint.clone();
        async move { Ok::<_, Infallible>(endpoint.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP connection ended badly");
            }
            return;
        }
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // What is being answered is answered; calls that wait were told to hurry.
    let _ = connection.await;
}

impl Endpoint {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if !given.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| self.token.is(given)) {
            let mut refused = plain(
                StatusCode::UNAUTHORIZED,
                "the header `Authorization: Bearer TOKEN` is missing or wrong; `hostler daemon status` names the file of the token",
            );
            refused.headers_mut().insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Bearer"));
            return refused;
        }
        match request.uri().path() {
            PATH => self.mcp.handle(request).await,
            "/metrics" => metrics(self.service.prometheus().await),
            _ => plain(StatusCode::NOT_FOUND, "MCP is at /mcp, metrics at /metrics"),
        }
    }
}

fn metrics(text: String) -> Response<Body> {
    let mut response = plain(StatusCode::OK, "");
    *response.body_mut() = Full::from(text).boxed();
    let kind = hyper::header::HeaderValue::from_static(crate::daemon::metrics::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(text).boxed());
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
