//! Python: Django, FastAPI, Flask, Celery, by what a project requires and by its modules.

use hostler_model::groups::Condition;

use super::{Confidence, Directory, Proposal, Proposed, join, name_of};

/// Files that say what is required.
const REQUIREMENTS: [&str; 5] =
    ["pyproject.toml", "requirements.txt", "requirements/base.txt", "Pipfile", "setup.cfg"];

/// Modules in which an application is usually made.
const MODULES: [&str; 10] = [
    "main.py",
    "app.py",
    "wsgi.py",
    "asgi.py",
    "server.py",
    "api.py",
    "celery.py",
    "tasks.py",
    "celery_app.py",
    "__init__.py",
];

pub(super) fn wants(name: &str) -> bool {
    matches!(
        name,
        "pyproject.toml"
            | "requirements.txt"
            | "base.txt"
            | "Pipfile"
            | "setup.cfg"
            | "manage.py"
            | "alembic.ini"
    ) || MODULES.contains(&name)
}

pub(super) fn find(directory: &Directory, proposal: &mut Proposal) {
    let mut folders: Vec<&str> = REQUIREMENTS.iter().flat_map(|file| directory.folders_with(file)).collect();
    folders.extend(directory.folders_with("manage.py"));
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        Project::of(directory, folder).find(proposal);
    }
}

/// A folder with requirements of its own.
struct Project<'a> {
    directory: &'a Directory,
    folder: &'a str,
    /// What its files require, in lower case.
    required: String,
    /// By what a program of it is run.
    runner: &'static str,
}

impl<'a> Project<'a> {
    fn of(directory: &'a Directory, folder: &'a str) -> Self {
        let texts = REQUIREMENTS.iter().filter_map(|file| directory.text(&join(folder, file)));
        let required = texts.collect::<Vec<_>>().join("\n").to_ascii_lowercase();
        let has = |file: &str| directory.has(&join(folder, file)) || directory.has(file);
        let runner = match () {
            () if has("uv.lock") => "uv run ",
            () if has("poetry.lock") => "poetry run ",
            () if has("Pipfile") => "pipenv run ",
            () => "",
        };
        Self { directory, folder, required, runner }
    }

    fn find(&self, proposal: &mut Proposal) {
        let web = self.django(proposal) || self.asgi(proposal) || self.flask(proposal);
        let worker = self.celery(proposal);
        if !web && !worker && self.requires("streamlit") {
            let why = "Streamlit is required".to_owned();
            self.add(proposal, "web", "streamlit run app.py".to_owned(), Confidence::Low, why, Some(8501));
        }
    }

    fn requires(&self, package: &str) -> bool {
        // A name ends where its version or its extras begin.
        self.required.match_indices(package).any(|(at, _)| {
            let before = self.required[..at].chars().next_back();
            let after = self.required[at + package.len()..].chars().next();
            let is_part =
                |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            !is_part(before) && !is_part(after)
        })
    }

    fn django(&self, proposal: &mut Proposal) -> bool {
        if !self.directory.has(&join(self.folder, "manage.py")) {
            return false;
        }
        let port = self.directory.port(self.folder).unwrap_or(8000);
        let python = self.python();
        let why = "Django's manage.py is here; it runs once, before the service, at each start of the stack";
        let migrate = Proposed::new(
            &self.named("migrate"),
            format!("{python} manage.py migrate --noinput"),
            Confidence::Medium,
            why,
        );
        let migrate = migrate.within(self.directory, self.folder);
        let command = format!("{python} manage.py runserver --noreload {port}");
        let why = "Django's manage.py is here";
        let web = Proposed::new(&self.named("web"), command, Confidence::High, why)
            .within(self.directory, self.folder)
            .serving(Some(port), false)
            .logging(self.parser())
            .after(migrate.name(), Condition::Completed);
        proposal.add(migrate);
        proposal.add(web);
        true
    }

