//! Directories as projects of these kinds have them.

use std::collections::BTreeMap;

use super::*;

fn directory(files: &[(&str, &str)]) -> Directory {
    let files =
        files.iter().map(|(path, text)| ((*path).to_owned(), wants(path).then(|| (*text).to_owned())));
    Directory { name: "shop".to_owned(), files: files.collect(), ..Directory::default() }
}

/// Each process on a line, and the notes; the file was read back.
fn told(files: &[(&str, &str)]) -> String {
    let proposal = analyze(&directory(files));
    if !proposal.toml.is_empty() {
        crate::read(&proposal.toml, "/shop", None, &BTreeMap::new())
            .unwrap_or_else(|e| panic!("{}\n{e}", proposal.toml));
    }
    let line = |p: &Proposed| {
        let on: Vec<String> = p.depends_on().iter().map(|(on, c)| format!("{on}={c:?}")).collect();
        let checks: Vec<&str> = p.health().iter().map(|check| check.plugin.as_str()).collect();
        format!(
            "{} [{}] {:?} ports {:?} after {on:?} checks {checks:?} parsers {:?}: {:?}: {}",
            p.name(),
            p.command(),
            p.cwd().unwrap_or("."),
            p.ports,
            p.parsers(),
            p.confidence,
            p.why
        )
    };
    let lines = proposal.processes.iter().map(line);
    lines.chain(proposal.notes.iter().map(|note| format!("note: {note}"))).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_workspace_of_node_with_databases() {
    insta::assert_snapshot!(told(&[
        ("package.json", r#"{"private": true, "workspaces": ["apps/*"], "packageManager": "pnpm@9.0.0"}"#),
        ("pnpm-lock.yaml", ""),
        (
            "apps/web/package.json",
            r#"{"scripts": {"dev": "next dev -p 3100", "build": "next build"}, "dependencies": {"next": "15"}}"#
        ),
        (
            "apps/api/package.json",
            r#"{"scripts": {"start": "node .", "worker": "node worker.js", "db:migrate": "knex migrate:latest"},
            "dependencies": {"express": "5", "pg": "8", "pino": "9", "bullmq": "5"}}"#
        ),
        ("apps/api/.env", "PORT=4000\nSECRET=x\n"),
        ("apps/ui/package.json", r#"{"scripts": {"build": "tsc"}}"#),
        (
            "compose.yaml",
            "services:\n  db:\n    image: postgres:17\n    ports: ['5432:5432']\n  cache:\n    image: redis:8\n  api:\n    build: apps/api\n"
        ),
        ("Makefile", ""),
    ]));
}

#[test]
fn a_root_script_that_starts_a_workspace() {
    insta::assert_snapshot!(told(&[
        ("package.json", r#"{"workspaces": ["packages/*"], "scripts": {"dev": "turbo run dev"}}"#),
        ("packages/a/package.json", r#"{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "7"}}"#),
    ]));
}

#[test]
fn python_services() {
    insta::assert_snapshot!(told(&[
        (
            "pyproject.toml",
            "[project]\ndependencies = [\"fastapi>=0.1\", \"uvicorn\", \"psycopg[binary]\", \"celery[redis]\", \"structlog\"]\n"
        ),
        ("uv.lock", ""),
        ("app/main.py", "from fastapi import FastAPI\n\napi = FastAPI(title='x')\n"),
        ("app/worker/celery.py", "app = Celery('shop')\n"),
        ("alembic.ini", ""),
        (".env.example", "A=1"),
    ]));
    insta::assert_snapshot!(told(&[
        ("backend/manage.py", "#!/usr/bin/env python\n"),
        ("backend/requirements.txt", "Django==5.2\n"),
        ("flask_app/requirements.txt", "flask\n"),
        ("flask_app/app.py", "app = Flask(__name__)\n"),
    ]));
}

#[test]
fn compiled_and_other_languages() {
    insta::assert_snapshot!(told(&[
        (
            "Cargo.toml",
            "[package]\nname = \"api\"\n[dependencies]\naxum = \"0.8\"\ntokio-postgres = \"0.7\"\n"
        ),
        ("src/main.rs", ""),
        (
            "tools/gen/Cargo.toml",
            "[package]\nname = \"gen\"\n[[bin]]\nname = \"gen-keys\"\npath = \"x.rs\"\n"
        ),
        ("go.mod", "module x\nrequire go.uber.org/zap v1\n"),
        (
            "cmd/server/main.go",
            "package main\nimport \"net/http\"\nfunc main() { http.ListenAndServe(\":8090\", nil) }\n"
        ),
        ("cmd/cli/main.go", "package main\n"),
    ]));
    insta::assert_snapshot!(told(&[
        ("Gemfile", "gem \"rails\", \"~> 8\"\ngem 'sidekiq'\n"),
        ("package.json", r#"{"scripts": {"build": "vite build"}}"#),
    ]));
    insta::assert_snapshot!(told(&[
        ("artisan", ""),
        ("composer.json", "{}"),
        ("app/pom.xml", "spring-boot"),
        ("app/mvnw", "")
    ]));
}

#[test]
fn a_declaration_counts_more_than_what_is_guessed() {
    insta::assert_snapshot!(told(&[
        ("Procfile", "web: bundle exec puma -p $PORT\nbad: a | b\n"),
        ("Gemfile", "gem \"rails\"\n"),
        ("docker-compose.yml", "services:\n  db: { image: 'postgres:17' }\n  web: { build: '.' }\n"),
    ]));
    let declared = "[processes.web]\ncommand = \"npm start --port 81\"\ncwd = \"app\"\n";
    insta::assert_snapshot!(told(&[("hostler.toml", declared), ("Procfile", "a: b\n")]));
    let variable = told(&[("hostler.toml", "[processes.web]\ncommand = \"${HOME}/x ${B:-c}\"\n")]);
    assert!(
        variable.starts_with("web [${HOME}/x c]") && variable.contains("asked for by hostler.toml: `HOME`"),
        "{variable}"
    );
    let broken = told(&[("hostler.toml", "[processes.web]\ncomand = 1\n"), ("Procfile", "a: b\n")]);
    assert!(broken.starts_with("a [b]") && broken.contains("cannot be read"), "{broken}");
}

#[test]
fn nothing_is_proposed_of_nothing() {
    assert!(told(&[("README.md", ""), ("Makefile", "")]).contains("Makefile may say"));
    let many: Vec<String> = (0..50).map(|n| format!("p{n}/package.json")).collect();
    let text = r#"{"scripts": {"dev": "vite"}}"#;
    let files: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), text)).collect();
    let told = told(&files);
    assert_eq!(told.lines().count(), MOST + 1, "{told}");
}
