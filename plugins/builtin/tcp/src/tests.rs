use super::*;
use hostler_plugin::{Status, plugin::configure, testing};
use std::{io::Write, net::TcpListener};

fn check(config: &str) -> Report {
    configure::<Tcp>(config).unwrap().check().unwrap()
}

/// A server that greets one client; its address.
fn greeter() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"220 ready\r\n").unwrap();
        }
    });
    address
}

#[test]
fn connects_and_expects() {
    let address = greeter();
    let report = check(&format!(r#"{{"address": "{address}"}}"#));
    assert_eq!((report.status, report.message), (Status::Healthy, format!("{address} takes connections")));
    assert_eq!(report.metrics[0].name, "connect_time");

    let report = check(&format!(r#"{{"address": "{address}", "send": "HELO\r\n", "expect": "220"}}"#));
    assert_eq!(report.status, Status::Healthy);

    let report = check(&format!(r#"{{"address": "{address}", "expect": "250"}}"#));
    let message = format!("{address} answered \"220 ready\\r\\n\": no \"250\" in it");
    assert_eq!((report.status, report.message), (Status::Unhealthy, message));
}

#[test]
fn nobody_there_is_unhealthy() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let report = check(&format!(r#"{{"address": "{address}"}}"#));
    assert_eq!(report.status, Status::Unhealthy);
    assert!(report.message.starts_with(&address), "{}", report.message);
}

#[test]
fn slow_is_degraded() {
    let tcp: Tcp = configure(r#"{"address": "web:80", "degraded_ms": 100}"#).unwrap();
    let report = tcp.with_time(healthy("web:80 takes connections"), 250.0);
    assert_eq!(
        (report.status, &*report.message),
        (Status::Degraded, "web:80 takes connections, but only after 250 ms")
    );
}

#[test]
fn an_address_needs_a_port() {
    assert!(matches!(configure::<Tcp>(r#"{"address": "web"}"#), Err(Error::InvalidConfig(_))));
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Tcp>();
}
