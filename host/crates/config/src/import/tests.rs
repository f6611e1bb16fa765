//! Files as those tools' own documentation shows them. What is written is read back as a `hostler.toml`.

use super::*;

fn imported(name: &str, text: &str) -> (String, crate::Stack) {
    let toml = import(name, text).unwrap().to_toml();
    let variables = BTreeMap::from([("PORT".to_owned(), "5000".to_owned())]);
    let stack = crate::read(&toml, "/srv/app", None, &variables).unwrap_or_else(|e| panic!("{toml}\n{e}"));
    (toml, stack)
}

#[test]
fn a_procfile() {
    let text = "# rails\nweb: bundle exec puma -p $PORT\nworker: bundle exec sidekiq\nrelease: bin/rails db:migrate\nbad: a | b\n";
    let (toml, stack) = imported("Procfile", text);
    assert!(toml.contains("command = \"bundle exec puma -p ${PORT}\""), "{toml}");
    assert!(toml.contains("Not carried over: `bad`") && toml.contains("autostart = false"), "{toml}");
    assert_eq!(stack.processes.len(), 3);
}

#[test]
fn a_pm2_ecosystem() {
    let text = r#"{"apps": [{"name": "api", "script": "./server.js", "args": "--port 3000", "instances": 4, "env": {"NODE_ENV": "production", "N": 1},
        "max_memory_restart": "300M", "kill_timeout": 3000, "watch": true}, {"script": "tool", "interpreter": "none", "autorestart": false}]}"#;
    let (toml, stack) = imported("ecosystem.config.json", text);
    for wanted in [
        "command = \"node\"",
        "memory_bytes = 314572800",
        "grace_ms = 3000",
        "cluster of `api`",
        "`watch` of `api`",
    ] {
        assert!(toml.contains(wanted), "{wanted}: {toml}");
    }
    assert_eq!(stack.processes.len(), 2);
}

#[test]
fn package_scripts() {
    let text = r#"{"packageManager": "pnpm@9", "scripts": {"dev": "vite", "start": "node .", "test": "vitest", "watch:css": "x"}}"#;
    let (toml, stack) = imported("package.json", text);
    assert!(toml.contains("command = \"pnpm run dev\"") && toml.contains("script `test`"), "{toml}");
    assert_eq!(stack.processes.keys().map(ToString::to_string).collect::<Vec<_>>(), ["dev", "watch:css"]);
}

#[test]
fn a_supervisord_conf() {
    let text = "[supervisord]\nnodaemon=true\n[program:app]\ncommand=/usr/bin/gunicorn app:app\n  --workers 2\ndirectory=/srv\nautorestart=true\nenvironment=A=\"1,2\",B='x'\nstopwaitsecs=20 ; patience\nnumprocs=2\n[eventlistener:x]\ncommand=y\n";
    let (toml, stack) = imported("supervisord.conf", text);
    for wanted in [
        "--workers 2",
        "cwd = \"/srv\"",
        "policy = \"always\"",
        "grace_ms = 20000",
        "`numprocs` of `app`",
        "[eventlistener:x]",
    ] {
        assert!(toml.contains(wanted), "{wanted}: {toml}");
    }
    let env = stack.processes.values().next().unwrap().args.env.clone().unwrap();
    assert_eq!((env["A"].as_str(), env["B"].as_str()), ("1,2", "x"));
}

#[test]
fn what_is_not_understood_is_said() {
    assert!(import("Makefile", "").unwrap_err().to_string().contains("Procfile"));
    assert!(import("ecosystem.json", "{").unwrap_err().to_string().contains("not JSON"));
    assert!(import("x.conf", "[a]\n").unwrap_err().to_string().contains("[program:NAME]"));
}
