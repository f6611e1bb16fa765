use super::*;
use hostler_plugin::{Status, plugin::configure, testing};
use std::{
    io::{Read, Write},
    net::TcpListener,
};

fn error(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    [b"E".as_slice(), &(fields.len() as u32 + 4).to_be_bytes(), fields.as_bytes()].concat()
}

#[test]
fn asks_a_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
        body
    });
    let report = configure::<Postgres>(&format!(r#"{{"address": "{address}", "user": "ann"}}"#))
        .unwrap()
        .check()
        .unwrap();
    assert_eq!((report.status, &*report.message), (Status::Healthy, "it takes sessions"));
    assert_eq!(server.join().unwrap(), b"\0\x03\0\0user\0ann\0database\0ann\0application_name\0hostler\0\0");
}

#[test]
fn tells_a_server_that_starts_from_one_that_refuses() {
    let starting = judge(&error("57P03", "the database system is starting up"));
    assert_eq!(
        (starting.status, &*starting.message),
        (Status::Unhealthy, "the database system is starting up (57P03)")
    );
    assert_eq!(judge(&error("53300", "sorry, too many clients already")).status, Status::Unhealthy);
    assert_eq!(judge(&error("3D000", "database \"ann\" does not exist")).status, Status::Healthy);
    assert_eq!(judge(&error("28000", "role \"ann\" does not exist")).status, Status::Healthy);
    assert_eq!(judge(b"HTTP/1.1 400").status, Status::Unhealthy);
    assert_eq!(judge(b"E").status, Status::Unhealthy);
    assert_eq!(judge(b"").status, Status::Unhealthy);
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Postgres>();
}
