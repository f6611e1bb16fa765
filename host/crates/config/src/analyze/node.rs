//! Node: `package.json`, its scripts and its workspaces.

use hostler_model::groups::Condition;
use serde_json::Value;

use super::{Confidence, Directory, Proposal, Proposed, join, name_of, port_in};
use crate::draft::literal;

/// Frameworks by the package that is theirs, with their usual port and whether they serve pages.
const FRAMEWORKS: [(&str, &str, u16, bool); 14] = [
    ("next", "Next.js", 3000, true),
    ("nuxt", "Nuxt", 3000, true),
    ("astro", "Astro", 4321, true),
    ("@remix-run/dev", "Remix", 3000, true),
    ("@sveltejs/kit", "SvelteKit", 5173, true),
    ("react-scripts", "Create React App", 3000, true),
    ("@angular/core", "Angular", 4200, true),
    ("gatsby", "Gatsby", 8000, true),
    ("@nestjs/core", "NestJS", 3000, false),
    ("vite", "Vite", 5173, true),
    ("fastify", "Fastify", 3000, false),
    ("koa", "Koa", 3000, false),
    ("hono", "Hono", 3000, false),
    ("express", "Express", 3000, false),
];

/// Scripts by which a package is run in development, the first that is there.
const RUNS: [&str; 4] = ["dev", "start", "serve", "develop"];

/// Packages that write a JSON object a line.
const JSON_LOGGERS: [&str; 3] = ["pino", "bunyan", "winston"];

pub(super) fn wants(name: &str) -> bool {
    matches!(name, "package.json" | "pnpm-workspace.yaml")
}

pub(super) fn find(directory: &Directory, proposal: &mut Proposal) {
    let root = package(directory, "");
    if let Some(root) = &root
        && let Some((script, command)) = run(root)
        && is_workspace(directory, root)
        && starts_others(command)
    {
        let manager = manager(directory, "", Some(root));
        let why =
            format!("the script `{script}` of package.json starts the packages of the workspace: {command}");
        let process = Proposed::new(script, format!("{manager} run {script}"), Confidence::High, why);
        proposal.add(process.within(directory, "").serving(None, false));
        return;
    }
    for folder in directory.folders_with("package.json") {
        let Some(package) = package(directory, folder) else { continue };
        let manager = manager(directory, folder, root.as_ref());
        service(directory, folder, &package, manager, proposal);
    }
}

fn service(directory: &Directory, folder: &str, package: &Value, manager: &str, proposal: &mut Proposal) {
    let scripts = package["scripts"].as_object();
    let place = join(folder, "package.json");
    let name = name_of(folder, "web");
    let migration = migration(directory, folder, package, manager);
    let main = run(package);
    if let Some((script, command)) = main {
        let framework = FRAMEWORKS.iter().find(|(dependency, ..)| depends(package, dependency));
        let (what, usual, page) = match framework {
            Some((_, what, port, page)) => (format!(" of {what}"), Some(*port), *page),
            None => (String::new(), None, false),
        };
        let port = port_in(command).or_else(|| directory.port(folder)).or(usual);
        let confidence =
            if framework.is_some() || script == "dev" { Confidence::High } else { Confidence::Medium };
        let why = format!("the script `{script}`{what} in {place}: {command}");
        let parser = JSON_LOGGERS.into_iter().find(|logger| depends(package, logger)).map(|_| "json");
        let process = Proposed::new(name, format!("{manager} run {}", literal(script)), confidence, why)
            .within(directory, folder)
            .serving(port, page)
            .logging(parser);
        proposal.add(match &migration {
            Some(migration) => process.after(migration.name(), Condition::Completed),
            None => process,
        });
        proposal.processes.extend(migration);
    }
    let extra = scripts.into_iter().flatten().filter(|(script, _)| {
        let kind = script.split(':').next().unwrap_or_default();
        matches!(kind, "worker" | "queue" | "watch") && main.is_none_or(|(main, _)| main != script.as_str())
    });
    for (script, command) in extra {
        let why = format!("the script `{script}` in {place}: {}", command.as_str().unwrap_or_default());
        let kind = if script.starts_with("watch") { Confidence::Low } else { Confidence::Medium };
        let process = Proposed::new(script, format!("{manager} run {}", literal(script)), kind, why);
        proposal.add(process.within(directory, folder).serving(None, false));
    }
}

/// The job that brings the database up to date.
fn migration(directory: &Directory, folder: &str, package: &Value, manager: &str) -> Option<Proposed> {
    let scripts = package["scripts"].as_object()?;
    let names = ["db:migrate", "migrate", "migrate:deploy", "prisma:migrate"];
    let (command, why) = match names.into_iter().find(|name| scripts.contains_key(*name)) {
        Some(script) => (format!("{manager} run {script}"), format!("the script `{script}` of package.json")),
        None if depends(package, "prisma") && directory.has(&join(folder, "prisma/schema.prisma")) => {
            ("npx prisma migrate deploy".to_owned(), "Prisma has a schema here".to_owned())
        }
        None => return None,
    };
    let why = format!("{why}; it runs once, before the service, at each start of the stack");
    let name =
        if folder.is_empty() { "migrate".to_owned() } else { format!("{}-migrate", name_of(folder, "")) };
    Some(Proposed::new(&name, command, Confidence::Medium, why).within(directory, folder))
}

fn package(directory: &Directory, folder: &str) -> Option<Value> {
    serde_json::from_str(directory.text(&join(folder, "package.json"))?).ok()
}

/// The script by which a package is run, and what it does.
fn run(package: &Value) -> Option<(&str, &str)> {
    RUNS.iter().find_map(|name| Some((*name, package["scripts"][*name].as_str()?)))
}

fn depends(package: &Value, on: &str) -> bool {
    ["dependencies", "devDependencies"].iter().any(|kind| package[*kind].get(on).is_some())
}

fn is_workspace(directory: &Directory, root: &Value) -> bool {
    !root["workspaces"].is_null() || directory.has("pnpm-workspace.yaml")
}

/// Whether a script starts the packages of a workspace itself.
fn starts_others(command: &str) -> bool {
    let tools = ["turbo", "nx", "lerna", "concurrently", "npm-run-all", "wireit"];
    let flags = ["--workspaces", "-ws", "-r", "--recursive", "--parallel"];
    command.split_whitespace().any(|word| tools.contains(&word) || flags.contains(&word))
}

/// By the lock file, or by what the package says.
fn manager(directory: &Directory, folder: &str, root: Option<&Value>) -> &'static str {
    let locks =
        [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")];
    let locked =
        locks.into_iter().find(|(lock, _)| directory.has(&join(folder, lock)) || directory.has(lock));
    let said = root.and_then(|root| root["packageManager"].as_str()).unwrap_or_default();
    let said = ["pnpm", "yarn", "bun"].into_iter().find(|manager| said.starts_with(manager));
    locked.map(|(_, manager)| manager).or(said).unwrap_or("npm")
}
