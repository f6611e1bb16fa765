//! Sending a request to a collector, on a connection of its own that is kept between requests.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::config::{Endpoint, OtlpConfig};

/// A collector has this long to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read of an answer, bytes.
const MAX_ANSWER: usize = 64 << 10;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken; what the collector says.
    Taken(Bytes),
    /// Its content will never be taken, whatever the reason is.
    Refused(String),
    /// It may be taken later: why not now, and when to try again, if the collector says so.
    Later(String, Option<Duration>),
}

type Sender = SendRequest<Full<Bytes>>;

/// The connection to a collector, and to which one.
#[derive(Debug, Default)]
pub(super) struct Connection(Option<(Endpoint, Sender)>);

impl Connection {
    /// Sends a body.
    pub(super) async fn post(&mut self, config: &OtlpConfig, body: Bytes) -> Outcome {
        match timeout(PATIENCE, self.exchange(config, body)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(why)) => {
                self.0 = None;
                Outcome::Later(format!("{}: {why}", config.endpoint), None)
            }
            Err(_) => {
                self.0 = None;
                let seconds = PATIENCE.as_secs();
                Outcome::Later(format!("{} did not answer within {seconds} s", config.endpoint), None)
            }
        }
    }

    async fn exchange(&mut self, config: &OtlpConfig, body: Bytes) -> Result<Outcome, String> {
        let mut sender = match self.0.take() {
            // The collector may close it at any time, and the configuration name another one.
            Some((endpoint, kept)) if endpoint == config.endpoint && !kept.is_closed() => kept,
            _ => connect(config).await?,
        };
        sender.ready().await.map_err(|e| e.to_string())?;
        let request = head(config).body(Full::new(body)).map_err(|e| e.to_string())?;
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let (status, wait) = (answer.status(), retry_after(&answer));
        let text = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let text = text.map(|body| body.to_bytes()).unwrap_or_default();
        self.0 = Some((config.endpoint.clone(), sender));
        Ok(judge(config, status, wait, text))
    }
}

fn head(config: &OtlpConfig) -> http::request::Builder {
    let OtlpConfig { endpoint, headers } = config;
    let request = Request::post(endpoint.path.as_str())
        .header(HOST, endpoint.authority.as_str())
        .header(CONTENT_TYPE, "application/json");
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

async fn connect(config: &OtlpConfig) -> Result<Sender, String> {
    let stream = TcpStream::connect(config.endpoint.address()).await.map_err(|e| e.to_string())?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // It ends when the sender is dropped or the collector closes it; what went wrong the request says.
    drop(tokio::spawn(connection));
    Ok(sender)
}

fn retry_after(answer: &Response<hyper::body::Incoming>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The specification has the codes that are worth another try. Beyond these, what is wrong with the address or the token
/// is mended where they stand, and the lines wait for it; only what is wrong with the lines themselves stays wrong.
fn judge(config: &OtlpConfig, status: StatusCode, wait: Option<Duration>, text: Bytes) -> Outcome {
    if status.is_success() {
        return Outcome::Taken(text);
    }
    let said = String::from_utf8_lossy(&text[..text.len().min(200)]).trim().to_owned();
    let why = format!("{} answered {status}: {said}", config.endpoint);
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Outcome::Refused(why)
        }
        _ => Outcome::Later(why, wait),
    }
}
