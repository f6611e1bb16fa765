//! Which process needs which database, by the libraries that it depends on.

use hostler_model::groups::Condition;

use super::{Directory, Proposal, Proposed, join};

/// A sort of database: words in the image or the name of its service, and libraries of those who use it.
struct Sort {
    name: &'static str,
    images: &'static [&'static str],
    libraries: &'static [&'static str],
}

const SORTS: [Sort; 5] = [
    Sort {
        name: "PostgreSQL",
        images: &["postgres", "postgis", "timescale", "pgvector"],
        libraries: &[
            "psycopg",
            "asyncpg",
            "\"pg\"",
            "\"postgres\"",
            "prisma",
            "typeorm",
            "'pg'",
            "jackc/pgx",
            "lib/pq",
            "tokio-postgres",
            "postgrex",
            "org.postgresql",
        ],
    },
    Sort {
        name: "MySQL",
        images: &["mysql", "mariadb"],
        libraries: &[
            "mysqlclient",
            "pymysql",
            "\"mysql2\"",
            "\"mysql\"",
            "go-sql-driver/mysql",
            "\"laravel/framework\"",
        ],
    },
    Sort {
        name: "Redis",
        images: &["redis", "valkey"],
        libraries: &["redis", "celery", "sidekiq", "bullmq", "\"bull\"", "predis"],
    },
    Sort {
        name: "RabbitMQ",
        images: &["rabbitmq"],
        libraries: &["pika", "amqplib", "lapin", "bunny", "amqp"],
    },
    Sort {
        name: "MongoDB",
        images: &["mongo"],
        libraries: &["pymongo", "motor", "mongoose", "\"mongodb\"", "mongo-driver"],
    },
];

/// Files that name libraries.
const LISTS: [&str; 10] = [
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "Gemfile",
    "go.mod",
    "Cargo.toml",
    "composer.json",
    "mix.exs",
    "pom.xml",
];

/// Lets each process wait for the databases among the others that its libraries speak of.
pub(super) fn connect(directory: &Directory, proposal: &mut Proposal) {
    for sort in &SORTS {
        let is_it = |p: &&Proposed| {
            let image = p.draft.container.as_ref().and_then(|container| container.image.as_deref());
            image.is_some_and(|image| sort.images.iter().any(|word| image.contains(word)))
        };
        let database = proposal.processes.iter().find(is_it);
        let Some(database) = database.map(|p| (p.draft.name.clone(), p.draft.health.is_empty())) else {
            missing(directory, sort, proposal);
            continue;
        };
        let condition = if database.1 { Condition::Started } else { Condition::Healthy };
        for process in &mut proposal.processes {
            let is_here = process.draft.container.is_none();
            if is_here && uses(directory, process.draft.cwd.as_deref().unwrap_or_default(), sort) {
                process.draft.depends_on.entry(database.0.clone()).or_insert(condition);
            }
        }
    }
}

/// Says that somebody needs a database which nobody starts.
fn missing(directory: &Directory, sort: &Sort, proposal: &mut Proposal) {
    let users: Vec<String> = proposal
        .processes
        .iter()
        .filter(|p| uses(directory, p.draft.cwd.as_deref().unwrap_or_default(), sort))
        .map(|p| format!("`{}`", p.draft.name))
        .collect();
    // Of a library that only can speak to it nothing follows.
    if !users.is_empty() && sort.name != "MySQL" {
        let users = users.join(", ");
        proposal.notes.push(format!(
            "a library for {} is among those of {users}, and nothing here starts a server: it may run elsewhere",
            sort.name
        ));
    }
}

fn uses(directory: &Directory, folder: &str, sort: &Sort) -> bool {
    LISTS.iter().filter_map(|list| directory.text(&join(folder, list))).any(|text| {
        let text = text.to_ascii_lowercase();
        sort.libraries.iter().any(|library| text.contains(library))
    })
}