    fn asgi(&self, proposal: &mut Proposal) -> bool {
        let of = |maker: &str| self.application(maker).map(|(module, name)| (maker.to_owned(), module, name));
        let Some((maker, module, name)) = of("FastAPI(").or_else(|| of("Starlette(")) else { return false };
        let port = self.directory.port(self.folder).unwrap_or(8000);
        let why = format!("`{name} = {maker}…)` in the module {module}");
        let command = format!("{}uvicorn {module}:{name} --port {port}", self.runner);
        let migration = self.alembic(proposal);
        let process = self.process("web", command, Confidence::High, why, Some(port));
        proposal.add(match migration {
            Some(migration) => process.after(&migration, Condition::Completed),
            None => process,
        });
        true
    }

    fn flask(&self, proposal: &mut Proposal) -> bool {
        let Some((module, _)) = self.application("Flask(") else { return false };
        let port = self.directory.port(self.folder).unwrap_or(5000);
        let why = format!("`Flask(…)` in the module {module}");
        let command = format!("{}flask --app {module} run --port {port}", self.runner);
        self.add(proposal, "web", command, Confidence::High, why, Some(port));
        true
    }

    fn alembic(&self, proposal: &mut Proposal) -> Option<String> {
        if !self.directory.has(&join(self.folder, "alembic.ini")) {
            return None;
        }
        let name = self.named("migrate");
        let why = "alembic.ini is here; it runs once, before the service, at each start of the stack";
        let command = format!("{}alembic upgrade head", self.runner);
        proposal
            .add(Proposed::new(&name, command, Confidence::Medium, why).within(self.directory, self.folder));
        Some(name)
    }

    fn celery(&self, proposal: &mut Proposal) -> bool {
        if !self.requires("celery") {
            return false;
        }
        let (app, confidence, why) = match self.application("Celery(") {
            Some((module, _)) => (
                module.trim_end_matches(".celery").to_owned(),
                Confidence::High,
                format!("`Celery(…)` in the module {module}"),
            ),
            None => (
                "app".to_owned(),
                Confidence::Low,
                "Celery is required; name its application with -A".to_owned(),
            ),
        };
        let command = format!("{}celery -A {app} worker --loglevel info", self.runner);
        self.add(proposal, "worker", command, confidence, why, None);
        true
    }

    /// Where something is made: the module, as it is imported, and the name that it gets.
    fn application(&self, maker: &str) -> Option<(String, String)> {
        let prefix = if self.folder.is_empty() { String::new() } else { format!("{}/", self.folder) };
        let of = self.directory.files.iter().filter_map(|(path, text)| {
            let inner = path.strip_prefix(&prefix)?;
            let name = inner.strip_suffix(".py")?;
            let line = text
                .as_deref()?
                .lines()
                .find(|line| line.contains(maker) && !line.starts_with([' ', '\t']))?;
            let target = line.split(['=', ':']).next()?.trim();
            let is_name = target.chars().all(|c| c.is_alphanumeric() || c == '_') && !target.is_empty();
            let module = name.trim_end_matches("/__init__").replace('/', ".");
            // `src` is a folder of sources, no package.
            let module = module.strip_prefix("src.").map(str::to_owned).unwrap_or(module);
            is_name.then(|| (module, target.to_owned()))
        });
        of.min_by_key(|(module, _)| (module.matches('.').count(), module.len()))
    }

    fn python(&self) -> String {
        match self.runner {
            "" if self.directory.has(&join(self.folder, ".venv/bin/python")) => ".venv/bin/python".to_owned(),
            "" => "python3".to_owned(),
            runner => format!("{runner}python"),
        }
    }

    fn parser(&self) -> Option<&'static str> {
        let structured = self.requires("structlog") || self.requires("python-json-logger");
        structured.then_some("json")
    }

    fn named(&self, name: &str) -> String {
        if self.folder.is_empty() {
            name.to_owned()
        } else {
            format!("{}-{name}", name_of(self.folder, name))
        }
    }

    fn process(
        &self,
        name: &str,
        command: String,
        confidence: Confidence,
        why: String,
        port: Option<u16>,
    ) -> Proposed {
        Proposed::new(&self.named(name), command, confidence, why)
            .within(self.directory, self.folder)
            .serving(port, false)
            .logging(self.parser())
    }

    fn add(
        &self,
        proposal: &mut Proposal,
        name: &str,
        command: String,
        confidence: Confidence,
        why: String,
        port: Option<u16>,
    ) {
        proposal.add(self.process(name, command, confidence, why, port));
    }
}
