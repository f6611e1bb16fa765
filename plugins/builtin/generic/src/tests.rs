use super::*;
use hostler_plugin::testing;

fn verdict(text: &str) -> Verdict {
    Generic.categorize(text).unwrap()
}

/// Each exception: kind, message, functions of its frames with a star at those of libraries.
fn shape(text: &str) -> Vec<(String, String, Vec<String>)> {
    let functions = |exception: &Exception| {
        let name = |frame: &hostler_plugin::Frame| {
            let star = if frame.in_app { "" } else { "*" };
            let line = frame.line.map_or(String::new(), |line| format!(":{line}"));
            format!("{star}{}@{}{line}", frame.function, frame.file)
        };
        exception.frames.iter().map(name).collect()
    };
    verdict(text).exceptions.iter().map(|e| (e.kind.clone(), e.message.clone(), functions(e))).collect()
}

fn exception(kind: &str, message: &str, frames: &[&str]) -> (String, String, Vec<String>) {
    (kind.to_owned(), message.to_owned(), frames.iter().map(|&frame| frame.to_owned()).collect())
}

const PYTHON: &str = r#"Traceback (most recent call last):
  File "/usr/lib/python3.12/socket.py", line 10, in create_connection
    sock.connect(address)
ConnectionRefusedError: [Errno 111] Connection refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    main()
  File "/app/main.py", line 9, in main
    raise RuntimeError("no database")
RuntimeError: no database"#;

const JAVA: &str = "2026-05-01 12:30:00 ERROR [main] c.e.App - java.lang.IllegalStateException: no orders
\tat com.example.Orders.load(Orders.java:42)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.sql.SQLException: refused
\tat org.postgresql.Driver.connect(Driver.java:261)
\t... 2 more";

const NODE: &str = "/app/server.js:10
    throw new TypeError('boom');
    ^

TypeError: boom
    at Server.handler (/app/server.js:10:11)
    at /app/node_modules/express/index.js:3:4
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)";

const GO: &str = "panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4]

goroutine 1 [running]:
main.(*Server).Handle(0xc000012345, {0x1, 0x2})
\t/app/main.go:12 +0x1d
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4
exit status 2";

const RUST: &str = "thread 'main' (4242) panicked at src/main.rs:4:37:
called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: \"No such file or directory\" }
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:697:5
   1: app::load::h0123456789abcdef
             at ./src/main.rs:4:37
note: Some details are omitted.";

const RUBY: &str = "app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)
\tfrom app.rb:3:in 'Object#ratio'
\tfrom /usr/lib/ruby/gems/rack.rb:7:in 'call'";

const DOTNET: &str = "Unhandled exception. System.InvalidOperationException: no orders
 ---> System.Net.Sockets.SocketException (111): Connection refused
   at App.Db.Connect() in /src/Db.cs:line 12
   --- End of inner exception stack trace ---
   at App.Program.Main(String[] args) in /src/Program.cs:line 5";

const PHP: &str =
    "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/db.php:3
Stack trace:
#0 /app/vendor/orm.php(7): connect('x')
#1 /app/index.php(2): run()
#2 {main}
  thrown in /app/db.php on line 3";

