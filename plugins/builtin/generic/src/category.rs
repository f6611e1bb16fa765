//! What kinds of exceptions and words of messages tell about the category.

use hostler_plugin::Exception;

/// Signs of a category.
struct Signs {
    category: &'static str,
    /// Ends of the kinds of exceptions.
    kinds: &'static [&'static str],
    /// Parts of messages, in lower case.
    words: &'static [&'static str],
}

/// In the order in which they are tried: what is more telling comes first.
#[rustfmt::skip] // One word a line would be a book.
const SIGNS: &[Signs] = &[
    Signs {
        category: "out-of-memory",
        kinds: &["MemoryError", "OutOfMemoryError", "OutOfMemoryException", "NoMemoryError"],
        words: &[
            "out of memory", "heap out of memory", "cannot allocate memory", "java heap space", "oom-kill",
            "oomkilled", "allowed memory size of", "gc overhead limit", "memory allocation of", "enomem",
            "std::bad_alloc",
        ],
    },
    Signs {
        category: "resource-exhaustion",
        kinds: &["StackOverflowError", "RecursionError", "SystemStackError", "StackOverflowException"],
        words: &[
            "too many open files", "emfile", "enfile", "no space left on device", "enospc", "disk full",
            "disk quota", "stack overflow", "maximum call stack", "maximum recursion depth",
            "too many clients", "remaining connection slots", "too many connections", "connection pool",
            "rate limit", "too many requests", "resource temporarily unavailable",
            "unable to create new native thread", "queue full", "rust_min_stack", "has overflowed its stack",
        ],
    },
    Signs {
        category: "database",
        kinds: &[
            "OperationalError", "ProgrammingError", "IntegrityError", "InterfaceError", "SQLException",
            "SQLSyntaxErrorException", "SequelizeDatabaseError", "SequelizeConnectionError", "PDOException",
            "MongoServerError", "MongoNetworkError", "PrismaClientKnownRequestError", "QueryFailedError",
            "SqlException", "PG::Error", "PG::ConnectionBad", "ActiveRecord::StatementInvalid",
            "ActiveRecord::RecordNotUnique", "DatabaseError", "DataAccessException", "QueryException",
            "RedisError", "NpgsqlException", "PrismaClientInitializationError", "HibernateException",
        ],
        words: &[
            "sqlstate", "syntax error at or near", "duplicate key", "unique constraint",
            "foreign key constraint", "no such table", "relation \"", "database is locked",
            "database system is", "er_access_denied", "ora-0", "deadlock detected", "mongoservererror",
            "sqlite_", "could not connect to server", "database connection", "violates not-null", "prisma",
        ],
    },
    Signs {
        category: "concurrency",
        kinds: &["ConcurrentModificationException", "DeadlockError", "LockError", "ThreadError", "BrokenBarrierError", "data race"],
        words: &["deadlock", "all goroutines are asleep", "concurrent map", "data race", "poisonerror", "already borrowed", "already mutably borrowed"],
    },
    Signs {
        category: "memory-safety",
        kinds: &[
            "heap-use-after-free", "heap-buffer-overflow", "stack-buffer-overflow", "global-buffer-overflow", "stack-use-after-return",
            "stack-use-after-scope", "double-free", "memory leak", "use-of-uninitialized-value", "undefined-behavior",
            "alloc-dealloc-mismatch", "container-overflow", "AccessViolationException",
        ],
        words: &[
            "double free", "invalid pointer", "stack smashing", "buffer overflow detected", "corrupted size vs", "corrupted top size",
            "invalid next size", "corrupted double-linked", "corrupted unsorted chunks", "use-after-free", "unaligned tcache chunk",
        ],
    },
    Signs {
        category: "timeout",
        kinds: &[
            "TimeoutError", "TimeoutException", "ReadTimeout", "ConnectTimeout", "Timeout::Error",
            "SocketTimeoutException", "Net::ReadTimeout", "Net::OpenTimeout", "DeadlineExceeded",
            "ETIMEDOUT", "TaskCanceledException",
        ],
        words: &[
            "timed out", "timeout", "deadline exceeded", "etimedout", "esockettimedout", "time-out",
            "took too long",
        ],
    },
    Signs {
        category: "auth",
        kinds: &[
            "AuthenticationError", "AuthenticationException", "JsonWebTokenError", "TokenExpiredError",
            "Unauthorized", "InvalidTokenError", "ExpiredSignatureError", "AccessDeniedException",
            "UnauthorizedError", "AuthError",
        ],
        words: &[
            "authentication failed", "unauthorized", "invalid token", "jwt expired", "invalid credentials",
            "401 ", "login failed", "noauth", "invalid api key", "access token", "password authentication",
        ],
    },
    Signs {
        category: "network",
        kinds: &[
            "ConnectionRefusedError", "ConnectionResetError", "ConnectionError", "ConnectException",
            "SocketException", "UnknownHostException", "gaierror", "BrokenPipeError", "HttpRequestException",
            "Errno::ECONNREFUSED", "SSLError", "SSLHandshakeException", "NewConnectionError", "EOFException",
            "FetchError", "AxiosError", "ConnectionAbortedError", "NoRouteToHostException", "WebException",
            "URLError",
        ],
        words: &[
            "econnrefused", "econnreset", "enotfound", "ehostunreach", "enetunreach", "epipe", "eai_again",
            "eaddrinuse", "connection refused", "connection reset", "no such host",
            "name or service not known", "broken pipe", "address already in use", "network is unreachable",
            "no route to host", "lost the connection", "lost connection", "connection lost", "failed to connect", "cannot connect", "unable to connect", "could not resolve", "dial tcp", "socket hang up", "getaddrinfo",
            "certificate", "tls handshake", "ssl handshake", "fetch failed", "dns", "connection closed",
            "unexpected eof",
        ],
    },
    Signs {
        category: "permission",
        kinds: &[
            "PermissionError", "SecurityException", "UnauthorizedAccessException", "Errno::EACCES",
            "Forbidden",
        ],
        words: &[
            "permission denied", "eacces", "eperm", "operation not permitted", "access denied",
            "access is denied", "forbidden", "insufficient privileges", "403 ",
        ],
    },
    Signs {
        category: "dependency",
        kinds: &[
            "ModuleNotFoundError", "ImportError", "ClassNotFoundException", "NoClassDefFoundError",
            "LoadError", "NoSuchMethodError", "UnsatisfiedLinkError", "DllNotFoundException",
            "Gem::LoadError", "Bundler::GemNotFound", "BeanCreationException",
            "UnsatisfiedDependencyException", "PackageNotFoundError", "VersionConflict",
        ],
        words: &[
            "cannot find module", "module not found", "no module named", "cannot find package",
            "err_module_not_found", "could not find gem", "cannot find crate", "unresolved import",
            "cannot open shared object file", "could not load file or assembly",
            "could not resolve dependencies", "peer dep", "eresolve", "class not found", "can't resolve",
            "command not found", "no required module provides",
        ],
    },
    Signs {
        category: "syntax",
        kinds: &[
            "SyntaxError", "IndentationError", "TabError", "ParseError", "JSONDecodeError",
            "JsonParseException", "JsonException", "YAMLException", "ScannerError", "TomlDecodeError",
            "ParserError", "JsonProcessingException", "Psych::SyntaxError",
        ],
        words: &[
            "syntax error", "unexpected token", "unexpected end of", "unexpected identifier", "parse error",
            "invalid syntax", "unterminated string", "error: expected", "expected one of",
            "mismatched types", "error[e0", "error ts",
        ],
    },
    Signs {
        category: "file-system",
        kinds: &[
            "FileNotFoundError", "FileNotFoundException", "NoSuchFileException", "IsADirectoryError",
            "NotADirectoryError", "FileExistsError", "Errno::ENOENT", "DirectoryNotFoundException",
            "IOError", "FileSystemException",
        ],
        words: &[
            "no such file or directory", "enoent", "eexist", "enotdir", "eisdir", "file not found",
            "not a directory", "is a directory", "read-only file system", "erofs", "os { code: 2",
            "failed to open stream", "input/output error", "stale file handle",
        ],
    },
    Signs {
        category: "configuration",
        kinds: &[
            "ImproperlyConfigured", "ConfigurationError", "ConfigError", "InvalidConfiguration",
            "ValidationError", "ConfigurationException", "NoSuchBeanDefinitionException",
            "KeyError: 'DATABASE_URL'", "OptionsValidationException",
        ],
        words: &[
            "environment variable", "missing required", "invalid configuration", "configuration error",
            "config file", "is not set", "is not configured", "unknown option", "invalid option",
            "unrecognized argument", "unexpected argument", "invalid value for", "missing env",
            "must be set", "bad configuration", "not configured",
        ],
    },
    Signs {
        category: "assertion",
        kinds: &[
            "AssertionError", "AssertionFailedError", "AssertionException", "ExpectationNotMetError",
            "AssertionErr",
        ],
        words: &[
            "assertion failed", "assertion `", "assertion \"", "assert failed", "expected:",
            "assertionerror",
        ],
    },
    Signs {
        category: "http-5xx",
        kinds: &[
            "HTTPServerError", "InternalServerError", "ServiceUnavailable", "BadGateway",
            "HttpServerErrorException",
        ],
        words: &[
            "internal server error", "bad gateway", "service unavailable", "gateway time-out",
            "status code 500", "status code 502", "status code 503", "status=500", "status=502",
            "status=503", "http 500", "http 502", "http 503", "\" 500 ", "\" 502 ", "\" 503 ", "\" 504 ",
            "status 500", "status 502", "status 503",
        ],
    },
    Signs {
        category: "panic",
        kinds: &["panic", "fatal error", "SIGSEGV"],
        words: &[
            "panicked at", "panic:", "segmentation fault", "sigsegv", "sigabrt", "core dumped",
            "fatal error:", "nil pointer dereference", "bus error",
            "illegal instruction",
        ],
    },
];

