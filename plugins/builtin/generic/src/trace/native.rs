//! C and C++: reports of sanitizers, assertions, exceptions that nobody caught, and what the C library says at the end.

use super::{exception, frame, place};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let readers: [fn(&str) -> Option<Exception>; 5] = [sanitizer, undefined, assertion, terminate, abort];
    readers.iter().find_map(|read| read(text)).into_iter().collect()
}

/// `==1==ERROR: AddressSanitizer: heap-use-after-free on address …`, and the stack below it.
fn sanitizer(text: &str) -> Option<Exception> {
    let (at, head) = text.lines().enumerate().find(|(_, line)| {
        line.contains("Sanitizer: ") && (line.contains("ERROR: ") || line.contains("WARNING: "))
    })?;
    let (_, what) = head.split_once("Sanitizer: ")?;
    let kind = match what {
        _ if what.starts_with("detected memory leaks") => "memory leak",
        _ if what.starts_with("data race") => "data race",
        _ if what.starts_with("attempting double-free") => "double-free",
        _ => what.split([' ', '(', ':']).next().unwrap_or(what),
    };
    let frames = stack(text, at);
    Some(Exception { frames, ..exception(kind, what.split(" on address").next().unwrap_or(what)) })
}

/// `    #1 0x55d1 in main /app/main.c:20:3` or `    #0 worker /app/main.c:7 (app+0x123)`
fn frame_of(line: &str) -> Option<Frame> {
    let (number, rest) = line.trim_start().strip_prefix('#')?.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let rest = match rest.trim_start().split_once(" in ") {
        Some((address, rest)) if address.starts_with("0x") => rest,
        _ => rest.trim_start(),
    };
    let rest = rest.split(" (BuildId").next().unwrap_or(rest);
    // The module and the offset in it stand in parentheses, instead of the file or behind it.
    let (rest, module) = match rest.rsplit_once(" (") {
        Some((before, module)) if module.contains("+0x") => (before, module),
        _ => (rest, ""),
    };
    let (function, file) =
        match rest.rfind(" /").or_else(|| rest.rfind(' ').filter(|at| rest[*at..].contains(':'))) {
            Some(at) => (&rest[..at], rest[at + 1..].trim()),
            None => (rest, ""),
        };
    let (file, line) = place(file);
    let function = function.split('(').next().unwrap_or(function);
    Some(frame(function, file, line, is_in_app(function, file, module)))
}

fn is_in_app(function: &str, file: &str, module: &str) -> bool {
    let runtime = [
        "__",
        "_start",
        "malloc",
        "calloc",
        "realloc",
        "free",
        "operator new",
        "operator delete",
        "mem",
        "str",
        "start_thread",
        "clone",
        "std::",
        "abort",
        "raise",
        "pthread_",
        "<null>",
    ];
    let library = ["/usr/", "libsanitizer", "compiler-rt", "/sysdeps/", "/csu/", "/nptl/", "/build/"];
    let named = runtime.iter().any(|name| {
        match name.ends_with(['_', ':']) || *name == "operator new" || *name == "operator delete" {
            true => function.starts_with(name),
            false => {
                function == *name
                    || (["mem", "str"].contains(name) && function.starts_with(name) && file.is_empty())
            }
        }
    });
    let in_library = module.contains(".so") || library.iter().any(|part| file.contains(part));
    let nowhere = file.is_empty() && module.is_empty();
    !(named || in_library || nowhere)
}

