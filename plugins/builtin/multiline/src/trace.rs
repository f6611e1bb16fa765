//! Which lines belong to a trace that has begun.

use crate::crash;
use crate::start::{self, is_exception};
use crate::words::{Beginnings, has};
use hostler_plugin::{prefix, severity};

/// Lines that a message may have between the line that begins it and the first frame.
const MESSAGE: usize = 60;
/// Lines between what a logger says and the trace that it was given.
const LOGGED: usize = 12;
/// Lines of others that may stand between two lines of a trace.
const FOREIGN: usize = 8;

/// The kinds of traces, by how their lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a logger says, with a trace of any kind below it.
    Logged,
    Python,
    PythonGroup,
    /// Java, .NET and Node.js: frames begin with `at`.
    Frames,
    /// Node.js with the line of the source above the error.
    Node,
    Go,
    Rust,
    /// Rust at its end: without memory or stack there is no message of its own.
    RustAbort,
    Ruby,
    /// Ruby, as its logger writes a backtrace: one place a line.
    RubyPlaces,
    Php,
    /// The console logger of .NET: what is indented by six spaces belongs to the line above.
    DotnetLog,
    /// Perl, as Carp writes it: callers are indented and end with `called at`.
    Perl,
    /// Rust's `Error: …` of a main function, with what caused it below.
    Report,
    /// A report of a sanitizer of C and C++.
    Sanitizer,
    /// What the sanitizer of undefined behavior says of a place, in one line or in several.
    Undefined,
    /// Why an application of Spring Boot did not start: a description and what to do.
    Spring,
    /// C++: an exception that nobody caught.
    Terminate,
    /// Python at its end: threads, each with its frames.
    PythonFatal,
    /// The Java machine at its end: all lines begin with `#`.
    JavaFatal,
    /// One line that says it all.
    Crash,
}

impl Kind {
    /// Whether its first line says enough to be an event without any other.
    pub(crate) fn is_event_alone(self) -> bool {
        matches!(self, Self::Crash | Self::Undefined | Self::Terminate | Self::Ruby | Self::RustAbort)
    }
}

/// What a line is to a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It belongs to it.
    Take,
    /// It belongs to it and says what happened.
    Message,
    /// It belongs to it if a later line does.
    Perhaps,
    /// It does not belong to it.
    End,
}

/// A trace up to some line.
#[derive(Debug)]
pub(crate) struct Trace {
    kind: Kind,
    /// Whether what ends the trace, or a part of it, was seen.
    closed: bool,
    /// Whether the line with the message was seen.
    told: bool,
    /// Whether the properties of an error of Node.js are open.
    braces: bool,
    /// Whether PHP wrote its first line for a log: it may write all of it a second time, for the screen.
    for_log: bool,
    /// Lines since the last one that surely belongs to it.
    waiting: usize,
    /// Whether the next line that is not empty has the message.
    due: bool,
    /// The place of undefined behavior.
    place: Vec<u8>,
}

impl Trace {
    pub(crate) fn new(kind: Kind, first: &[u8]) -> Self {
        let braces = kind == Kind::Frames && opens_properties(first);
        let for_log = first.starts_with(b"PHP ");
        let place =
            crash::undefined_at(first).filter(|_| kind == Kind::Undefined).unwrap_or_default().to_vec();
        Self {
            kind,
            closed: braces,
            told: kind == Kind::RustAbort || (kind == Kind::Ruby && first.ends_with(b"(fatal)")),
            braces,
            for_log,
            waiting: 0,
            due: false,
            place,
        }
    }

    /// Goes on by one line.
    pub(crate) fn step(&mut self, line: &[u8]) -> Step {
        match self.kind {
            Kind::Logged => self.logged(line),
            Kind::Python => self.python(line),
            Kind::PythonGroup => Self::python_group(line),
            Kind::Frames => self.frames(line),
            Kind::Node => self.node(line),
            Kind::Go => self.go(line),
            Kind::Rust | Kind::RustAbort => self.rust(line),
            Kind::Ruby => self.ruby(line),
            Kind::RubyPlaces => Self::take_if(start::is_ruby_place(line)),
            Kind::Php => self.php(line),
            Kind::DotnetLog => self.dotnet_log(line),
            Kind::Perl => Self::take_if(indented(line) && has!(line, b" called at ")),
            Kind::Report => self.report(line),
            Kind::Sanitizer => self.sanitizer(line),
            Kind::Undefined => self.undefined(line),
            Kind::Spring => self.spring(line),
            Kind::Terminate => self.terminate(line),
            Kind::PythonFatal => Self::python_fatal(line),
            Kind::JavaFatal => Self::take_if(line.starts_with(b"#")),
            Kind::Crash => Step::End,
        }
    }

