//! Asks a PostgreSQL server whether it takes sessions: begins one and looks at the first answer, as `pg_isready` does.

use hostler_plugin::{
    Error, HealthCheck, Plugin, Report,
    health::{healthy, unhealthy},
    invalid,
    net::{Connection, Failure, split_address},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    #[serde(default = "usual_address")]
    pub address: String,
    /// The user to ask as. No password is sent: a server that asks for one works.
    #[serde(default = "usual_user")]
    pub user: String,
    /// The database to ask for; that of the user's name by default.
    #[serde(default)]
    pub database: Option<String>,
    /// The longest wait for each step of it, milliseconds.
    #[serde(default = "usual_timeout")]
    #[schemars(range(min = 1))]
    pub timeout_ms: u32,
}

fn usual_address() -> String {
    "localhost:5432".to_owned()
}

fn usual_user() -> String {
    "postgres".to_owned()
}

fn usual_timeout() -> u32 {
    5_000
}

/// The check.
#[derive(Debug)]
pub struct Postgres {
    config: Config,
    host: String,
    port: u16,
}

impl Plugin for Postgres {
    const NAME: &'static str = "postgres";
    const SUMMARY: &'static str = "Asks a PostgreSQL server whether it takes sessions.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        vec![("sample-config", format!(r#"{{"address": "{}"}}"#, usual_address())), ("tcp", usual_address())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        let (host, port) = split_address(&config.address, Some(5432))
            .map_err(|why| invalid("address", &config.address, &why))?;
        Ok(Self { config, host, port })
    }
}

impl HealthCheck for Postgres {
    fn check(&mut self) -> Result<Report, Error> {
        let began = Instant::now();
        match self.ask() {
            Ok(answer) => Ok(judge(&answer).metric("latency", began.elapsed().as_secs_f64() * 1e3, "ms")),
            Err(Failure::Failed(why)) => Ok(unhealthy(format!("{}: {why}", self.config.address))),
            Err(failure) => failure.into_report(),
        }
    }
}

impl Postgres {
    /// The first message of the server.
    fn ask(&self) -> Result<Vec<u8>, Failure> {
        let timeout = Duration::from_millis(self.config.timeout_ms.into());
        let mut connection = Connection::open(&self.host, self.port, timeout)?;
        connection.send(&start_up(&self.config.user, self.config.database.as_deref()))?;
        let mut answer = Vec::new();
        while !complete(&answer) {
            let more = connection.receive(4096)?;
            if more.is_empty() {
                break;
            }
            answer.extend(more);
        }
        // A farewell, so that the server logs no broken connection.
        let _ = connection.send(b"X\0\0\0\x04");
        Ok(answer)
    }
}

/// The packet that begins a session, protocol 3.0.
fn start_up(user: &str, database: Option<&str>) -> Vec<u8> {
    let database = database.unwrap_or(user);
    let body = format!("user\0{user}\0database\0{database}\0application_name\0hostler\0\0");
    let mut packet = (body.len() as u32 + 8).to_be_bytes().to_vec();
    packet.extend(196_608_u32.to_be_bytes());
    packet.extend(body.bytes());
    packet
}

/// Whether a message is there as a whole, or as much of it as matters.
fn complete(answer: &[u8]) -> bool {
    let Some(&[_, a, b, c, d]) = answer.first_chunk() else { return false };
    answer.len() > 4096 || answer.len() > u32::from_be_bytes([a, b, c, d]) as usize
}

fn judge(answer: &[u8]) -> Report {
    match answer.first() {
        Some(b'R') => healthy("it takes sessions"),
        Some(b'E') => refused(&answer[5.min(answer.len())..]),
        Some(_) => unhealthy("what answers is no PostgreSQL server"),
        None => unhealthy("it closed the connection without an answer"),
    }
}

/// An error has fields, each a letter and a text that ends with a zero byte.
fn refused(fields: &[u8]) -> Report {
    let field = |letter: u8| {
        let text = fields.split(|b| *b == 0).find_map(|field| field.strip_prefix(&[letter]));
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    };
    let (code, message) = (field(b'C'), field(b'M'));
    match code.get(..2) {
        // A wrong user, password or database: it works, and says no to this one.
        Some("28" | "3D") => healthy(format!("it takes sessions, but not this one: {message}")),
        _ => unhealthy(format!("{message} ({code})")),
    }
}

hostler_plugin::export!(health_check: Postgres);

#[cfg(test)]
mod tests;