/// Faults of the program itself, by kinds of exceptions only: looked for when nothing else is found.
#[rustfmt::skip]
const BUGS: &[Signs] = &[
    Signs {
        category: "null-reference",
        kinds: &["NullPointerException", "NullReferenceException", "KotlinNullPointerException", "UninitializedPropertyAccessException"],
        words: &[
            "'nonetype'", "of undefined", "of null", "undefined method", "for nil", "on null", "nil pointer", "on an undefined value", "`none` value", "null value",
        ],
    },
    Signs {
        category: "arithmetic",
        kinds: &["ZeroDivisionError", "ArithmeticException", "DivideByZeroException", "DivisionByZeroError", "OverflowError", "FloatingPointError", "FloatDomainError", "OverflowException", "SIGFPE"],
        words: &["divide by zero", "division by zero", "divided by 0", "/ by zero", "integer overflow", "with overflow", "floating point exception"],
    },
    Signs {
        category: "out-of-bounds",
        kinds: &["IndexError", "IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException", "StringIndexOutOfBoundsException", "IndexOutOfRangeException", "NegativeArraySizeException", "BoundsError"],
        words: &["index out of", "out of bounds", "out of range", "index outside", "byte index"],
    },
    Signs {
        category: "missing-key",
        kinds: &["KeyError", "KeyNotFoundException", "NoSuchElementException", "StopIteration", "LookupError"],
        words: &["key not found", "no value present", "undefined array key", "undefined index", "no such key"],
    },
    Signs {
        category: "encoding",
        kinds: &["UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError", "MalformedInputException", "EncodingError", "InvalidByteSequenceError", "UndefinedConversionError", "CompatibilityError"],
        words: &["invalid utf-8", "malformed utf-8", "wide character", "invalid byte sequence", "incompatible character encodings", "utf8error"],
    },
    Signs {
        category: "type",
        kinds: &["TypeError", "ClassCastException", "InvalidCastException", "ArrayStoreException", "IncompatibleClassChangeError", "AttributeError", "NoMethodError", "NameError", "ReferenceError", "UnboundLocalError"],
        words: &["cannot be cast", "is not a function", "is not defined", "is not iterable", "interface conversion", "mismatched types", "can't locate object method", "not a hash reference", "not an array reference", "undefined subroutine"],
    },
    Signs {
        category: "invalid-value",
        kinds: &["ValueError", "IllegalArgumentException", "NumberFormatException", "ArgumentException", "ArgumentNullException", "ArgumentOutOfRangeException", "FormatException", "ArgumentError", "RangeError", "InvalidArgumentException", "DateTimeParseException", "InvalidOperation", "URIError", "ParseIntError"],
        words: &["invalid literal", "invalid argument", "invalid digit", "parseinterror", "parsefloaterror", "isn't numeric", "invalid value", "invalid array length"],
    },
    Signs {
        category: "invalid-state",
        kinds: &["IllegalStateException", "InvalidOperationException", "UnsupportedOperationException", "NotImplementedError", "NotImplementedException", "NotSupportedException", "ObjectDisposedException", "FrozenError"],
        words: &["invalid state", "not implemented", "not yet implemented", "illegal state", "unreachable code"],
    },
];

