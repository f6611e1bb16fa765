use super::*;
use hostler_plugin::{Status, plugin::configure, testing};
use std::{
    io::{Read, Write},
    net::TcpListener,
};

#[test]
fn asks_a_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 6];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(b"+PO").unwrap();
        stream.write_all(b"NG\r\n").unwrap();
        asked
    });
    let report = configure::<Redis>(&format!(r#"{{"address": "{address}"}}"#)).unwrap().check().unwrap();
    assert_eq!((report.status, &*report.message), (Status::Healthy, "PING answered PONG"));
    assert_eq!(&server.join().unwrap(), b"PING\r\n");
}

#[test]
fn judges_answers() {
    let cases = [
        ("+PONG", Status::Healthy),
        ("-NOAUTH Authentication required.", Status::Healthy),
        ("-LOADING Redis is loading the dataset in memory", Status::Unhealthy),
        ("-MASTERDOWN Link with MASTER is down", Status::Degraded),
        ("HTTP/1.1 400 Bad Request", Status::Unhealthy),
        ("", Status::Unhealthy),
    ];
    for (answer, status) in cases {
        assert_eq!(judge(answer).status, status, "{answer}");
    }
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Redis>();
}