    /// Waits for the trace that a logger was given; the message of it may have several lines.
    fn logged(&mut self, line: &[u8]) -> Step {
        if let Some(kind) = start::by_itself(line) {
            *self = Self::new(kind, line);
            return Step::Perhaps;
        }
        if is_frame(line) || is_joint(line) {
            self.kind = Kind::Frames;
            return self.frames(line);
        }
        if start::is_ruby_place(line) {
            self.kind = Kind::RubyPlaces;
            return Step::Take;
        }
        let thrown = is_exception(line) && !self.told;
        self.told |= thrown;
        self.waiting += 1;
        let belongs = thrown || !(is_foreign(line) || is_exception(line));
        if belongs && self.waiting <= LOGGED { Step::Perhaps } else { Step::End }
    }

    /// Frames are indented; the exception is not and closes the trace, unless it is told what it came from.
    fn python(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        // The trace of another process stands in quotes.
        if text == b"\"\"\"" {
            return Step::Take;
        }
        if !self.closed {
            // Loguru points at the frame that has the handler.
            let framed = indented(line) || line.starts_with(b"> File ");
            if text.is_empty() || framed || text.starts_with(b"Traceback (most recent call last)") {
                self.waiting = 0;
                return Step::Take;
            }
            if is_foreign(line) {
                return self.foreign();
            }
            (self.closed, self.waiting) = (true, 0);
            return Step::Message;
        }
        let chained = text.starts_with(b"During handling of the above exception")
            || text.starts_with(b"The above exception was the direct cause");
        if text.starts_with(b"Traceback (most recent call last)") && self.waiting > 0 {
            (self.closed, self.waiting, self.told) = (false, 0, false);
            Step::Take
        } else if self.told && is_exception(line) {
            // One that was raised where there are no frames.
            (self.waiting, self.told) = (0, false);
            Step::Take
        } else if chained || (text.is_empty() && self.waiting < 3) {
            self.told |= chained;
            self.waiting += 1;
            Step::Perhaps
        } else {
            Step::End
        }
    }

    /// A line of somebody else, such as of another thread: the trace may go on behind it.
    fn foreign(&mut self) -> Step {
        self.waiting += 1;
        if self.waiting <= FOREIGN { Step::Perhaps } else { Step::End }
    }

    /// A group of exceptions draws a frame of its own around all that belongs to it.
    fn python_group(line: &[u8]) -> Step {
        let text = line.trim_ascii_start();
        let framed = indented(line) && (text.starts_with(b"|") || text.starts_with(b"+-"));
        if framed { Step::Take } else { Step::End }
    }

    fn frames(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        if self.braces {
            self.braces = indented(line) || text.is_empty();
            return Self::take_if(self.braces || text == b"}");
        }
        if is_frame(line) || is_joint(line) {
            self.braces = text.ends_with(b" {");
            (self.closed, self.waiting) = (true, 0);
            return Step::Take;
        }
        if text.starts_with(b"Emitted 'error' event ") || text.starts_with(b"Require stack:") {
            return Step::Take;
        }
        if !self.closed {
            return self.message(line);
        }
        // Mono writes all of it twice.
        if text.starts_with(b"[ERROR] FATAL UNHANDLED EXCEPTION: ") {
            (self.closed, self.waiting) = (false, 0);
            return Step::Take;
        }
        match text.is_empty() {
            true => self.foreign(),
            false if is_foreign(line) && !is_exception(line) && !is_grave(line) => self.foreign(),
            false => Step::End,
        }
    }

    /// A line of a message that has several: the first frame may come behind it.
    fn message(&mut self, line: &[u8]) -> Step {
        self.waiting += 1;
        let other = is_foreign(line) || is_exception(line) || start::by_itself(line).is_some();
        if self.waiting > MESSAGE || other { Step::End } else { Step::Perhaps }
    }

