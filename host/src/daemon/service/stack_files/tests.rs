//! Edits of a file, and what has to change for each.

use hostler_config::{Change, Current};

use super::*;

const BEFORE: &str = r#"
name = "shop-stack"
[env]
PORT = "${EDIT_PORT:-80}"
[defaults]
stop = { grace_ms = 3000 }
[templates.node]
restart = { policy = "on_failure" }
[processes.db]
command = "db --data 'a b'"
[processes.api]
command = "node api.js ${EDIT_DEBUG:-}"
extends = ["node"]
depends_on = { db = "ready" }
[processes.web]
command = "node web.js"
extends = ["node"]
depends_on = { api = "ready" }
"#;

fn file(text: &str, name: &str) -> StackFile {
    let dir = PathBuf::from("/srv/shop");
    StackFile { path: dir.join(name), dir, text: text.to_owned() }
}

fn project() -> Project {
    Project { id: 1, root: "/srv/shop".to_owned(), name: "shop".to_owned() }
}

fn specs(text: &str, env: &[(&str, &str)]) -> BTreeMap<ProcessName, Wanted> {
    let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let request = ApplyConfig { env, ..ApplyConfig::default() };
    let file = file(text, "hostler.toml");
    let stack = file.parse(&request).unwrap();
    file.wanted(&stack, &project(), "/usr/bin").unwrap()
}

/// What changes when the file becomes this one.
fn edited(text: &str, env: &[(&str, &str)]) -> String {
    let current = |Wanted { spec, member }| Current { spec, from_file: true, member };
    let now = specs(BEFORE, &[]).into_iter().map(|(name, spec)| (name, current(spec))).collect();
    let changes = hostler_config::plan(&now, &specs(text, env));
    let told =
        changes.iter().filter(|step| step.change != Change::Unchanged).map(|step| match &step.change {
            Change::Restart { fields } => format!("{} restart {}", step.process, fields.join(",")),
            Change::Update { fields } => format!("{} update {}", step.process, fields.join(",")),
            Change::Create => format!("{} create", step.process),
            Change::Remove => format!("{} remove", step.process),
            Change::Unchanged => String::new(),
        });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
}

#[test]
fn an_edit_changes_what_it_is_about_and_nothing_else() {
    let edits: [(&str, &str, &str); 18] = [
        ("nothing", "", ""),
        ("a comment", "[defaults]", "# of all\n[defaults]"),
        ("another way to write the same", "db --data 'a b'", "db --data a\\\\ b"),
        ("what it waits for", "{ api = \"ready\" }", "{ api = \"started\" }"),
        ("a delay", "{ api = \"ready\" }", "{ api = \"ready\" }\ndelay_ms = 9"),
        ("an argument", "node web.js", "node web.js --fast"),
        ("a variable of all", "PORT:-80", "PORT:-81"),
        ("a variable of one", "node web.js\"", "node web.js\"\nenv = { A = \"1\" }"),
        ("a default", "3000", "4000"),
        ("a template", "on_failure", "always"),
        ("no template any more", "extends = [\"node\"]\ndepends_on = { api", "depends_on = { api"),
        ("a schedule", "node web.js\"", "node web.js\"\nschedule = \"0 3 * * *\""),
        ("files to watch", "node web.js\"", "node web.js\"\nwatch = [\"src\"]"),
        ("a health check", "node web.js\"", "node web.js\"\nhealth = [{ plugin = \"http\" }]"),
        ("a limit", "node web.js\"", "node web.js\"\nlimits = { open_files = 9 }"),
        ("a terminal", "node web.js\"", "node web.js\"\npty = true"),
        ("another name", "[processes.web]", "[processes.front]"),
        ("whether it starts with the stack", "node web.js\"", "node web.js\"\nautostart = false"),
    ];
    let told = edits.map(|(what, from, to)| {
        assert!(BEFORE.contains(from), "{from}");
        format!("{what}: {}", edited(&BEFORE.replace(from, to), &[]))
    });
    insta::assert_snapshot!(told.join("\n"), @r"
    nothing: nothing
    a comment: nothing
    another way to write the same: nothing
    what it waits for: web update depends_on
    a delay: web update delay_ms
    an argument: web restart args
    a variable of all: api restart env; db restart env; web restart env
    a variable of one: web restart env
    a default: api update stop; db update stop; web update stop
    a template: api update restart; web update restart
    no template any more: web update restart
    a schedule: web update schedule
    files to watch: web update watch
    a health check: web update health
    a limit: web restart limits
    a terminal: web restart pty
    another name: front create; web remove
    whether it starts with the stack: web update autostart
    ");
    insta::assert_snapshot!(edited(BEFORE, &[("EDIT_DEBUG", "--debug"), ("OTHER", "1")]), @"api restart args");
}

/// What other tools' files become is more than readable: it can be declared.
#[test]
fn what_is_imported_can_be_planned() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/config/src/import/fixtures");
    let files =
        std::fs::read_dir(fixtures).unwrap().flat_map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap());
    let mut planned = 0;
    for path in files.map(|file| file.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let place = hostler_config::Place { directory: "shop", has_env: true };
        let imported = hostler_config::import(&name, &text, place).unwrap();
        // One of them must be set, which the file it comes from demands as well.
        let wanted = specs(&imported.to_toml(), &[("NODE_ENV", "test")]);
        let changes = hostler_config::plan(&BTreeMap::new(), &wanted);
        assert!(changes.iter().all(|step| step.change == Change::Create), "{}", path.display());
        assert_eq!(changes.len(), imported.len(), "{}", path.display());
        planned += 1;
    }
    assert!(planned >= 12, "{planned}");
}

