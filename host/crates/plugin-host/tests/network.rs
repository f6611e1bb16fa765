//! What a check reaches over `wasi:sockets`: tried from inside a component, against real listeners on this machine.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use common::{Guest, engine, names_of_this_machine};
use hostler_plugin_host::{Capability, Consents, Digest, Grants, Limits, Nowhere, Plugin, PluginSettings};

/// The part of WASI that the fixture uses.
const WASI: [&str; 2] = [
    "package wasi:io@0.2.0;
    interface streams { resource input-stream; resource output-stream; }",
    "package wasi:sockets@0.2.0;
    interface network {
        resource network;
        enum error-code {
            unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict,
            not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use,
            remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large,
            name-unresolvable, temporary-resolver-failure, permanent-resolver-failure,
        }
        enum ip-address-family { ipv4, ipv6 }
        type ipv4-address = tuple<u8, u8, u8, u8>;
        type ipv6-address = tuple<u16, u16, u16, u16, u16, u16, u16, u16>;
        variant ip-address { ipv4(ipv4-address), ipv6(ipv6-address) }
        record ipv4-socket-address { port: u16, address: ipv4-address }
        record ipv6-socket-address { port: u16, flow-info: u32, address: ipv6-address, scope-id: u32 }
        variant ip-socket-address { ipv4(ipv4-socket-address), ipv6(ipv6-socket-address) }
    }
    interface instance-network { use network.{network}; instance-network: func() -> network; }
    interface ip-name-lookup {
        use network.{network, error-code, ip-address};
        resource resolve-address-stream {
            resolve-next-address: func() -> result<option<ip-address>, error-code>;
        }
        resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
    }
    interface tcp {
        use wasi:io/streams@0.2.0.{input-stream, output-stream};
        use network.{network, error-code, ip-socket-address};
        resource tcp-socket {
            start-connect: func(network: borrow<network>, remote: ip-socket-address) -> result<_, error-code>;
            finish-connect: func() -> result<tuple<input-stream, output-stream>, error-code>;
        }
    }
    interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
    }",
];

const WORLD: &str = "package acme:fixture;
    world reaching {
        include hostler:plugin/health-check@1.0.0;
        import wasi:sockets/instance-network@0.2.0;
        import wasi:sockets/ip-name-lookup@0.2.0;
        import wasi:sockets/tcp@0.2.0;
        import wasi:sockets/tcp-create-socket@0.2.0;
    }";

const LONG: Duration = Duration::from_secs(120);
const ACCESS_DENIED: f64 = 1.0;
const CONNECTED: f64 = -1.0;
const FOUND: f64 = -1.0;
const NOTHING_FOUND: f64 = -2.0;