    /// The place, the line of the source, carets, and then what was thrown.
    fn node(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        if self.told {
            return match self.frames(line) {
                Step::End if text.starts_with(b"Node.js v") => Step::Take,
                step => step,
            };
        }
        self.waiting += 1;
        self.closed |= !text.is_empty() && text.iter().all(|b| *b == b'^');
        let thrown = self.closed || has!(text, b"Error") || text.starts_with(b"Uncaught");
        if self.waiting > 2 && thrown && !indented(line) && !text.is_empty() && text[0] != b'^' {
            self.braces = opens_properties(line);
            (self.told, self.closed, self.waiting) = (true, self.braces, 0);
            Step::Message
        } else if self.waiting > 5 {
            Step::End
        } else {
            Step::Perhaps
        }
    }

    fn go(&mut self, line: &[u8]) -> Step {
        if line.is_empty() {
            return Step::Perhaps;
        }
        static PARTS: Beginnings = Beginnings::of(&[
            b"goroutine ",
            b"\t",
            b"created by ",
            b"[signal ",
            b"panic: ",
            b"exit status ",
            b"runtime stack:",
            b"...",
        ]);
        // `main.(*Server).Handle(0xc000012345, {0x1, 0x2})`
        let name = &line[..memchr::memchr(b'(', line).unwrap_or(0)];
        let call = line.ends_with(b")") && name.contains(&b'.') && !name.contains(&b' ');
        let registers =
            self.closed && line.len() > 8 && line[..7].trim_ascii_end().len() <= 6 && has!(line, b"0x");
        if PARTS.begin(line) || call || registers {
            self.closed |= line.starts_with(b"goroutine ");
            Step::Take
        } else {
            Step::End
        }
    }

    fn rust(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        let noted = text.starts_with(b"note: ")
            || text.starts_with(b"stack backtrace:")
            || text.starts_with(b"fatal runtime error: ");
        if noted {
            (self.told, self.closed) = (true, true);
            return Step::Take;
        }
        if indented(line) && !text.is_empty() {
            return Step::Take;
        }
        if !self.told && !text.is_empty() {
            self.told = true;
            return Step::Message;
        }
        // The message may have more lines.
        if self.closed || text.is_empty() { Step::End } else { self.message(line) }
    }

    /// Callers, the line of the source between them, and causes that look like the first line.
    fn ruby(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii_start();
        let from = indented(line) && (text.starts_with(b"from ") || text.starts_with(b"... "));
        let cause = !indented(line) && has!(text, b":in ") && text.ends_with(b")");
        if from || cause {
            // What is below the first line of a cause is its message again.
            (self.closed, self.waiting) = (from, 0);
            return Step::Take;
        }
        // What the first line did not hold of the message, and the place in the source; of a deadlock, all threads.
        let more = !self.closed && (text.is_empty() || indented(line) || self.told);
        if more { self.message(line) } else { Step::End }
    }

    fn php(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        static PARTS: Beginnings = Beginnings::of(&[b"Stack trace:", b"[stacktrace]", b"thrown in ", b"\"}"]);
        let frame = text.strip_prefix(b"#").is_some_and(|rest| numbered(rest, b' '));
        if frame || PARTS.begin(text) {
            return Step::Take;
        }
        let next = text.starts_with(b"Next ") && has!(text, b" in ");
        let again =
            self.for_log && [&b"Fatal error: "[..], b"Parse error: "].iter().any(|b| text.starts_with(b));
        match text {
            b"" => Step::Perhaps,
            _ if again => {
                self.for_log = false;
                Step::Take
            }
            _ if next => Step::Take,
            _ => Step::End,
        }
    }

    fn take_if(belongs: bool) -> Step {
        if belongs { Step::Take } else { Step::End }
    }

    /// `Caused by:` behind an empty line makes it one; then come indented causes, and perhaps a backtrace.
    fn report(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        let heads = text == b"Caused by:" || text == b"Stack backtrace:" || text == b"Location:";
        self.told |= heads;
        match text {
            b"" => Step::Perhaps,
            _ if heads || (self.told && indented(line)) => Step::Take,
            _ => Step::End,
        }
    }

    fn sanitizer(&mut self, line: &[u8]) -> Step {
        static BEGINS: Beginnings = Beginnings::of(&[
            b"READ of ",
            b"WRITE of ",
            b"freed by ",
            b"previously ",
            b"allocated by ",
            b"0x",
            b"Direct leak",
            b"Indirect leak",
            b"SUMMARY: ",
            b"HINT: ",
            b"Address 0x",
            b"Thread T",
            b"This frame ",
            b"AddressSanitizer",
            b"Shadow ",
            b"=>",
            b"==",
            b"Previous ",
            b"Location is",
            b"Objects leaked",
            b"NOTE: ",
            b"Uninitialized ",
        ]);
        match line {
            b"" => Step::Perhaps,
            _ if indented(line) || BEGINS.begin(line) => Step::Take,
            _ => Step::End,
        }
    }

