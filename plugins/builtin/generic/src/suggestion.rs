//! What to try next, where the text names the thing to try it with.

use hostler_plugin::Exception;

/// A suggestion, if there is something to say beyond the category.
pub(crate) fn of(text: &str, category: &str, exceptions: &[Exception]) -> Option<String> {
    by_text(text, category).or_else(|| by_place(category, exceptions))
}

fn by_text(text: &str, category: &str) -> Option<String> {
    match category {
        "dependency" => dependency(text),
        "network" => network(text),
        "configuration" => {
            quoted_upper(text).map(|name| format!("Set {name} in the environment of the process."))
        }
        "out-of-memory" => {
            Some("Raise the memory limit of the process, or look at how its memory grows.".to_owned())
        }
        "resource-exhaustion" if text.contains("open files") || text.contains("EMFILE") => Some(
            "Raise the limit of open files, or look for files and connections that are never closed."
                .to_owned(),
        ),
        "resource-exhaustion" if text.contains("space left") || text.contains("ENOSPC") => {
            Some("Free space on the disk.".to_owned())
        }
        "file-system" => missing_file(text),
        "auth" => Some("Check the credentials that it uses, and whether they have expired.".to_owned()),
        "timeout" => {
            Some("Look whether what it waits for is up and how busy it is; then at the limit.".to_owned())
        }
        _ => None,
    }
}

/// What to look for where it happened, by the frame of the program that is nearest to the fault.
fn by_place(category: &str, exceptions: &[Exception]) -> Option<String> {
    let frame = exceptions.iter().rev().find_map(|e| e.frames.iter().rev().find(|frame| frame.in_app))?;
    let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
    let place = match (frame.function.as_str(), frame.file.as_str()) {
        ("", "") => return None,
        ("", file) => format!("{file}{line}"),
        (function, "") => function.to_owned(),
        (function, file) => format!("{function} ({file}{line})"),
    };
    let look_for = match category {
        "null-reference" => "what it uses there was never set: handle that it may be missing",
        "type" => "a value there has another type than the code expects",
        "out-of-bounds" => "check the length before the access",
        "missing-key" => "handle that the key may be missing, or find out who should have set it",
        "arithmetic" => "check the operands, zero above all",
        "invalid-value" => "validate the value where it comes from",
        "invalid-state" => "look at what should have happened before",
        "encoding" => "decode with the encoding that the data really has",
        "concurrency" => "look at who else uses what it uses there, and in which order locks are taken",
        "memory-safety" => "look at who owns the memory, and until when",
        "assertion" => "look at why the condition does not hold",
        "syntax" => "correct what cannot be parsed",
        "resource-exhaustion" => "look at what grows there without an end",
        _ => "that is where it comes from",
    };
    Some(format!("Look at {place}: {look_for}."))
}

fn dependency(text: &str) -> Option<String> {
    if let Some(module) = quoted_after(text, "No module named ") {
        let package = module.split('.').next().unwrap_or(module);
        return Some(format!(
            "Install the Python package that has `{package}`, in the environment that runs it."
        ));
    }
    let module =
        quoted_after(text, "Cannot find module ").or_else(|| quoted_after(text, "Cannot find package "))?;
    Some(match module.starts_with(['.', '/']) {
        true => format!("The file {module} is missing: check its path, or build it first."),
        false => format!("Install the package {module}: it is not in node_modules."),
    })
}

fn network(text: &str) -> Option<String> {
    if text.contains("EADDRINUSE") || text.to_ascii_lowercase().contains("address already in use") {
        return Some("Another process has the port: stop it, or take another port.".to_owned());
    }
    let refused = text.contains("ECONNREFUSED") || text.to_ascii_lowercase().contains("connection refused");
    let place = text
        .split_ascii_whitespace()
        .map(|word| word.trim_end_matches([',', ';', ':', ')']))
        .find(|word| is_place(word));
    refused.then(|| match place {
        Some(place) => format!("Nothing listens on {place}: start what should, or correct the address."),
        None => "Nothing listens there: start what should, or correct the address.".to_owned(),
    })
}

/// `host:port`
fn is_place(word: &str) -> bool {
    let Some((host, port)) = word.rsplit_once(':') else { return false };
    let named = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    named
        && !host.contains(['/', '('])
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && (host.contains('.') || host == "localhost" || host.ends_with(']'))
}

fn missing_file(text: &str) -> Option<String> {
    let file = quoted_after(text, "No such file or directory: ")
        .or_else(|| quoted_after(text, "no such file or directory, open "))?;
    Some(format!("{file} does not exist: check the path and the working directory."))
}

/// The quoted text behind a phrase.
fn quoted_after<'t>(text: &'t str, phrase: &str) -> Option<&'t str> {
    let rest = &text[text.find(phrase)? + phrase.len()..];
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'))?;
    let rest = &rest[1..];
    rest.find(quote).map(|end| &rest[..end]).filter(|name| !name.is_empty() && name.len() < 200)
}

/// A name like `DATABASE_URL`.
fn quoted_upper(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| {
        let shouted = word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        word.len() > 4 && word.contains('_') && shouted
    })
}
