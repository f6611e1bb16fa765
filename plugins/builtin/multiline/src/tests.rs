use super::*;
use hostler_plugin::testing::{self, Event};

const PYTHON: &str = r#"Traceback (most recent call last):
  File "/app/db.py", line 10, in connect
    sock.connect(address)
ConnectionRefusedError: [Errno 111] Connection refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    main()
    ~~~~^^
RuntimeError: no database"#;

const PYTHON_GROUP: &str = r#"  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 3, in <module>
  |     raise ExceptionGroup("both", [ValueError(1), TypeError("t")])
  | ExceptionGroup: both (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: t
    +------------------------------------"#;

const JAVA: &str =
    "2026-05-01T12:30:00.123Z ERROR [main] c.e.App - java.lang.IllegalStateException: no orders
\tat com.example.Orders.load(Orders.java:42)
\tat com.example.App.main(App.java:7)
Caused by: java.sql.SQLException: refused
\tat org.postgresql.Driver.connect(Driver.java:261)
\t... 2 more
\tSuppressed: java.io.IOException: closed
\t\tat com.example.Pool.close(Pool.java:9)";

const NODE: &str = "/app/server.js:10
    throw new TypeError('boom');
    ^

TypeError: boom
    at handler (/app/server.js:10:11)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {
  code: 'E_BOOM',
  [cause]: Error: inner
      at other (/app/x.js:1:1)
}

Node.js v20.20.2";

const NODE_EMITTED: &str = "node:events:502
      throw er; // Unhandled 'error' event
      ^

Error: connect ECONNREFUSED 127.0.0.1:4
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)
Emitted 'error' event on Socket instance at:
    at emitErrorNT (node:internal/streams/destroy:169:8) {
  errno: -111
}

Node.js v20.20.2";

const NODE_MODULE: &str = "Error: Cannot find module 'express'
Require stack:
- /app/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1144:15)
    at Module._load (node:internal/modules/cjs/loader:985:27) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/server.js' ]
}";

const GO: &str = "panic: runtime error: index out of range [3] with length 2
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4]

goroutine 1 [running]:
main.(*Server).Handle(0xc000012345, {0x1, 0x2})
\t/app/main.go:12 +0x1d
main.main()
\t/app/main.go:6 +0x20
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4

goroutine 18 [chan receive]:
main.worker(...)
\t/app/worker.go:9 +0x85
exit status 2";

const RUST: &str = "thread 'main' (4242) panicked at src/main.rs:4:37:
called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound }
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:697:5
   1: app::main
             at ./src/main.rs:4:37
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.";

const RUST_ASSERT: &str = "thread 'main' panicked at src/main.rs:2:5:
assertion `left == right` failed
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";

const RUBY: &str = "app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)
\tfrom app.rb:3:in 'Object#ratio'
\tfrom app.rb:7:in '<main>'
app.rb:2:in 'Object#parse': bad input (ArgumentError)
\tfrom app.rb:7:in '<main>'";

const RUBY_HIGHLIGHT: &str = "app.rb:3:in `rescue in load': cannot load (App::Error)
\tfrom app.rb:1:in `load'
app.rb:2:in `age': undefined method `year' for nil:NilClass (NoMethodError)

    wine.year
        ^^^^^
\tfrom app.rb:1:in `load'";

const RUBY_DEADLOCK: &str = "app.rb:3:in `join': No live threads left. Deadlock? (fatal)
2 threads, 2 sleeps current:0x000055ef77f00760 main thread:0x000055ef778480f0
* #<Thread:0x00007f02e6003c60 sleep_forever>
   rb_thread_t:0x000055ef778480f0 native:0x00007f02e608d740 int:0