    /// A banner, `Description:` with what is wrong, and `Action:` with a line of what to do.
    fn spring(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        self.waiting += 1;
        match text {
            _ if self.waiting > MESSAGE || is_foreign(line) => Step::End,
            _ if self.closed && self.told => Step::End,
            b"" => Step::Perhaps,
            b"Description:" => {
                self.due = true;
                Step::Take
            }
            b"Action:" => {
                (self.closed, self.told) = (true, false);
                Step::Take
            }
            _ => {
                self.told = true;
                if std::mem::take(&mut self.due) { Step::Message } else { Step::Take }
            }
        }
    }

    /// What went wrong at the same place because of it, notes, and the stack.
    fn undefined(&self, line: &[u8]) -> Step {
        let same = line.strip_prefix(self.place.as_slice()).is_some_and(|rest| rest.starts_with(b": "));
        let noted = undefined_note(line) || line.starts_with(b"SUMMARY: UndefinedBehaviorSanitizer");
        Self::take_if(same || noted || (indented(line) && !line.trim_ascii().is_empty()))
    }

    /// `  what():  boom`, and sometimes that it was aborted.
    fn terminate(&mut self, line: &[u8]) -> Step {
        if line.trim_ascii_start().starts_with(b"what():") && !self.told {
            self.told = true;
            return Step::Take;
        }
        // What was thrown may say more than a line, and what handles signals may add a stack.
        Self::take_if(indented(line))
    }

    fn python_fatal(line: &[u8]) -> Step {
        let text = line.trim_ascii_start();
        static PARTS: Beginnings = Beginnings::of(&[
            b"Python runtime state",
            b"Current thread ",
            b"Thread 0x",
            b"Extension modules:",
            b"<no Python frame>",
        ]);
        let frame = text.starts_with(b"File \"") || text == b"...";
        match text {
            b"" => Step::Perhaps,
            _ if frame || PARTS.begin(text) => Step::Take,
            _ => Step::End,
        }
    }

    fn dotnet_log(&mut self, line: &[u8]) -> Step {
        if !line.starts_with(b"      ") {
            return Step::End;
        }
        let first = !self.told;
        self.told = true;
        if first { Step::Message } else { Step::Take }
    }
}

/// `    at place`, a frame of Java, .NET or Node.js.
pub(crate) fn is_frame(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.len() < line.len()
        && (text.starts_with(b"at ")
            || text.starts_with(b"--- End of ")
            // What Node.js leaves out.
            || ((text.starts_with(b"... ") || text.starts_with(b"[... ")) && has!(text, b" matching "))
            || (text.starts_with(b"... ")
                && (text.ends_with(b" more") || text.ends_with(b" common frames omitted"))))
}

/// `[Error: no such file] {`: what Node.js knows of an error comes below.
pub(crate) fn opens_properties(line: &[u8]) -> bool {
    line.ends_with(b" {") && has!(line, b"Error")
}

/// Whether a line has a beginning of its own, as loggers write it: then it is no part of what stands above.
fn is_foreign(line: &[u8]) -> bool {
    let found = prefix::read(line);
    found.is_some_and(|found| found.time.is_some() || (found.severity.is_some() && !is_exception(line)))
}

/// Whether a logger says that a line is an error or near to one.
pub(crate) fn is_grave(line: &[u8]) -> bool {
    prefix::read(line).and_then(|prefix| prefix.severity).is_some_and(|level| level >= severity::WARN)
}

/// What stands between the traces of causes.
pub(crate) fn is_joint(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.starts_with(b"Caused by: ")
        || text.starts_with(b"Suppressed: ")
        || text.starts_with(b"---> ")
        || text.starts_with(b"[cause]: ")
        || text.starts_with(b"--- End of ")
        || text.starts_with(b"[CIRCULAR REFERENCE")
}

/// `0x7ffc5c10: note: pointer points here`, above bytes of the memory and a caret.
fn undefined_note(line: &[u8]) -> bool {
    line.starts_with(b"0x") && has!(line, b": note: ")
}

fn indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Digits and then this byte.
fn numbered(text: &[u8], end: u8) -> bool {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && text.get(digits) == Some(&end)
}
