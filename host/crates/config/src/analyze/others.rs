//! Rust, Go, Ruby, PHP, Java and Elixir, each by its file.

use hostler_model::groups::Condition;

use super::{Confidence, Directory, Proposal, Proposed, join, name_of, port_in};
use crate::draft::literal;

pub(super) fn wants(name: &str) -> bool {
    matches!(
        name,
        "Cargo.toml"
            | "go.mod"
            | "main.go"
            | "Gemfile"
            | "composer.json"
            | "pom.xml"
            | "build.gradle"
            | "build.gradle.kts"
            | "mix.exs"
    )
}

pub(super) fn find(directory: &Directory, proposal: &mut Proposal) {
    rust(directory, proposal);
    go(directory, proposal);
    ruby(directory, proposal);
    laravel(directory, proposal);
    by_marker(directory, proposal);
}

const RUST_SERVERS: [&str; 7] = ["axum", "actix-web", "rocket", "warp", "poem", "salvo", "tonic"];

fn rust(directory: &Directory, proposal: &mut Proposal) {
    for folder in directory.folders_with("Cargo.toml") {
        let Some(text) = directory.text(&join(folder, "Cargo.toml")) else { continue };
        let Ok(manifest) = text.parse::<toml::Table>() else { continue };
        let package = manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
        let Some(package) = package else { continue };
        let bins = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
        let mut bins: Vec<&str> = bins.filter_map(|bin| bin.get("name")?.as_str()).collect();
        if bins.is_empty() && directory.has(&join(folder, "src/main.rs")) {
            bins.push(package);
        }
        let depends = |on: &&&str| manifest.get("dependencies").is_some_and(|all| all.get(**on).is_some());
        let server = RUST_SERVERS.iter().find(depends);
        for bin in bins {
            let (confidence, what) = match server {
                Some(server) => (Confidence::Medium, format!("a program that depends on {server}")),
                None => (Confidence::Low, "a program; nothing says whether it is a service".to_owned()),
            };
            let why = format!("{what}, in {}", join(folder, "Cargo.toml"));
            let command = format!("cargo run --package {package} --bin {bin}");
            let process = Proposed::new(bin, command, confidence, why);
            proposal.add(process.within(directory, "").serving(directory.port(""), false));
        }
    }
}

fn go(directory: &Directory, proposal: &mut Proposal) {
    for module in directory.folders_with("go.mod") {
        let required = directory.text(&join(module, "go.mod")).unwrap_or_default();
        let parser =
            ["go.uber.org/zap", "rs/zerolog"].iter().any(|log| required.contains(log)).then_some("json");
        let below = |folder: &&str| module.is_empty() || folder.starts_with(module);
        for folder in directory.folders_with("main.go").into_iter().filter(below) {
            let text = directory.text(&join(folder, "main.go")).unwrap_or_default();
            let serves =
                ["net/http", "gin-gonic", "labstack/echo", "gofiber", "go-chi", "google.golang.org/grpc"];
            let serves = serves.iter().any(|package| text.contains(package));
            let confidence = if serves { Confidence::Medium } else { Confidence::Low };
            let what = if serves { "it serves a network" } else { "nothing says whether it is a service" };
            let quoted = text.split('"').find(|part| part.starts_with(':')).and_then(port_in);
            let inner = folder.strip_prefix(module).unwrap_or(folder).trim_start_matches('/');
            let package = if inner.is_empty() { "." } else { inner };
            let package = if package == "." { package.to_owned() } else { format!("./{package}") };
            let why = format!("package main in {}; {what}", join(folder, "main.go"));
            let name = name_of(folder, name_of(module, "server"));
            let process = Proposed::new(name, format!("go run {}", literal(&package)), confidence, why);
            let port = directory.port(module).or(quoted.filter(|_| serves));
            proposal.add(process.within(directory, module).serving(port, false).logging(parser));
        }
    }
}

fn ruby(directory: &Directory, proposal: &mut Proposal) {
    for folder in directory.folders_with("Gemfile") {
        let Some(text) = directory.text(&join(folder, "Gemfile")) else { continue };
        let has = |gem: &str| {
            text.lines().any(|line| {
                let line = line.trim();
                line.starts_with("gem ")
                    && (line.contains(&format!("\"{gem}\"")) || line.contains(&format!("'{gem}'")))
            })
        };
        if has("rails") {
            let port = directory.port(folder).unwrap_or(3000);
            let migrate = Proposed::new(
                "migrate",
                "bin/rails db:migrate",
                Confidence::Medium,
                "Rails is in the Gemfile; it runs once, before the service, at each start of the stack",
            );
            let command = format!("bin/rails server --port {port}");
            let web = Proposed::new("web", command, Confidence::High, "Rails is in the Gemfile");
            proposal.add(migrate.within(directory, folder));
            let web = web.within(directory, folder).serving(Some(port), false);
            proposal.add(web.after("migrate", Condition::Completed));
        }
        if has("sidekiq") {
            let why = "Sidekiq is in the Gemfile";
            let worker = Proposed::new("worker", "bundle exec sidekiq", Confidence::High, why);
            proposal.add(worker.within(directory, folder).serving(None, false));
        }
    }
}

fn laravel(directory: &Directory, proposal: &mut Proposal) {
    for folder in directory.folders_with("artisan") {
        let migrate = Proposed::new(
            "migrate",
            "php artisan migrate --force",
            Confidence::Medium,
            "Laravel's artisan is here; it runs once, before the service, at each start of the stack",
        );
        proposal.add(migrate.within(directory, folder));
        let why = "Laravel's artisan is here";
        let web = Proposed::new("web", "php artisan serve --port 8000", Confidence::High, why);
        let web = web.within(directory, folder).serving(Some(8000), false);
        proposal.add(web.after("migrate", Condition::Completed));
        let why = "Laravel's artisan is here; low, since not every project has a queue";
        let queue = Proposed::new("queue", "php artisan queue:work", Confidence::Low, why);
        proposal.add(queue.within(directory, folder).serving(None, false));
    }
}

/// Frameworks that one word in one file gives away: file, word, command, what it is, port.
const MARKERS: [(&str, &str, &str, &str, u16); 4] = [
    ("pom.xml", "spring-boot", "mvn spring-boot:run", "Spring Boot", 8080),
    ("build.gradle", "org.springframework.boot", "gradle bootRun", "Spring Boot", 8080),
    ("build.gradle.kts", "org.springframework.boot", "gradle bootRun", "Spring Boot", 8080),
    ("mix.exs", ":phoenix", "mix phx.server", "Phoenix", 4000),
];

fn by_marker(directory: &Directory, proposal: &mut Proposal) {
    for (file, word, command, what, port) in MARKERS {
        for folder in directory.folders_with(file) {
            if !directory.text(&join(folder, file)).is_some_and(|text| text.contains(word)) {
                continue;
            }
            // The wrapper that comes with the project knows which version it needs.
            let wrapper = [("mvn ", "mvnw"), ("gradle ", "gradlew")];
            let wrapped = wrapper.iter().find_map(|(program, wrapper)| {
                let rest = command.strip_prefix(program)?;
                directory.has(&join(folder, wrapper)).then(|| format!("./{wrapper} {rest}"))
            });
            let why = format!("{what} is in {}", join(folder, file));
            let name = name_of(folder, "web");
            let process =
                Proposed::new(name, wrapped.unwrap_or_else(|| command.to_owned()), Confidence::Medium, why);
            let port = directory.port(folder).unwrap_or(port);
            proposal.add(process.within(directory, folder).serving(Some(port), false));
        }
    }
}
