//! Java, .NET and Node.js: frames begin with `at`, the innermost first.

use super::{exception, frame, place, split_head};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let mut exceptions: Vec<Exception> = Vec::new();
    // The exception whose frames come next. In .NET, those of the cause come first.
    let mut current = 0;
    let mut before = "";
    for line in text.lines() {
        let inner = line.trim_start();
        if let Some(frame) = inner.strip_prefix("at ").filter(|_| inner.len() < line.len()) {
            if exceptions.is_empty() {
                let (kind, message) = split_head(before).unwrap_or(("", before));
                exceptions.push(exception(kind.trim_start_matches("Unhandled exception. "), message));
            }
            exceptions[current].frames.insert(0, frame_of(frame.trim_end_matches(" {")));
        } else if let Some(cause) = cause(inner) {
            if exceptions.is_empty() {
                exceptions.extend(super::head(before));
            }
            exceptions.push(cause);
            current = exceptions.len() - 1;
        } else if inner.starts_with("--- End of inner exception") {
            current = current.saturating_sub(1);
        } else if exceptions.is_empty() && is_head(before, inner) {
            before = inner;
        }
    }
    // Text without a single frame is left to who reads heads alone.
    if exceptions.iter().all(|exception| exception.frames.is_empty()) { Vec::new() } else { exceptions }
}

/// Whether a line tells what happened better than the one found before it.
fn is_head(before: &str, line: &str) -> bool {
    let told = split_head(before).is_some();
    split_head(line).is_some() || (!told && !line.is_empty() && !line.starts_with(['^', '-', '}']))
}

fn cause(line: &str) -> Option<Exception> {
    let marks = ["Caused by: ", "---> ", "[cause]: "];
    let rest = marks.iter().find_map(|mark| line.strip_prefix(mark))?;
    let (kind, message) = split_head(rest).or_else(|| rest.split_once(": ")).unwrap_or((rest, ""));
    Some(exception(kind, message.trim_end_matches(" {")))
}

/// `com.example.App.main(App.java:7)`, `App.Main() in /src/App.cs:line 5`, `main (/app/x.js:1:2)` or `/app/x.js:1:2`.
fn frame_of(text: &str) -> Frame {
    if let Some((function, file)) = text.split_once(" in ") {
        let (file, line) = file.rsplit_once(":line ").unwrap_or((file, ""));
        return frame(without_arguments(function), file, line.trim().parse().ok(), in_app(function, file));
    }
    let (function, file) = match text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) {
        Some((function, file)) => (function.trim(), file),
        None if text.contains(['/', '\\']) || text.starts_with("node:") => ("", text),
        None => (text, ""),
    };
    // What the engine of JavaScript does itself.
    let native = file == "<anonymous>" || file == "native" || file.starts_with("index ");
    let (file, line) = match file {
        "Native Method" | "Unknown Source" | "<anonymous>" => ("", None),
        file if line_follows(file) => place(file),
        // The arguments of a method of .NET.
        _ => ("", None),
    };
    frame(function.trim_start_matches("async "), file, line, !native && in_app(function, file))
}

fn line_follows(file: &str) -> bool {
    file.rsplit_once(':').is_some_and(|(_, number)| number.parse::<u32>().is_ok()) || file.ends_with(".java")
}

fn without_arguments(function: &str) -> &str {
    function.split('(').next().unwrap_or(function)
}

fn in_app(function: &str, file: &str) -> bool {
    const LIBRARIES: &[&str] = &[
        "java.",
        "javax.",
        "jakarta.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "groovy.",
        "org.springframework.",
        "org.apache.",
        "org.hibernate.",
        "org.eclipse.",
        "org.junit.",
        "org.postgresql.",
        "io.netty.",
        "reactor.",
        "com.fasterxml.",
        "com.google.",
        "com.zaxxer.",
        "com.mysql.",
        "com.mongodb.",
        "com.amazonaws.",
        "software.amazon.",
        "ch.qos.logback.",
        "org.slf4j.",
        "org.gradle.",
        "org.jboss.",
        "org.glassfish.",
        "org.mariadb.",
        "oracle.",
        "okhttp3.",
        "retrofit2.",
        "io.undertow.",
        "io.grpc.",
        "io.vertx.",
        "io.ktor.",
        "io.lettuce.",
        "akka.",
        "feign.",
        "redis.clients.",
        "java.base@",
        "app//java.",
        "MySql.",
        "Newtonsoft.",
        "StackExchange.",
        "Grpc.",
        "System.",
        "Microsoft.",
        "Npgsql.",
        "java.base/",
    ];
    let library = LIBRARIES.iter().any(|name| function.starts_with(name));
    !library && !file.starts_with("node:") && !file.contains("node_modules") && !file.contains("internal/")
}
