//! What a check reaches over `wasi:http`: tried from inside a component, against a server on this machine.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use common::{Guest, engine, names_of_this_machine};
use hostler_plugin_host::{Capability, Consents, Digest, Grants, Nowhere, Plugin, PluginSettings};

/// The part of WASI that the fixture uses.
const WASI: [&str; 2] = [
    "package wasi:io@0.2.0;
    interface poll { resource pollable { block: func(); } }",
    "package wasi:http@0.2.0;
    interface types {
        use wasi:io/poll@0.2.0.{pollable};
        resource fields { constructor(); }
        variant scheme { HTTP, HTTPS, other(string) }
        resource outgoing-request {
            constructor(headers: fields);
            set-scheme: func(scheme: option<scheme>) -> result;
            set-path-with-query: func(path: option<string>) -> result;
            set-authority: func(authority: option<string>) -> result;
        }
        resource request-options;
        resource incoming-response { status: func() -> u16; }
        resource future-incoming-response {
            subscribe: func() -> pollable;
            get: func() -> option<result<result<incoming-response, error-code>>>;
        }
        record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
        record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
        record field-size-payload { field-name: option<string>, field-size: option<u32> }
        variant error-code {
            DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable,
            destination-IP-prohibited, destination-IP-unroutable, connection-refused, connection-terminated,
            connection-timeout, connection-read-timeout, connection-write-timeout, connection-limit-reached,
            TLS-protocol-error, TLS-certificate-error, TLS-alert-received(TLS-alert-received-payload),
            HTTP-request-denied, HTTP-request-length-required, HTTP-request-body-size(option<u64>),
            HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
            HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
            HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload),
            HTTP-response-incomplete, HTTP-response-header-section-size(option<u32>),
            HTTP-response-header-size(field-size-payload), HTTP-response-body-size(option<u64>),
            HTTP-response-trailer-section-size(option<u32>), HTTP-response-trailer-size(field-size-payload),
            HTTP-response-transfer-coding(option<string>), HTTP-response-content-coding(option<string>),
            HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error, loop-detected, configuration-error,
            internal-error(option<string>),
        }
    }
    interface outgoing-handler {
        use types.{outgoing-request, request-options, future-incoming-response, error-code};
        handle: func(request: outgoing-request, options: option<request-options>)
            -> result<future-incoming-response, error-code>;
    }",
];

const WORLD: &str = "package acme:fixture;
    world asking {
        include hostler:plugin/health-check@1.0.0;
        import wasi:http/types@0.2.0;
        import wasi:http/outgoing-handler@0.2.0;
    }";

const DNS_ERROR: f64 = -1.0;
const ADDRESS_PROHIBITED: f64 = -4.0;
const REQUEST_DENIED: f64 = -15.0;
const CONNECTION_REFUSED: f64 = -6.0;
const INTERNAL_ERROR: f64 = -38.0;

/// A check that asks `scheme` (0 http, 1 https) and `authority` for `/up?`. Its metric is the status of the answer, or an
/// error code of WASI, negative.
fn asking(scheme: u8, authority: &str) -> Arc<[u8]> {
    let mut guest = Guest::checker();
    let (message, message_len) = guest.text("asked");
    let (name, name_len) = guest.text("status");
    let metric = guest.words(&[name, name_len, 0, 0, 0, 0]);
    let report = guest.words(&[0, 0, message, message_len, metric, 1]);
    let (authority, authority_len) = guest.text(authority);
    let (path, path_len) = guest.text("/up?");
    let out = guest.words(&[0; 32]);
    guest.imports = r#"
        (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
        (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme"
            (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query"
            (func $path (param i32 i32 i32 i32) (result i32)))
        (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority"
            (func $authority (param i32 i32 i32 i32) (result i32)))
        (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))
        (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
        (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe"
            (func $subscribe (param i32) (result i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
        (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))"#
        .into();
    guest.items = format!(
        r"(func $ask (result i32) (local $request i32) (local $answer i32)
            (local.set $request (call $request (call $fields)))
            (drop (call $scheme (local.get $request) (i32.const 1) (i32.const {scheme}) (i32.const 0) (i32.const 0)))
            (drop (call $path (local.get $request) (i32.const 1) (i32.const {path}) (i32.const {path_len})))
            (drop (call $authority (local.get $request) (i32.const 1) (i32.const {authority}) (i32.const {authority_len})))
            (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const {out}))
            (if (i32.load8_u (i32.const {out}))
                (then (return (i32.sub (i32.const 0) (i32.load8_u offset=8 (i32.const {out}))))))
            (local.set $answer (i32.load offset=8 (i32.const {out})))
            (call $block (call $subscribe (local.get $answer)))
            (call $get (local.get $answer) (i32.const {out}))
            (if (i32.load8_u offset=16 (i32.const {out}))
                (then (return (i32.sub (i32.const 0) (i32.load8_u offset=24 (i32.const {out}))))))
            (call $status (i32.load offset=24 (i32.const {out}))))"
    );
    guest.main = format!(
        "(f64.store offset=8 (i32.const {metric}) (f64.convert_i32_s (call $ask))) (i32.const {report})"
    );
    guest.build_for(&WASI, WORLD, "asking")
}

async fn ask(granted: &[&str], scheme: u8, authority: &str) -> f64 {
    let wasm = asking(scheme, authority);
    let grants =
        Grants { http: granted.iter().map(|text| text.parse().unwrap()).collect(), ..Grants::default() };
    let consents = Consents::default().with(Digest::of(&wasm), grants);
    let settings = PluginSettings { consents, ..PluginSettings::default() };
    let plugin = Plugin::load(&engine(), "asking", wasm, settings).await.unwrap();
    assert_eq!(plugin.component().inspection().requests, [Capability::Http]);
    let report = plugin.instance(Arc::new(Nowhere)).check(Duration::from_secs(30)).await.unwrap();
    report.metrics[0].value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_granted_server_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = format!("localhost:{}", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            asked.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").unwrap();
        String::from_utf8(asked).unwrap()
    });
    assert_eq!(ask(&[&authority], 0, &authority).await, 204.0);
    let asked = server.join().unwrap();
    assert!(
        asked.starts_with("GET /up? HTTP/1.1\r\n") && asked.contains(&format!("host: {authority}\r\n")),
        "{asked}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_granted_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = format!("localhost:{port}");
    assert_eq!(ask(&[], 0, &authority).await, REQUEST_DENIED);
    assert_eq!(ask(&["example.org:80"], 0, &authority).await, REQUEST_DENIED);
    // A user's name in front of the host does not make it another host.
    assert_eq!(ask(&["example.org:80"], 0, &format!("example.org:80@{authority}")).await, REQUEST_DENIED);
    assert_eq!(ask(&[&authority], 1, &authority).await, INTERNAL_ERROR);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_granted_name_that_leads_to_this_machine_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for name in names_of_this_machine() {
        let authority = format!("{name}:{port}");
        assert_eq!(ask(&[&authority], 0, &authority).await, ADDRESS_PROHIBITED, "{name}");
    }
    // There is a name on every machine that leads here or nowhere.
    let authority = format!("db.localhost:{port}");
    let answer = ask(&[&authority], 0, &authority).await;
    assert!([ADDRESS_PROHIBITED, DNS_ERROR].contains(&answer), "{answer}");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_learns_that_nobody_listens() {
    // Bound, so that nobody else gets the port, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let authority = socket.local_addr().unwrap().to_string();
    assert_eq!(ask(&[&authority], 0, &authority).await, CONNECTION_REFUSED);
}