#[test]
fn reads_exceptions_and_frames() {
    assert_eq!(
        shape(PYTHON),
        [
            exception("RuntimeError", "no database", &["<module>@/app/main.py:3", "main@/app/main.py:9"]),
            exception(
                "ConnectionRefusedError",
                "[Errno 111] Connection refused",
                &["*create_connection@/usr/lib/python3.12/socket.py:10"]
            ),
        ]
    );
    assert_eq!(
        shape(JAVA),
        [
            exception(
                "java.lang.IllegalStateException",
                "no orders",
                &[
                    "*java.base/java.lang.Thread.run@Thread.java:840",
                    "com.example.Orders.load@Orders.java:42"
                ]
            ),
            exception(
                "java.sql.SQLException",
                "refused",
                &["*org.postgresql.Driver.connect@Driver.java:261"]
            ),
        ]
    );
    assert_eq!(
        shape(NODE),
        [exception(
            "TypeError",
            "boom",
            &[
                "*process.processTicksAndRejections@node:internal/process/task_queues:95",
                "*@/app/node_modules/express/index.js:3",
                "Server.handler@/app/server.js:10"
            ]
        )]
    );
    assert_eq!(
        shape(GO),
        [exception(
            "panic",
            "runtime error: invalid memory address or nil pointer dereference",
            &[
                "*net/http.(*Server).Serve@/usr/local/go/src/net/http/server.go:3285",
                "main.(*Server).Handle@/app/main.go:12"
            ]
        )]
    );
    assert_eq!(
        shape(RUST)[0].2,
        ["app::load@./src/main.rs:4", "*rust_begin_unwind@/rustc/abc/library/std/src/panicking.rs:697"]
    );
    assert_eq!(
        shape(RUBY),
        [exception(
            "ZeroDivisionError",
            "divided by 0",
            &["*call@/usr/lib/ruby/gems/rack.rb:7", "Object#ratio@app.rb:3", "*Integer#/@app.rb:3"]
        )]
    );
    assert_eq!(
        shape(DOTNET),
        [
            exception(
                "System.InvalidOperationException",
                "no orders",
                &["App.Program.Main@/src/Program.cs:5"]
            ),
            exception(
                "System.Net.Sockets.SocketException (111)",
                "Connection refused",
                &["App.Db.Connect@/src/Db.cs:12"]
            ),
        ]
    );
    assert_eq!(
        shape(PHP),
        [exception(
            "PDOException",
            "SQLSTATE[HY000] [2002] Connection refused",
            &["{main}@", "run@/app/index.php:2", "*connect@/app/vendor/orm.php:7", "@/app/db.php:3"]
        )]
    );
}

const KOTLIN: &str = "Exception in thread \"DefaultDispatcher-worker-1\" io.ferry.BoardingException: cannot read the list of ana
\tat io.ferry.FerryKt.main(Ferry.kt:75)
\tat io.ferry.FerryKt$main$1.invoke(Ferry.kt:59)
\tat io.ferry.Harbour$Companion.toll(Ferry.kt:38)
\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(ContinuationImpl.kt:33)
\tat kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:106)
\tSuppressed: kotlinx.coroutines.DiagnosticCoroutineContextException: [StandaloneCoroutine{Cancelling}@1]
Caused by: kotlin.KotlinNullPointerException
\tat io.ferry.Harbour.guide(Ferry.kt:34)
\t... 3 more";

const TYPESCRIPT: &str = "/srv/app/src/depot.ts:40
    this.shelfOf(parcel).push(parcel);
                        ^

