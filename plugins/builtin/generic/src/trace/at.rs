//! Java, .NET and Node.js: frames begin with `at`, the innermost first.

use super::{exception, frame, place, split_head};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let mut reader = Reader::default();
    text.lines().all(|line| reader.line(line));
    // Text without a single frame is left to who reads heads alone.
    let framed = reader.exceptions.iter().any(|exception| !exception.frames.is_empty());
    reader.exceptions.iter_mut().for_each(|exception| mark(&mut exception.frames));
    if framed { reader.exceptions } else { Vec::new() }
}

/// A function without a name that a method gave away runs within that method: where it stands between two others, it says
/// only how the one called the other.
fn mark(frames: &mut [Frame]) {
    let Some(innermost) = frames.iter().rposition(|frame| frame.in_app) else { return };
    for at in 1..innermost {
        let known = |method: &str| {
            let ends = |name: &str| {
                name.strip_suffix(method).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            frames[..at].iter().any(|outer| {
                outer.in_app && ends(outer.function.split(['[', '`']).next().unwrap_or_default())
            })
        };
        if enclosing(&frames[at].function).is_some_and(known) {
            frames[at].in_app = false;
        }
    }
}

/// The method in which a function without a name was written: `Program+<Main>c__AnonStorey1.<>m__0`,
/// `Program.<Main>b__0_1`, and of Kotlin `AppKt$main$1.invoke`.
fn enclosing(function: &str) -> Option<&str> {
    let dotnet = function.match_indices('<').find_map(|(open, _)| {
        let (method, rest) = function[open + 1..].split_once('>')?;
        let made = ["b__", "m__", "c__"].iter().any(|mark| rest.starts_with(mark));
        (made && !method.is_empty()).then_some(method)
    });
    dotnet.or_else(|| {
        let (class, _) = function.rsplit_once('.')?;
        let (before, number) = class.rsplit_once('$')?;
        let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        before.rsplit_once('$').map(|(_, method)| method).filter(|_| numbered)
    })
}

#[derive(Default)]
struct Reader<'t> {
    exceptions: Vec<Exception>,
    /// The exception whose frames come next. In .NET, those of the cause come first.
    current: usize,
    /// The line that says best what happened, before the first frame.
    head: &'t str,
    /// How far what was suppressed is indented: it is no cause.
    suppressed: Option<usize>,
    /// The errors of an aggregate of JavaScript come next.
    several: bool,
}

impl<'t> Reader<'t> {
    /// Reads a line; false when none that matters follows.
    fn line(&mut self, line: &'t str) -> bool {
        let inner = line.trim_start();
        let indent = line.len() - inner.len();
        if self.suppressed.is_some_and(|of| indent > of) {
            return true;
        }
        self.suppressed = None;
        if let Some(frame) = inner.strip_prefix("at ").filter(|_| indent > 0) {
            self.begin();
            let frame = frame_of(frame.trim_end_matches(" {").trim_end_matches(" <---"));
            self.exceptions[self.current].frames.insert(0, frame);
        } else if inner.starts_with("Suppressed: ") {
            self.suppressed = Some(indent);
        } else if inner.starts_with("---> (Inner Exception") || inner.starts_with("[ERROR] FATAL UNHANDLED") {
            // What is told already, once more.
            return self.exceptions.is_empty();
        } else if let Some(cause) = self.cause(inner) {
            self.begin();
            self.exceptions.push(cause);
            self.current = self.exceptions.len() - 1;
        } else if inner.starts_with("--- End of inner exception") {
            self.current = self.current.saturating_sub(1);
        } else if inner.starts_with("[errors]: [") {
            self.begin();
            self.several = true;
        } else if self.exceptions.is_empty() && is_head(self.head, inner) {
            self.head = inner;
        }
        true
    }

    /// What was told before the first frame becomes the first exception; in one line with its causes in .NET.
    fn begin(&mut self) {
        if !self.exceptions.is_empty() {
            return;
        }
        for part in self.head.split(" ---> ") {
            let (kind, message) = split_head(part).unwrap_or(("", part));
            let message = message.trim_end_matches(" {").trim_end_matches(']');
            self.exceptions.push(exception(kind, message));
        }
        self.current = self.exceptions.len() - 1;
    }

    fn cause(&self, line: &str) -> Option<Exception> {
        let marks = ["Caused by: ", "---> ", "[cause]: "];
        let marked = marks.iter().find_map(|mark| line.strip_prefix(mark));
        if self.several && marked.is_none() {
            let (kind, message) = split_head(line).filter(|(kind, _)| line.starts_with(kind))?;
            return Some(exception(kind, message));
        }
        let rest = marked?;
        let (kind, message) = split_head(rest).or_else(|| rest.split_once(": ")).unwrap_or((rest, ""));
        Some(exception(kind, message.trim_end_matches(" {")))
    }
}

/// Whether a line tells what happened better than the one found before it.
fn is_head(before: &str, line: &str) -> bool {
    let told = split_head(before).is_some();
    split_head(line).is_some()
        || (!told && !line.is_empty() && !line.starts_with(['^', '-', '}', '+', '[', ']']))
}

/// `com.example.App.main(App.java:7)`, `App.Main() in /src/App.cs:line 5`, `main (/app/x.js:1:2)` or `/app/x.js:1:2`.
fn frame_of(text: &str) -> Frame {
    if let Some((function, file)) = text.split_once(" in ") {
        let (file, line) = match file.rsplit_once(":line ") {
            Some((file, line)) => (file, line.trim().parse().ok()),
            // Mono; where it knows no file, there is a hash.
            None => place(file.trim()),
        };
        let (file, line) = if file.starts_with('<') { ("", None) } else { (file, line) };
        return frame(without_arguments(function).trim(), file, line, in_app(function, file));
    }
    let (function, file) = match text.strip_suffix(')').and_then(without_place) {
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

/// The function and the place: behind a space in JavaScript, where a place may have parentheses of its own.
fn without_place(text: &str) -> Option<(&str, &str)> {
    text.split_once(" (").or_else(|| text.rsplit_once('('))
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
        "MySql.",
        "Newtonsoft.",
        "StackExchange.",
        "Grpc.",
        "System.",
        "Microsoft.",
        "Npgsql.",
        "io.reactivex.",
        "io.micronaut.",
        "io.quarkus.",
        "io.opentelemetry.",
        "com.netflix.",
        "com.rabbitmq.",
        "org.aspectj.",
        "org.thymeleaf.",
        "org.jooq.",
        "org.h2.",
        "org.sqlite.",
        "org.flywaydb.",
        "org.elasticsearch.",
        "org.bson.",
        "org.codehaus.",
        "org.mockito.",
        "net.bytebuddy.",
        "android.",
        "androidx.",
        "cats.",
        "zio.",
        "play.",
    ];
    let function = function.trim_start_matches("(wrapper managed-to-native) ");
    let function = without_module(function);
    let library = LIBRARIES.iter().any(|name| function.starts_with(name));
    !library && !file.starts_with("node:") && !file.contains("node_modules") && !file.starts_with("internal/")
}

/// `java.base/java.lang.Thread.run` without the module, or the loader, before the slash.
fn without_module(function: &str) -> &str {
    let module =
        |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".@_-".contains(c));
    match function.split_once('/') {
        Some((before, rest)) if module(before) => rest.trim_start_matches('/'),
        _ => function,
    }
}