\tfrom app.rb:3:in `<main>'";

const UNDEFINED: &str = "main.c:10:5: runtime error: index 6 out of bounds for type 'int [4]'
main.c:10:5: runtime error: load of address 0x7ffc with insufficient space for an object of type 'int'
0x7ffc: note: pointer points here
 00 00 00 00  01 00 00 00
              ^";

const SPRING: &str =
    "2026-05-01 12:30:00.123 ERROR 12 --- [           main] o.s.b.d.LoggingFailureAnalysisReporter   :

***************************
APPLICATION FAILED TO START
***************************

Description:

Web server failed to start. Port 8080 was already in use.

Action:

Identify and stop the process that's listening on port 8080.";

const DOTNET: &str = "Unhandled exception. System.InvalidOperationException: no orders
 ---> System.Net.Sockets.SocketException (111): Connection refused
   at App.Db.Connect() in /src/Db.cs:line 12
   --- End of inner exception stack trace ---
   at App.Program.Main(String[] args) in /src/Program.cs:line 5";

const DOTNET_LOG: &str = "fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id \"0HN\", Request id \"1\": An unhandled exception was thrown.
      System.Exception: boom
         at App.Program.Main() in /src/Program.cs:line 5";

const PHP: &str = "PHP Fatal error:  Uncaught RuntimeException: boom in /app/index.php:3
Stack trace:
#0 /app/index.php(7): run()
#1 {main}

Next LogicException: outer in /app/index.php:9
Stack trace:
#0 {main}
  thrown in /app/index.php on line 9";

const LARAVEL: &str = r#"[2026-05-01 12:30:00] local.ERROR: boom {"exception":"[object] (Exception(code: 0): boom at /app/x.php:3)
[stacktrace]
#0 /app/x.php(7): run()
#1 {main}
"}"#;

const PYTHON_LOGGED: &str = "ERROR:app.orders:cannot load
Traceback (most recent call last):
  File \"/app/main.py\", line 3, in load
    raise KeyError(1)
KeyError: 1";

const JAVA_LOGGED: &str = "2026-05-01 12:30:00,123 ERROR [main] c.e.Orders - cannot place
com.example.OrderException: it was rejected
\tat com.example.Orders.place(Orders.java:42)";

const PYTHON_SYNTAX: &str = "  File \"/app/main.py\", line 3
    foo bar
        ^^^
SyntaxError: invalid syntax";

const PERL: &str = "no such order at shop.pl line 12.
\tmain::load(7) called at shop.pl line 20
\tmain::run() called at shop.pl line 31";

const REPORT: &str = "Error: cannot start

Caused by:
    0: cannot read the configuration
    1: No such file or directory (os error 2)";

const SANITIZER: &str = "=================================================================
==4242==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x1 bp 0x2 sp 0x3
READ of size 4 at 0x602000000010 thread T0
    #0 0x55d0 in use /app/main.c:12:5
    #1 0x55d1 in main /app/main.c:20:3

0x602000000010 is located 0 bytes inside of 4-byte region
freed by thread T0 here:
    #0 0x7f in free (/lib/libasan.so.8+0x1)
SUMMARY: AddressSanitizer: heap-use-after-free /app/main.c:12:5 in use
==4242==ABORTING";

const TERMINATE: &str = "terminate called after throwing an instance of 'std::runtime_error'
  what():  boom";

const PYTHON_FATAL: &str = "Fatal Python error: Segmentation fault

Current thread 0x00007f0000000000 (most recent call first):
  File \"/app/main.py\", line 3 in load
  File \"/app/main.py\", line 9 in <module>";

const ALL: &[(&str, u8, &str)] = &[
    (PYTHON_LOGGED, severity::ERROR, "KeyError: 1"),
    (JAVA_LOGGED, severity::ERROR, "[main] c.e.Orders - cannot place"),
    (PYTHON_SYNTAX, severity::ERROR, "SyntaxError: invalid syntax"),
    (PERL, severity::ERROR, "no such order at shop.pl line 12."),
    (REPORT, severity::ERROR, "Error: cannot start"),
    (TERMINATE, severity::FATAL, "terminate called after throwing an instance of 'std::runtime_error'"),
    (PYTHON_FATAL, severity::FATAL, "Fatal Python error: Segmentation fault"),
    (PYTHON, severity::ERROR, "RuntimeError: no database"),
    (JAVA, severity::ERROR, "[main] c.e.App - java.lang.IllegalStateException: no orders"),
    (NODE, severity::ERROR, "TypeError: boom"),
    (NODE_EMITTED, severity::ERROR, "Error: connect ECONNREFUSED 127.0.0.1:4"),
    (NODE_MODULE, severity::ERROR, "Error: Cannot find module 'express'"),
    (GO, severity::FATAL, "panic: runtime error: index out of range [3] with length 2"),
    (RUST, severity::ERROR, "called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound }"),
    (RUST_ASSERT, severity::ERROR, "assertion `left == right` failed"),
    (RUBY, severity::ERROR, "app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)"),
    (RUBY_HIGHLIGHT, severity::ERROR, "app.rb:3:in `rescue in load': cannot load (App::Error)"),
    (RUBY_DEADLOCK, severity::ERROR, "app.rb:3:in `join': No live threads left. Deadlock? (fatal)"),
    (UNDEFINED, severity::ERROR, "main.c:10:5: runtime error: index 6 out of bounds for type 'int [4]'"),
    (SPRING, severity::ERROR, "Web server failed to start. Port 8080 was already in use."),
    (DOTNET, severity::ERROR, "Unhandled exception. System.InvalidOperationException: no orders"),
    (
        DOTNET_LOG,
        severity::ERROR,
        "Connection id \"0HN\", Request id \"1\": An unhandled exception was thrown.",
    ),
    (PHP, severity::ERROR, "PHP Fatal error:  Uncaught RuntimeException: boom in /app/index.php:3"),
    (PYTHON_GROUP, severity::ERROR, "+ Exception Group Traceback (most recent call last):"),
];

