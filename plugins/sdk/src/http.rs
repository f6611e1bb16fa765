//! HTTP requests for health checks: `wasi:http`, through the host, which asks the grants. Only in a component.

use crate::net::{Failure, wait};
use std::time::Duration;
use wasip2::{
    http::{
        outgoing_handler::handle,
        types::{
            ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody,
            OutgoingRequest, RequestOptions, Scheme,
        },
    },
    io::streams::StreamError,
};

/// A request without TLS.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// `GET`, `HEAD`, …
    pub method: &'r str,
    /// Host and port.
    pub authority: &'r str,
    /// Path and query.
    pub path: &'r str,
    /// Headers.
    pub headers: &'r [(String, String)],
    /// Body.
    pub body: &'r [u8],
    /// For each step of it.
    pub timeout: Duration,
    /// No more of the answer's body than this is read.
    pub most: usize,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of its body.
    pub body: Vec<u8>,
}

/// Sends a request and waits for the answer.
pub fn send(request: &Request<'_>) -> Result<Response, Failure> {
    let outgoing = outgoing(request)?;
    let body = outgoing.body().map_err(|()| unusable("its body"))?;
    let nanos = Some(request.timeout.as_nanos() as u64);
    let options = RequestOptions::new();
    // A host that has no such timeout still ends the check in time.
    let _ = (options.set_connect_timeout(nanos), options.set_first_byte_timeout(nanos));
    let future = handle(outgoing, Some(options)).map_err(failure)?;
    write_body(body, request.body)?;
    let response = answer(&future, request.timeout)?;
    read(response, request)
}

fn outgoing(request: &Request<'_>) -> Result<OutgoingRequest, Failure> {
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let fields = Fields::from_list(&headers).map_err(|_| unusable("its headers"))?;
    let outgoing = OutgoingRequest::new(fields);
    outgoing.set_method(&method(request.method)).map_err(|()| unusable("its method"))?;
    outgoing.set_scheme(Some(&Scheme::Http)).map_err(|()| unusable("its scheme"))?;
    outgoing.set_authority(Some(request.authority)).map_err(|()| unusable("its host"))?;
    outgoing.set_path_with_query(Some(request.path)).map_err(|()| unusable("its path"))?;
    Ok(outgoing)
}

fn write_body(body: OutgoingBody, bytes: &[u8]) -> Result<(), Failure> {
    let stream = body.write().map_err(|()| unusable("its body"))?;
    let written = bytes.chunks(4096).try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
    drop(stream);
    // A server may answer before it read everything: the answer tells more than this error.
    let _ = written;
    OutgoingBody::finish(body, None).map_err(failure)
}

fn answer(future: &FutureIncomingResponse, timeout: Duration) -> Result<IncomingResponse, Failure> {
    wait(&future.subscribe(), timeout, "answer")?;
    match future.get() {
        Some(Ok(answer)) => answer.map_err(failure),
        _ => Err(Failure::Failed("no answer".to_owned())),
    }
}

fn read(response: IncomingResponse, request: &Request<'_>) -> Result<Response, Failure> {
    let headers = response.headers().entries();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()));
    let mut read = Response { status: response.status(), headers: headers.collect(), body: Vec::new() };
    let body = response.consume().map_err(|()| unusable("the answer"))?;
    let stream = body.stream().map_err(|()| unusable("the answer"))?;
    while read.body.len() < request.most {
        wait(&stream.subscribe(), request.timeout, "end of the answer")?;
        match stream.read((request.most - read.body.len()) as u64) {
            Ok(bytes) => read.body.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Failure::Failed(error.to_debug_string()));
            }
        }
    }
    Ok(read)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn unusable(what: &str) -> Failure {
    Failure::Failed(format!("the request is not usable: {what}"))
}

fn failure(code: ErrorCode) -> Failure {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            Failure::Denied(format!("not granted: {code:?}"))
        }
        code => Failure::Failed(format!("no answer: {code:?}")),
    }
}