TypeError: Cannot read properties of undefined (reading 'push')
    at Depot.put (/srv/app/src/depot.ts:40:25)
    at <anonymous> (/srv/app/src/depot.ts:72:42)
    at async Promise.all (index 0)
    at async handle (webpack-internal:///(rsc)/./src/routes/parcels.ts:12:7)
    at Layer.handle (/srv/app/node_modules/express/lib/router/layer.js:95:5)
    at Module._compile (node:internal/modules/cjs/loader:1521:14) {
  [cause]: DeliveryFailed: parcel 22 was not delivered
      at Courier.deliver (file:///srv/app/src/courier.ts:9:11)
}";

#[test]
fn reads_kotlin() {
    assert_eq!(
        shape(KOTLIN),
        [
            exception(
                "io.ferry.BoardingException",
                "cannot read the list of ana",
                &[
                    "*kotlinx.coroutines.DispatchedTask.run@DispatchedTask.kt:106",
                    "*kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith@ContinuationImpl.kt:33",
                    "io.ferry.Harbour$Companion.toll@Ferry.kt:38",
                    "io.ferry.FerryKt$main$1.invoke@Ferry.kt:59",
                    "io.ferry.FerryKt.main@Ferry.kt:75",
                ]
            ),
            exception("kotlin.KotlinNullPointerException", "", &["io.ferry.Harbour.guide@Ferry.kt:34"]),
        ]
    );
    for (text, category) in [
        (KOTLIN, "null-reference"),
        (
            "kotlin.UninitializedPropertyAccessException: lateinit property pilot has not been initialized\n\tat a.B.c(B.kt:1)",
            "null-reference",
        ),
        (
            "kotlin.NotImplementedError: An operation is not implemented: refunds\n\tat a.BKt.main(B.kt:1)",
            "invalid-state",
        ),
        (
            "java.util.NoSuchElementException: Key 7 is missing in the map.\n\tat a.BKt.main(B.kt:1)",
            "missing-key",
        ),
        (
            "kotlinx.coroutines.TimeoutCancellationException: Timed out waiting for 500 ms\n\tat a.BKt.main(B.kt:1)",
            "timeout",
        ),
        ("kotlin.NoWhenBranchMatchedException\n\tat a.BKt.main(B.kt:1)", "invalid-value"),
    ] {
        assert_eq!(verdict(text).category, category, "{text}");
    }
}

#[test]
fn reads_typescript() {
    assert_eq!(
        shape(TYPESCRIPT),
        [
            exception(
                "TypeError",
                "Cannot read properties of undefined (reading 'push')",
                &[
                    "*Module._compile@node:internal/modules/cjs/loader:1521",
                    "*Layer.handle@/srv/app/node_modules/express/lib/router/layer.js:95",
                    "handle@webpack-internal:///(rsc)/./src/routes/parcels.ts:12",
                    "*Promise.all@",
                    "<anonymous>@/srv/app/src/depot.ts:72",
                    "Depot.put@/srv/app/src/depot.ts:40",
                ]
            ),
            exception(
                "DeliveryFailed",
                "parcel 22 was not delivered",
                &["Courier.deliver@file:///srv/app/src/courier.ts:9"]
            ),
        ]
    );
    let verdict = verdict(TYPESCRIPT);
    assert_eq!(
        (verdict.category.as_str(), verdict.title.as_str()),
        ("null-reference", "TypeError: Cannot read properties of undefined (reading 'push')")
    );
    let compiler = "src/depot.ts(40,5): error TS2322: Type 'string' is not assignable to type 'number'.";
    assert_eq!(Generic.categorize(compiler).unwrap().category, "syntax");
}

#[test]
fn reads_why_spring_did_not_start() {
    let text = "ERROR 12 --- [main] o.s.b.d.LoggingFailureAnalysisReporter :\n\n***\nAPPLICATION FAILED TO START\n***\n\nDescription:\n\nPort 8080 was already in use.\n\nAction:\n\nStop it.";
    assert_eq!(shape(text), [exception("APPLICATION FAILED TO START", "Port 8080 was already in use.", &[])]);
    assert_eq!(verdict(text).category, "network");
}

#[test]
fn a_cause_and_a_compound_kind_tell_the_category() {
    for (text, category) in [
        (
            "TypeError: fetch failed\n    at f (/app/a.js:1:2) {\n  [cause]: Error: getaddrinfo ENOTFOUND db\n      at g (node:dns:1:2)\n}",
            "network",
        ),
        ("TypeError: Cannot read properties of null\n    at f (/app/a.js:1:2)", "null-reference"),
        ("app.InvoiceValidationError: no amount\n  at App.Run() in /app/a.cs:line 3", "invalid-value"),
        ("AxiosError: timeout of 30ms exceeded\n    at f (/app/a.js:1:2)", "timeout"),
        ("AxiosError: Request failed with status code 503\n    at f (/app/a.js:1:2)", "http-5xx"),
        ("HTTP GET /x responded 500 in 3 ms", "http-5xx"),
        ("request failed: 500 Internal Server Error", "http-5xx"),
        ("took 500 ms", "unknown"),
    ] {
        assert_eq!(verdict(text).category, category, "{text}");
    }
}

/// What the C library, the kernel and the shell say when a program is ended.
#[test]
fn reads_aborts_and_core_dumps() {
    for text in [
        "free(): invalid pointer",
        "free(): double free detected in tcache 2",
        "malloc(): corrupted top size",
        "realloc(): invalid next size",
        "munmap_chunk(): invalid pointer",
        "double free or corruption (!prev)",
        "corrupted size vs. prev_size while consolidating",
        "*** stack smashing detected ***: terminated",
        "*** buffer overflow detected ***: terminated",
        "Fatal glibc error: malloc assertion failure in sysmalloc: (old_top == initial_top (av))",
        "Segmentation fault (core dumped)",
        "Bus error (core dumped)",
        "./run.sh: line 5: 4242 Segmentation fault      (core dumped) ./shop",
        "[ 2178.021494] shop[682]: segfault at 16 ip 0000502190fad1e sp 00007ff01a1bf6a0 error 4 in shop[55d0c0e00000+6000]",
    ] {
        assert_eq!(verdict(text).category, "memory-safety", "{text}");
    }
    for (text, category) in [
        ("Floating point exception (core dumped)", "arithmetic"),
        ("./run.sh: line 5: 4242 Floating point exception(core dumped) ./shop", "arithmetic"),
        ("[ 2178.021494] Out of memory: Killed process 682 (shop) total-vm:2199802kB", "out-of-memory"),
        ("shop: main.c:12: int load(int): Assertion `n > 0' failed.\nAborted (core dumped)", "assertion"),
        ("Illegal instruction (core dumped)", "crash"),
        ("Aborted (core dumped)", "crash"),
        ("./run.sh: line 5: 4242 Killed                  ./shop", "crash"),
    ] {
        assert_eq!(verdict(text).category, category, "{text}");
    }
    assert_eq!(shape("free(): invalid pointer"), [exception("abort", "free(): invalid pointer", &[])]);
    assert_eq!(
        shape("Segmentation fault (core dumped)"),
        [exception("SIGSEGV", "Segmentation fault (core dumped)", &[])]
    );
}

const SANITIZER: &str =
    "==42==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x1
READ of size 4 at 0x602000000010 thread T0
    #0 0x55d0 in use(int*) /app/main.c:12:5
    #1 0x55d1 in main /app/main.c:20:3
    #2 0x7f in __libc_start_main (/lib/x86_64-linux-gnu/libc.so.6+0x27d67)

freed by thread T0 here:
    #0 0x7f in free (/lib/libasan.so.8+0x1)
SUMMARY: AddressSanitizer: heap-use-after-free /app/main.c:12:5 in use";

#[test]
fn reads_what_c_and_perl_say() {
    assert_eq!(
        shape(SANITIZER),
        [exception(
            "heap-use-after-free",
            "heap-use-after-free",
            &["*__libc_start_main@", "main@/app/main.c:20", "use@/app/main.c:12"]
        )]
    );
    assert_eq!(
        shape("shop: main.c:12: int load(int): Assertion `n > 0' failed."),
        [exception("assertion", "assertion `n > 0' failed.", &["load@main.c:12"])]
    );
    assert_eq!(
        shape("terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom"),
        [exception("std::runtime_error", "boom", &[])]
    );
    assert_eq!(
        shape("no such order at shop.pl line 12.\n\tmain::load(7) called at shop.pl line 20"),
        [exception("die", "no such order", &["main::load@shop.pl:20"])]
    );
    assert_eq!(
        shape("no such order at shop.pl line 12, <STDIN> line 3."),
        [exception("die", "no such order", &["@shop.pl:12"])]
    );
}

#[test]
fn reads_what_comes_without_a_traceback() {
    assert_eq!(
        shape("  File \"/app/main.py\", line 3\n    foo bar\n        ^^^\nSyntaxError: invalid syntax"),
        [exception("SyntaxError", "invalid syntax", &["@/app/main.py:3"])]
    );
    assert_eq!(
        shape(
            "Fatal Python error: Aborted\n\nCurrent thread 0x00007f (most recent call first):\n  File \"/app/m.py\", line 3 in load\n  File \"/app/m.py\", line 9 in <module>"
        ),
        [exception("fatal error", "Aborted", &["<module>@/app/m.py:9", "load@/app/m.py:3"])]
    );
    assert_eq!(
        shape("PHP Fatal error:  Allowed memory size of 1 bytes exhausted in /app/x.php on line 3"),
        [exception("Fatal error", "Allowed memory size of 1 bytes exhausted", &["@/app/x.php:3"])]
    );
}

#[test]
fn finds_the_category() {
    let cases = [
        (PYTHON, "network"),
        (JAVA, "database"),
        (NODE, "type"),
        (GO, "panic"),
        (RUST, "file-system"),
        (RUBY, "arithmetic"),
        (DOTNET, "network"),
        (PHP, "database"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "network"),
        ("Error: connect ECONNREFUSED 127.0.0.1:5432", "network"),
        ("FATAL:  password authentication failed for user \"ann\"", "auth"),
        (
            "<--- Last few GCs ---> FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            "out-of-memory",
        ),
        ("java.lang.OutOfMemoryError: Java heap space", "out-of-memory"),
        (
            "requests.exceptions.ReadTimeout: HTTPConnectionPool(host='x', port=80): Read timed out.",
            "timeout",
        ),
        ("context deadline exceeded", "timeout"),
        ("ModuleNotFoundError: No module named 'flask'", "dependency"),
        ("Error: Cannot find module 'express'", "dependency"),
        ("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "permission"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'x.toml'", "file-system"),
        ("SyntaxError: Unexpected token '}' in JSON", "syntax"),
        ("AssertionError: expected 1 to equal 2", "assertion"),
        ("thread 'main' panicked at src/main.rs:2:5:\nassertion `left == right` failed", "assertion"),
        ("open /var/log/x: too many open files", "resource-exhaustion"),
        ("ERROR: DATABASE_URL is not set", "configuration"),
        ("10.0.0.1 - - [x] \"GET / HTTP/1.1\" 502 12", "http-5xx"),
        ("Segmentation fault (core dumped)", "memory-safety"),
        ("sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) could not connect", "database"),
        ("something odd happened", "unknown"),
        ("java.lang.NullPointerException: Cannot invoke \"String.length()\"", "null-reference"),
        ("KeyError: 'user'", "missing-key"),
        ("IndexError: list index out of range", "out-of-bounds"),
        ("ValueError: invalid literal for int() with base 10: 'x'", "invalid-value"),
        ("fatal error: all goroutines are asleep - deadlock!", "concurrency"),
        ("free(): double free detected in tcache 2", "memory-safety"),
        (SANITIZER, "memory-safety"),
    ];
    for (text, category) in cases {
        assert_eq!(verdict(text).category, category, "{text}");
    }
}

#[test]
fn has_a_title_and_says_what_to_try() {
    let title = |text| verdict(text).title;
    assert_eq!(title(PYTHON), "RuntimeError: no database");
    assert_eq!(title("2026-05-01 12:30:00 ERROR [db] lost\nmore"), "[db] lost");
    assert_eq!(title(&format!("ValueError: {}", "x".repeat(500))).chars().count(), 161);
    let suggestion = |text| verdict(text).suggestion.unwrap_or_default();
    assert!(suggestion("Error: connect ECONNREFUSED 127.0.0.1:5432").contains("127.0.0.1:5432"));
    assert!(suggestion("ModuleNotFoundError: No module named 'yaml.x'").contains("`yaml`"));
    assert!(suggestion("ERROR: DATABASE_URL is not set").contains("DATABASE_URL"));
    assert!(suggestion("Error: listen EADDRINUSE: address already in use :::3000").contains("port"));
}

#[test]
fn an_empty_text_is_left_to_others() {
    assert!(Generic.categorize(" \n").is_none());
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Generic>();
}

#[test]
fn survives_damage() {
    for text in testing::damaged_texts(&[PYTHON, JAVA, NODE, GO, RUST, RUBY, DOTNET, PHP]) {
        Generic.categorize(&text);
    }
}