fn lines(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

fn parse(text: &str) -> Vec<Event> {
    testing::parse(&mut Multiline, &lines(text))
}

#[test]
fn one_event_per_trace() {
    for &(trace, severity, message) in ALL {
        let events = parse(&format!("GET / 200\n{trace}\nGET /next 200\nplain"));
        assert_eq!(events.len(), 1, "{trace}\n{events:#?}");
        let event = &events[0];
        assert_eq!(event.lines, (1, lines(trace).len()), "{trace}");
        assert_eq!((event.severity, &*event.message), (severity, message), "{trace}");
    }
}

#[test]
fn a_trace_behind_a_line_of_a_logger_takes_its_time() {
    assert_eq!(parse(JAVA)[0].unix_nanos, Some(1_777_638_600_123_000_000));
    assert_eq!(parse(LARAVEL)[0].lines, (0, 4));
}

#[test]
fn a_report_of_a_sanitizer_is_one_event() {
    let events = parse(&format!("GET / 200\n{SANITIZER}\nGET /next 200"));
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].lines, events[0].severity), ((2, 11), severity::FATAL));
}

#[test]
fn a_crash_in_one_line_is_an_event() {
    for line in [
        "Segmentation fault (core dumped)",
        "free(): double free detected in tcache 2",
        "*** stack smashing detected ***: terminated",
        "shop: main.c:12: load: Assertion `n > 0' failed.",
        "app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)",
        "main.c:10:5: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'",
        "no such order at shop.pl line 12.",
        "no such order at Shop.pm line 12, <STDIN> line 3.",
        "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted in /app/x.php on line 3",
        "Fatal glibc error: malloc assertion failure in sysmalloc: (old_top == initial_top (av))",
        "shop: cannot open /etc/shop.conf: No such file or directory",
        "2026/05/01 12:30:00 main.go:7: listen tcp :80: bind: address already in use",
        "connect: Connection refused",
        "deploy.sh: line 12: TARGET: unbound variable",
        "./run.sh: line 5: 4242 Segmentation fault      (core dumped) ./shop",
        "sh: 3: terraform: not found",
        "curl: (6) Could not resolve host: shop.example",
        "src/app.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.",
        "/usr/bin/ld: main.o: undefined reference to `load'",
        "psql: error: connection to server failed: FATAL",
        "make[1]: *** [Makefile:3: all] Error 2",
        "[ 2178.021494] shop[682]: segfault at 16 ip 0000502190fad1e sp 00007ff01a1bf6a0 error 4 in shop[55d0+6000]",
        "[ 2178.021494] Out of memory: Killed process 682 (shop) total-vm:2199802kB, oom_score_adj:0",
    ] {
        let events = parse(&format!("ready\n{line}\nnext"));
        assert_eq!(events.iter().map(|event| event.lines).collect::<Vec<_>>(), [(1, 1)], "{line}");
        assert_eq!(parse(line).len(), 1, "{line}");
    }
    for line in [
        "INFO retry: connection refused",
        "time=1 level=info msg=retry reason: connection refused",
        "WARN cache: No such file or directory",
        "GET /x: 404",
        "note: cannot find it, goes on",
        "config.toml: file exists",
        "step 1: 3: done",
        "refresh: 3: done",
        "queue: (12) jobs wait",
        "values.yaml: line 3: trailing spaces",
    ] {
        assert_eq!(parse(&format!("ready\n{line}\nnext")), [], "{line}");
    }
    assert_eq!(parse("Use of uninitialized value $x in addition at x.pl line 3.\nlook at the line 5"), []);
}

#[test]
fn traces_that_follow_each_other_are_told_apart() {
    for &(trace, ..) in
        ALL.iter().filter(|(trace, ..)| ![GO, RUBY, RUBY_HIGHLIGHT, RUBY_DEADLOCK, UNDEFINED].contains(trace))
    {
        let length = lines(trace).len();
        let events = parse(&format!("{trace}\n{trace}"));
        let found: Vec<_> = events.iter().map(|event| event.lines).collect();
        assert_eq!(found, [(0, length - 1), (length, 2 * length - 1)], "{trace}");
    }
}

/// However the lines are cut into batches, the same trace comes out.
#[test]
fn a_trace_is_waited_for() {
    for &(trace, ..) in ALL {
        let all = lines(trace);
        for cut in 1..all.len() {
            let (events, pending) = testing::parse_some(&mut Multiline, &all[..cut], false);
            assert!(events.is_empty(), "cut at {cut}:\n{trace}");
            assert_eq!(pending, Some(0), "cut at {cut}:\n{trace}");
        }
    }
}

#[test]
fn lines_that_only_look_so_are_left_to_others() {
    let plain = "error: no such file
panic: no frames
at the end of the day
Error: handled
next
fail: App[1]
not indented
thread 'main' panicked at nothing
";
    assert_eq!(parse(plain), []);
}

#[test]
fn ordinary_lines_do_not_wait() {
    let (events, pending) = testing::parse_some(&mut Multiline, &["GET / 200", "ready", "GET /x 404"], false);
    assert!(events.is_empty());
    assert_eq!(pending, None);
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Multiline>();
}

#[test]
fn survives_damage() {
    let samples: Vec<&str> =
        ALL.iter().flat_map(|(trace, ..)| trace.split('\n')).filter(|line| !line.is_empty()).collect();
    testing::torture(&mut Multiline, &samples);
}