/// A check that looks a name up and connects to 127.0.0.1 on a port. Its metrics are what came of it: an error code of
/// WASI, or one of the constants above.
fn reaching(name: &str, port: u16) -> Arc<[u8]> {
    let mut guest = Guest::checker();
    let (message, message_len) = guest.text("tried");
    let (lookup, lookup_len) = guest.text("lookup");
    let (connect, connect_len) = guest.text("connect");
    let metrics = guest.words(&[lookup, lookup_len, 0, 0, 0, 0, connect, connect_len, 0, 0, 0, 0]);
    let report = guest.words(&[0, 0, message, message_len, metrics, 2]);
    let (name, name_len) = guest.text(name);
    let out = guest.words(&[0; 16]);
    guest.imports = r#"
        (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
        (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))
        (import "wasi:sockets/ip-name-lookup@0.2.0" "[method]resolve-address-stream.resolve-next-address"
            (func $next (param i32 i32)))
        (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $create (param i32 i32)))
        (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-connect"
            (func $start (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.finish-connect" (func $finish (param i32 i32)))"#
        .into();
    guest.items = format!(
        r"(func $lookup (param $network i32) (result i32) (local $stream i32)
            (call $resolve (local.get $network) (i32.const {name}) (i32.const {name_len}) (i32.const {out}))
            (if (i32.load8_u (i32.const {out})) (then (return (i32.load8_u offset=4 (i32.const {out})))))
            (local.set $stream (i32.load offset=4 (i32.const {out})))
            (loop $wait
                (call $next (local.get $stream) (i32.const {out}))
                (if (i32.load8_u (i32.const {out})) (then
                    (br_if $wait (i32.eq (i32.load8_u offset=2 (i32.const {out})) (i32.const 8)))
                    (return (i32.load8_u offset=2 (i32.const {out}))))))
            (select (i32.const -1) (i32.const -2) (i32.load8_u offset=2 (i32.const {out}))))
        (func $connect (param $network i32) (result i32) (local $socket i32)
            (call $create (i32.const 0) (i32.const {out}))
            (if (i32.load8_u (i32.const {out})) (then (return (i32.load8_u offset=4 (i32.const {out})))))
            (local.set $socket (i32.load offset=4 (i32.const {out})))
            (call $start (local.get $socket) (local.get $network) (i32.const 0) (i32.const {port})
                (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {out}))
            (if (i32.load8_u (i32.const {out})) (then (return (i32.load8_u offset=1 (i32.const {out})))))
            (loop $wait
                (call $finish (local.get $socket) (i32.const {out}))
                (if (i32.load8_u (i32.const {out})) (then
                    (br_if $wait (i32.eq (i32.load8_u offset=4 (i32.const {out})) (i32.const 8)))
                    (return (i32.load8_u offset=4 (i32.const {out}))))))
            (i32.const -1))"
    );
    guest.main = format!(
        "(local $network i32) (local.set $network (call $network))
         (f64.store offset=8 (i32.const {metrics}) (f64.convert_i32_s (call $lookup (local.get $network))))
         (f64.store offset=32 (i32.const {metrics}) (f64.convert_i32_s (call $connect (local.get $network))))
         (i32.const {report})"
    );
    guest.build_for(&WASI, WORLD, "reaching")
}

/// What came of looking up and of connecting, with these grants.
async fn reach(granted: &[&str], name: &str, port: u16) -> (f64, f64) {
    let wasm = reaching(name, port);
    let grants =
        Grants { tcp: granted.iter().map(|text| text.parse().unwrap()).collect(), ..Grants::default() };
    let consents = Consents::default().with(Digest::of(&wasm), grants);
    // The fixture waits by asking again and again, and a resolver without a network takes its time.
    let limits = Limits { cpu: LONG, ..Limits::default() };
    let settings = PluginSettings { consents, limits, ..PluginSettings::default() };
    let plugin = Plugin::load(&engine(), "reaching", wasm, settings).await.unwrap();
    assert_eq!(plugin.component().inspection().requests, [Capability::Sockets]);
    let report = plugin.instance(Arc::new(Nowhere)).check(LONG).await.unwrap();
    (report.metrics[0].value, report.metrics[1].value)
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_nothing_is_looked_up_and_nothing_reached() {
    let (listener, port) = listener();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(reach(&[], "localhost", port).await, (ACCESS_DENIED, ACCESS_DENIED));
    let elsewhere = ["db.example.org:5432", "10.0.0.1:80"];
    assert_eq!(reach(&elsewhere, "localhost", port).await, (ACCESS_DENIED, ACCESS_DENIED));
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_is_reached_on_the_granted_port_only() {
    let (open, granted) = listener();
    let (closed, other) = listener();
    closed.set_nonblocking(true).unwrap();
    let grant = format!("localhost:{granted}");
    assert_eq!(reach(&[&grant], "localhost", granted).await, (FOUND, CONNECTED));
    assert_eq!(reach(&[&grant], "localhost", other).await, (FOUND, ACCESS_DENIED));
    let grant = format!("127.0.0.1:{granted}");
    assert_eq!(reach(&[&grant], "127.0.0.1", granted).await, (FOUND, CONNECTED));
    open.accept().unwrap();
    assert_eq!(closed.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_granted_name_that_leads_to_this_machine_leads_nowhere() {
    let (listener, port) = listener();
    listener.set_nonblocking(true).unwrap();
    // What is there is found by the system's own resolver; a name that it does not know leads nowhere anyway.
    for name in names_of_this_machine().into_iter().chain(["db.localhost".to_owned()]) {
        let (lookup, connect) = reach(&[&format!("{name}:*")], &name, port).await;
        assert_ne!(lookup, FOUND, "{name}: {NOTHING_FOUND} or an error was expected");
        assert_eq!(connect, ACCESS_DENIED, "{name}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