/// Categories of which a message says so for certain, whatever the kind.
const STRONG: [&str; 4] = ["out-of-memory", "resource-exhaustion", "database", "configuration"];

/// The category of an error and how sure it is, percent. The cause tells more than what it led to, a kind more than a
/// message, and a message more than the rest of the text.
pub(crate) fn of(text: &str, exceptions: &[Exception]) -> (&'static str, u8) {
    let causes_first = || exceptions.iter().rev();
    let kind = |signs: &'static [Signs]| causes_first().find_map(|exception| by_kind(signs, &exception.kind));
    let message =
        |signs: &'static [Signs]| causes_first().find_map(|exception| by_words(signs, &exception.message));
    let of_kind = kind(SIGNS);
    if let Some(category) = of_kind.filter(|category| *category != "panic") {
        return (category, 95);
    }
    // What a kind says of the program comes before what its message seems to say of the world.
    let bug = kind(BUGS);
    if let Some(category) = message(SIGNS).filter(|category| bug.is_none() || STRONG.contains(category)) {
        return (category, 80);
    }
    if let Some(category) = message(BUGS).filter(|_| of_kind.is_none()) {
        return (category, 75);
    }
    if let Some(category) = bug.or(of_kind) {
        return (category, 70);
    }
    // Frames name functions and files: only what stands around them is a message.
    if exceptions.is_empty()
        && let Some(category) = by_words(SIGNS, text).or_else(|| by_words(BUGS, text))
    {
        return (category, 60);
    }
    ("unknown", if exceptions.is_empty() { 10 } else { 30 })
}

fn by_kind(signs: &'static [Signs], kind: &str) -> Option<&'static str> {
    let kind = kind.split(' ').next().filter(|word| word.contains(['.', ':'])).unwrap_or(kind);
    let ends = |end: &&str| {
        kind.strip_suffix(*end)
            .is_some_and(|rest| !rest.ends_with(|c: char| c.is_ascii_lowercase()) || rest.is_empty())
    };
    let found = signs.iter().find(|signs| !kind.is_empty() && signs.kinds.iter().any(&ends));
    found.map(|signs| signs.category)
}

fn by_words(signs: &'static [Signs], message: &str) -> Option<&'static str> {
    let lower = message.to_ascii_lowercase();
    signs.iter().find(|signs| signs.words.iter().any(|word| lower.contains(word))).map(|signs| signs.category)
}
