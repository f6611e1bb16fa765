//! Which lines belong to a trace that has begun.

use crate::start::is_exception;
use memchr::memmem;

/// The kinds of traces, by how their lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Python,
    PythonGroup,
    /// Java, .NET and Node.js: frames begin with `at`.
    Frames,
    /// Node.js with the line of the source above the error.
    Node,
    Go,
    Rust,
    Ruby,
    Php,
    /// The console logger of .NET: what is indented by six spaces belongs to the line above.
    DotnetLog,
    /// Perl, as Carp writes it: callers are indented and end with `called at`.
    Perl,
    /// Rust's `Error: …` of a main function, with what caused it below.
    Report,
    /// A report of a sanitizer of C and C++.
    Sanitizer,
    /// C++: an exception that nobody caught.
    Terminate,
    /// Python at its end: threads, each with its frames.
    PythonFatal,
    /// The Java machine at its end: all lines begin with `#`.
    JavaFatal,
    /// One line that says it all.
    Crash,
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
    /// Lines since the last one that surely belongs to it.
    waiting: usize,
}

impl Trace {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, closed: false, told: false, braces: false, waiting: 0 }
    }

    /// Goes on by one line.
    pub(crate) fn step(&mut self, line: &[u8]) -> Step {
        match self.kind {
            Kind::Python => self.python(line),
            Kind::PythonGroup => Self::python_group(line),
            Kind::Frames => self.frames(line),
            Kind::Node => self.node(line),
            Kind::Go => self.go(line),
            Kind::Rust => self.rust(line),
            Kind::Ruby => self.ruby(line),
            Kind::Php => self.php(line),
            Kind::DotnetLog => self.dotnet_log(line),
            Kind::Perl => Self::take_if(indented(line) && memmem::find(line, b" called at ").is_some()),
            Kind::Report => self.report(line),
            Kind::Sanitizer => self.sanitizer(line),
            Kind::Terminate => self.terminate(line),
            Kind::PythonFatal => Self::python_fatal(line),
            Kind::JavaFatal => Self::take_if(line.starts_with(b"#")),
            Kind::Crash => Step::End,
        }
    }

    /// Frames are indented; the exception is not and closes the trace, unless it is told what it came from.
    fn python(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        if !self.closed {
            if text.is_empty() || indented(line) || text.starts_with(b"Traceback (most recent call last)") {
                return Step::Take;
            }
            self.closed = true;
            return Step::Message;
        }
        let chained = text.starts_with(b"During handling of the above exception")
            || text.starts_with(b"The above exception was the direct cause");
        if text.starts_with(b"Traceback (most recent call last)") && self.waiting > 0 {
            (self.closed, self.waiting) = (false, 0);
            Step::Take
        } else if chained || (text.is_empty() && self.waiting < 3) {
            self.waiting += 1;
            Step::Perhaps
        } else {
            Step::End
        }
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
            self.braces = line != b"}";
            return Step::Take;
        }
        if is_frame(line) || is_joint(line) {
            self.braces = is_frame(line) && text.ends_with(b" {");
            self.closed = true;
            return Step::Take;
        }
        // Node.js says which modules asked for one that is missing before the first frame.
        // What was thrown, below what the logger says of it.
        if !self.closed && self.waiting == 0 && is_exception(line) {
            self.waiting = 1;
            return Step::Perhaps;
        }
        let emitted = self.closed && text.starts_with(b"Emitted 'error' event ");
        let asked =
            emitted || text.starts_with(b"Require stack:") || (text.starts_with(b"- ") && !self.closed);
        if asked { Step::Take } else { Step::End }
    }

    fn node(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        if self.told {
            return match self.frames(line) {
                // The version stands below, behind an empty line.
                Step::End if text.starts_with(b"Node.js v") => Step::Take,
                Step::End if text.is_empty() && self.waiting == 0 => {
                    self.waiting = 1;
                    Step::Perhaps
                }
                Step::End if self.waiting == 0 && !self.closed => Step::End,
                step => step,
            };
        }
        self.waiting += 1;
        let uncaught = memmem::find(text, b"Error").is_some() || text.starts_with(b"Uncaught");
        if self.waiting > 2 && uncaught && !indented(line) {
            (self.told, self.waiting) = (true, 0);
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
        let begins: [&[u8]; 8] = [
            b"goroutine ",
            b"\t",
            b"created by ",
            b"[signal ",
            b"panic: ",
            b"exit status ",
            b"runtime stack:",
            b"...",
        ];
        let call = !line.contains(&b' ') && (line.ends_with(b")") || line.ends_with(b"(...)"));
        let method = line.ends_with(b")") && memmem::find(line, b".(*").is_some();
        let registers = self.closed
            && line.len() > 8
            && line[..7].trim_ascii_end().len() <= 6
            && memmem::find(line, b"0x").is_some();
        if begins.iter().any(|begin| line.starts_with(begin)) || call || method || registers {
            self.closed |= line.starts_with(b"goroutine ");
            Step::Take
        } else {
            Step::End
        }
    }

    fn rust(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        let noted = text.starts_with(b"note: ") || text.starts_with(b"stack backtrace:");
        if noted {
            self.told = true;
            return Step::Take;
        }
        let frame = indented(line) && (text.starts_with(b"at ") || numbered(text, b':'));
        if frame || (indented(line) && !text.is_empty()) {
            return Step::Take;
        }
        if self.told || text.is_empty() {
            return Step::End;
        }
        self.told = true;
        Step::Message
    }

    fn ruby(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii_start();
        let from = indented(line) && text.starts_with(b"from ");
        let cut = indented(line) && text.starts_with(b"... ");
        let cause = !indented(line) && memmem::find(text, b":in ").is_some() && text.ends_with(b")");
        if from || cut || cause { Step::Take } else { Step::End }
    }

    fn php(&mut self, line: &[u8]) -> Step {
        let text = line.trim_ascii();
        let begins: [&[u8]; 4] = [b"Stack trace:", b"[stacktrace]", b"thrown in ", b"\"}"];
        let frame = text.strip_prefix(b"#").is_some_and(|rest| numbered(rest, b' '));
        if frame || begins.iter().any(|begin| text.starts_with(begin)) {
            return Step::Take;
        }
        let next = text.starts_with(b"Next ") && memmem::find(text, b" in ").is_some();
        match text {
            b"" => Step::Perhaps,
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
        const BEGINS: [&[u8]; 22] = [
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
        ];
        match line {
            b"" => Step::Perhaps,
            _ if indented(line) || BEGINS.iter().any(|begin| line.starts_with(begin)) => Step::Take,
            _ => Step::End,
        }
    }

    /// `  what():  boom`, and sometimes that it was aborted.
    fn terminate(&mut self, line: &[u8]) -> Step {
        let what = !self.told && line.trim_ascii_start().starts_with(b"what():");
        self.told |= what;
        Self::take_if(what)
    }

    fn python_fatal(line: &[u8]) -> Step {
        let text = line.trim_ascii_start();
        let begins: [&[u8]; 5] = [
            b"Python runtime state",
            b"Current thread ",
            b"Thread 0x",
            b"Extension modules:",
            b"<no Python frame>",
        ];
        let frame = text.starts_with(b"File \"") || text == b"...";
        match text {
            b"" => Step::Perhaps,
            _ if frame || begins.iter().any(|begin| text.starts_with(begin)) => Step::Take,
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
            || (text.starts_with(b"... ")
                && (text.ends_with(b" more") || text.ends_with(b" common frames omitted"))))
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

fn indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Digits and then this byte.
fn numbered(text: &[u8], end: u8) -> bool {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && text.get(digits) == Some(&end)
}