/// `main.c:10:5: runtime error: signed integer overflow: …`, and the stack below it if there is one.
fn undefined(text: &str) -> Option<Exception> {
    let (at, what) = text.lines().find_map(|line| line.split_once(": runtime error: "))?;
    let (file, line) = place(at);
    line?;
    let sources = [".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".m", ".mm", ".inl", ".ipp"];
    if !sources.iter().any(|ending| file.ends_with(ending)) {
        return None;
    }
    let mut frames = stack(text, 0);
    if !frames.iter().any(|frame| frame.in_app) {
        frames.push(frame("", file, line, true));
    }
    Some(Exception { frames, ..exception("undefined-behavior", what) })
}

/// The first stack from this line on.
fn stack(text: &str, from: usize) -> Vec<Frame> {
    let below = text.lines().skip(from).skip_while(|line| frame_of(line).is_none());
    let mut frames: Vec<Frame> = below.map_while(frame_of).collect();
    frames.reverse();
    frames
}

/// ``prog: main.c:12: int load(int): Assertion `n > 0' failed.``
fn assertion(text: &str) -> Option<Exception> {
    let line = text.lines().find(|line| is_assertion(line))?;
    let (before, what) = line.split_once(": Assertion ")?;
    let at = before.match_indices(':').find_map(|(colon, _)| {
        let digits = before[colon + 1..].split(':').next()?;
        Some((colon, digits.parse::<u32>().ok()?))
    });
    let (colon, number) = at?;
    let file = before[..colon].rsplit(' ').next().unwrap_or_default();
    let function = before[colon + 1..].split_once(':').map_or("", |(_, rest)| rest.trim());
    let function = name_of(function);
    let frames = vec![frame(function, file, Some(number), is_in_app(function, file, file))];
    Some(Exception { frames, ..exception("assertion", &format!("assertion {what}")) })
}

fn is_assertion(line: &str) -> bool {
    line.trim_end().ends_with("failed.") && (line.contains(": Assertion `") || line.contains(": Assertion '"))
}

/// The name in `virtual int kiln::Oven::row(size_t) const`.
fn name_of(function: &str) -> &str {
    let function = function.split('(').next().unwrap_or(function);
    function.rsplit(' ').next().unwrap_or(function)
}

/// `terminate called after throwing an instance of 'std::runtime_error'`
fn terminate(text: &str) -> Option<Exception> {
    let line = text.lines().find(|line| line.starts_with("terminate called "))?;
    let kind = line.split('\'').nth(1).unwrap_or("terminate");
    let what = text.lines().find_map(|line| line.trim_start().strip_prefix("what():")).unwrap_or(line);
    Some(exception(kind, what))
}

/// What the C library and the shell say of a crash.
fn abort(text: &str) -> Option<Exception> {
    const ABORTS: [&str; 13] = [
        "free(): ",
        "malloc(): ",
        "realloc(): ",
        "malloc_consolidate(): ",
        "munmap_chunk(): ",
        "double free or corruption",
        "corrupted size vs. prev_size",
        "corrupted double-linked list",
        "*** stack smashing detected ***",
        "*** buffer overflow detected ***",
        "*** Error in `",
        "Fatal glibc error: ",
        "pure virtual method called",
    ];
    const SIGNALS: [(&str, &str); 7] = [
        ("Segmentation fault", "SIGSEGV"),
        ("Bus error", "SIGBUS"),
        ("Illegal instruction", "SIGILL"),
        ("Floating point exception", "SIGFPE"),
        ("Aborted", "SIGABRT"),
        ("Killed", "SIGKILL"),
        ("Trace/breakpoint trap", "SIGTRAP"),
    ];
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim();
    let line = of_shell(line).unwrap_or(line);
    let signal = SIGNALS.iter().find(|(begin, _)| line.starts_with(begin)).map(|(_, name)| *name);
    let kind = signal.or_else(|| ABORTS.iter().any(|begin| line.starts_with(begin)).then_some("abort"))?;
    Some(exception(kind, line))
}

/// What a shell says of a program behind `run.sh: line 5: 4242 `.
fn of_shell(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(": line ")?;
    let (number, rest) = rest.split_once(": ")?;
    let (process, rest) = rest.trim_start().split_once(' ')?;
    let numbers = [number, process].iter().all(|text| text.bytes().all(|b| b.is_ascii_digit()));
    numbers.then(|| rest.trim_start())
}