#[test]
fn what_is_wrong_with_a_process_is_told_at_its_place() {
    let mistakes = [
        ("[processes.a]\ncommand = \"x | y\"\n", "line 2, column 11: process `a`: `command`"),
        ("[processes.a]\ncommand = \"x\"\nlease_ms = 5\n", "line 3, column 12: process `a`: `lease_ms`"),
        ("[processes.a]\ncommand = \"x\"\nstop = { signal = \"NONE\" }\n", "line 3, column 19"),
        ("[processes.a]\ncommand = \"x\"\n[processes.a.stop]\nsignal = \"NONE\"\n", "line 4, column 10"),
        (
            "[processes.a]\ncommand = \"x\"\nhealth = [{ plugin = \"tcp\" },\n { plugin = \"tcp\", interval_ms = 1 }]\n",
            "line 4, column 34: process `a`: `health[1].interval_ms` is 1",
        ),
        (
            "[[processes.a.health]]\nplugin = \"tcp\"\ninterval_ms = 1\n[processes.a]\ncommand = \"x\"\n",
            "line 3, column 15",
        ),
        (
            "[templates.t]\nlimits = { memory_bytes = 0 }\n[processes.a]\ncommand = \"x\"\nextends = [\"t\"]\n",
            "line 2, column 27: process `a`: `limits.memory_bytes`",
        ),
        ("limits = { memory_bytes = 0 }\n[processes.a]\ncommand = \"x\"\n", "line 1, column 27"),
        ("[defaults]\nlease_ms = 1\n[processes.a]\ncommand = \"x\"\n", "line 2, column 12"),
    ];
    for (text, wanted) in mistakes {
        let file = file(text, "hostler.toml");
        let Ok(stack) = file.parse(&ApplyConfig::default()) else { panic!("{text}") };
        let message = file.wanted(&stack, &project(), "/usr/bin").unwrap_err().message;
        assert!(
            message.starts_with("/srv/shop/hostler.toml: ") && message.contains(wanted),
            "{text}: {message}"
        );
        assert!(message.contains(" | "), "with its line: {message}");
    }
    let file = file("\n[plugins.mine]\nsource = \"builtin:jsno\"\n", "hostler.toml");
    let stack = file.parse(&ApplyConfig::default()).unwrap();
    let message = file.plugins(&stack).unwrap_err().message;
    assert!(message.contains("[plugins.mine]: ") && message.contains(": line "), "{message}");
}

#[test]
fn a_file_that_is_none_of_ours_is_not_quoted() {
    let secret = "root:x:0:0:hunter2\n";
    for text in [secret, "hunter2 = 1\n", "[processes.a]\ncommand = \"${hunter2}\"\n"] {
        let message = |name: &str| {
            let file = file(text, name);
            file.parse(&ApplyConfig::default()).err().map(|e| e.message).unwrap_or_default()
        };
        let (foreign, ours) = (message("passwd"), message("other.toml"));
        assert!(
            !foreign.contains("hunter2") && foreign.contains("passwd is no hostler.toml (line "),
            "{foreign}"
        );
        assert!(ours.contains("hunter2"), "{ours}");
    }
}
