//! The signs of each category: what kinds of exceptions and words of messages tell.

/// Signs of a category.
pub(super) struct Signs {
    pub(super) category: &'static str,
    /// Ends of the kinds of exceptions.
    pub(super) kinds: &'static [&'static str],
    /// Parts of messages, in lower case.
    pub(super) words: &'static [&'static str],
}

/// In the order in which they are tried: what is more telling comes first.
#[rustfmt::skip] // One word a line would be a book.
pub(super) const SIGNS: &[Signs] = &[
    Signs {
        category: "out-of-memory",
        kinds: &["MemoryError", "OutOfMemoryError", "OutOfMemoryException", "NoMemoryError"],
        words: &[
            "killed process", "failed to allocate", "allocation failed", "cannot allocate",
            "out of memory", "heap out of memory", "cannot allocate memory", "java heap space", "oom-kill",
            "oomkilled", "allowed memory size of", "gc overhead limit", "memory allocation of", "enomem",
            "std::bad_alloc",
        ],
    },
    Signs {
        category: "resource-exhaustion",
        kinds: &[
            "stack-overflow", "RejectedExecutionException", "RateLimitError", "QuotaExceededError","StackOverflowError", "RecursionError", "SystemStackError", "StackOverflowException"],
        words: &[
            "quota exceeded", "exceeded your", "queuepool limit", "can't start new thread", "unable to create native thread", "pool exhausted", "queue is full", "over capacity",
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
            "UniqueViolation", "LazyInitializationException", "ConnectionNotEstablished", "DoesNotExist", "NoResultFound", "ForeignKeyViolation", "NotNullViolation", "UndefinedTable", "UndefinedColumn", "PSQLException", "SQLIntegrityConstraintViolationException", "DuplicateKeyException", "MongoError", "MongooseError", "SqliteError", "Mysql2::Error", "SQLite3::SQLException", "SQLite3::ConstraintException", "SequelizeUniqueConstraintError", "DbUpdateException", "DataError", "RecordNotFound",
            "OperationalError", "ProgrammingError", "IntegrityError", "InterfaceError", "SQLException",
            "SQLSyntaxErrorException", "SequelizeDatabaseError", "SequelizeConnectionError", "PDOException",
            "MongoServerError", "MongoNetworkError", "PrismaClientKnownRequestError", "QueryFailedError",
            "SqlException", "PG::Error", "PG::ConnectionBad", "ActiveRecord::StatementInvalid",
            "ActiveRecord::RecordNotUnique", "DatabaseError", "DataAccessException", "QueryException",
            "RedisError", "NpgsqlException", "PrismaClientInitializationError", "HibernateException",
        ],
        words: &[
            "duplicate entry", "sql syntax", "unknown column", "no such column", "constraint failed", "violates foreign", "violates unique", "violates check", "could not serialize access", "deadlock found", "lock wait timeout", "column \"",
            "sqlstate", "syntax error at or near", "duplicate key value", "duplicate key error", "unique constraint",
            "foreign key constraint", "no such table", "relation \"", "database is locked",
            "database system is", "er_access_denied", "ora-0", "deadlock detected", "mongoservererror",
            "sqlite_", "could not connect to server", "database connection", "violates not-null", "prisma",
        ],
    },
    Signs {
        category: "concurrency",
        kinds: &[
            "PoisonError", "OverlappingFileLockException", "InterruptedException", "BorrowMutError", "BorrowError", "LockTimeout","ConcurrentModificationException", "DeadlockError", "LockError", "ThreadError", "BrokenBarrierError", "BrokenBarrierException", "IllegalMonitorStateException", "SemaphoreFullException", "lock-order-inversion", "data race"],
        words: &["changed size during iteration", "could not obtain lock", "loop is already running", "deadlock", "all goroutines are asleep", "concurrent map", "concurrent modification", "data race", "poisonerror", "already borrowed", "already mutably borrowed"],
    },
    Signs {
        category: "memory-safety",
        kinds: &[
            "bad-free", "stack-buffer-underflow", "dynamic-stack-buffer-overflow", "negative-size-param", "invalid-pointer-pair",
            "heap-use-after-free", "heap-buffer-overflow", "stack-buffer-overflow", "global-buffer-overflow", "stack-use-after-return",
            "stack-use-after-scope", "double-free", "memory leak", "use-of-uninitialized-value", "undefined-behavior",
            "alloc-dealloc-mismatch", "container-overflow", "AccessViolationException", "param-overlap", "SIGSEGV", "SIGBUS",
        ],
        words: &[
            "segv on ", "sigsegv", "segmentation fault", "bus error", "munmap_chunk(): ", "free(): ", "malloc(): ", "realloc(): ", "malloc_consolidate(): ",
            "double free", "invalid pointer", "stack smashing", "buffer overflow detected", "corrupted size vs", "corrupted top size",
            "segfault at ", "malloc assertion failure", "invalid next size", "corrupted double-linked", "corrupted unsorted chunks", "use-after-free", "unaligned tcache chunk",
        ],
    },
    Signs {
        category: "timeout",
        kinds: &[
            "QueryTimeoutException", "TimeLimitExceeded", "AbortTimeout", "HttpTimeoutException",
            "TimeoutError", "TimeoutException", "ReadTimeout", "ConnectTimeout", "Timeout::Error",
            "SocketTimeoutException", "Net::ReadTimeout", "Net::OpenTimeout", "DeadlineExceeded",
            "ETIMEDOUT", "TaskCanceledException",
        ],
        words: &[
            "maximum execution time", "execution expired", "did not respond within", "deadline has elapsed", "no response within",
            "timed out", "timeout", "deadline exceeded", "etimedout", "esockettimedout", "time-out",
            "took too long",
        ],
    },
    Signs {
        category: "auth",
        kinds: &[
            "BadCredentialsException", "NoCredentialsError", "InvalidSignatureError", "Unauthenticated",
            "AuthenticationError", "AuthenticationException", "JsonWebTokenError", "TokenExpiredError",
            "Unauthorized", "InvalidTokenError", "ExpiredSignatureError",
            "security.access.AccessDeniedException",
            "UnauthorizedError", "AuthError",
        ],
        words: &[
            "unable to locate credentials", "invalid signature", "verification failed: signature", "bad credentials", "token has expired", "token expired", "token is expired", "signature has expired", "bearer token", "permission denied (publickey", "signature verification failed", "unauthenticated", "not authenticated", "invalid password", "wrong password", "access denied for user",
            "authentication failed", "unauthorized", "invalid token", "jwt expired", "invalid credentials",
            "401 ", "login failed", "noauth", "invalid api key", "access token", "password authentication",
        ],
    },
    Signs {
        category: "network",
        kinds: &[
            "RemoteDisconnected", "IncompleteRead", "MaxRetryError", "ProtocolError", "ClosedChannelException", "SocketError", "OpenSSL::SSL::SSLError", "Errno::ECONNRESET", "Errno::EPIPE", "Errno::EHOSTUNREACH", "HttpHostConnectException", "WebSocketException", "ConnectError",
            "ConnectionRefusedError", "ConnectionResetError", "ConnectionError", "ConnectException",
            "SocketException", "UnknownHostException", "gaierror", "BrokenPipeError",
            "Errno::ECONNREFUSED", "SSLError", "SSLHandshakeException", "NewConnectionError", "EOFException",
            "ConnectionAbortedError", "NoRouteToHostException",
        ],
        words: &[
            "name resolution", "network unreachable", "host is unreachable", "connection timed out", "connection aborted", "no live upstreams", "prematurely closed", "unreachable host", "could not connect", "connect failed",
            "econnrefused", "econnreset", "enotfound", "ehostunreach", "enetunreach", "epipe", "eai_again",
            "eaddrinuse", "connection refused", "connection reset", "no such host",
            "name or service not known", "broken pipe", "address already in use", "port is already allocated", "was already in use", "network is unreachable",
            "no route to host", "lost the connection", "lost connection", "connection lost", "failed to connect", "cannot connect", "unable to connect", "could not resolve", "dial tcp", "socket hang up", "getaddrinfo",
            "certificate", "connection in use", "handshake fail", "tls: ", "tls handshake", "ssl handshake", "fetch failed", "dns", "connection closed",
            "unexpected eof",
        ],
    },
    Signs {
        category: "permission",
        kinds: &[
            "Errno::EPERM", "InaccessibleObjectException", "IllegalAccessException", "java.nio.file.AccessDeniedException", "AuthorizationException",
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
            "MissingDependencyError", "DistributionNotFound", "UnsupportedClassVersionError", "NoSuchFieldError", "ApplicationContextException",
            "ModuleNotFoundError", "ImportError", "ClassNotFoundException", "NoClassDefFoundError",
            "LoadError", "NoSuchMethodError", "UnsatisfiedLinkError", "DllNotFoundException",
            "Gem::LoadError", "Bundler::GemNotFound", "BeanCreationException",
            "UnsatisfiedDependencyException", "PackageNotFoundError", "VersionConflict",
        ],
        words: &[
            "class \"", "interface \"", "unable to load dynamic library", "undefined reference to", "could not find a version that satisfies", "required a bean", "no such extension",
            "executable file not found", "compiled against a different", "require() of es module", "is not defined by \"exports\"", "in @inc", "no such module", "missing dependency", "package not found", "undefined symbol",
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
            "JSONException", "JsonReaderException", "JsonSyntaxException", "TOMLDecodeError", "ParsingError", "SAXParseException", "XMLSyntaxError",
            "SyntaxError", "IndentationError", "TabError", "ParseError", "JSONDecodeError",
            "JsonParseException", "JsonException", "YAMLException", "ScannerError", "TomlDecodeError",
            "ParserError", "JsonProcessingException", "Psych::SyntaxError", "RegexpError", "regex_error",
        ],
        words: &[
            "expected ';'", "expected declaration", "undeclared (first use", "missing field `", "unknown field `", "expected `,` or", "trailing characters", "eof while parsing", "malformed json", "invalid json", "expected value at line", "expecting value", "cannot unmarshal", "invalid character", "unexpected character", "syntaxerror", "failed to parse", "could not be parsed", "could not parse",
            "syntax error", "unexpected token", "unexpected end of", "unexpected identifier", "parse error",
            "invalid syntax", "unterminated string", "error: expected", "expected one of",
            "mismatched types", "error[e0", "error ts",
        ],
    },
    Signs {
        category: "file-system",
        kinds: &[
            "TemplateNotFound", "TemplateDoesNotExist", "__ios_failure", "ios_base::failure", "Errno::EISDIR", "Errno::ENOTDIR", "Errno::EEXIST", "filesystem_error", "NotDirectoryException", "DirectoryNotEmptyException", "FileAlreadyExistsException",
            "FileNotFoundError", "FileNotFoundException", "NoSuchFileException", "IsADirectoryError",
            "NotADirectoryError", "FileExistsError", "Errno::ENOENT", "DirectoryNotFoundException",
            "IOError", "FileSystemException",
        ],
        words: &[
            "could not find a part of the path", "could not find file", "cannot find the path", "cannot find the file", "os error 2",
            "no such file or directory", "enoent", "eexist", "enotdir", "eisdir", "file not found",
            "not a directory", "is a directory", "read-only file system", "erofs", "os { code: 2",
            "no rule to make target", "failed opening required", "failed to open stream", "input/output error", "stale file handle",
        ],
    },
    Signs {
        category: "configuration",
        kinds: &[
            "NoSectionError", "MissingResourceException", "DisallowedHost", "NoOptionError", "MissingSectionHeaderError", "MissingConfigException", "ConfigException", "EnvError", "MissingEnvironmentVariable", "ConfigParser.Error", "DuplicateOptionError", "DuplicateSectionError", "ServiceConfigurationError",
            "ImproperlyConfigured", "ConfigurationError", "ConfigError", "InvalidConfiguration",
            "ConfigurationException", "NoSuchBeanDefinitionException",
            "KeyError: 'DATABASE_URL'", "OptionsValidationException",
        ],
        words: &[
            "missing configuration", "env var", "required setting",
            "environment variable", "unbound variable", "parameter null or not set", "missing required", "invalid configuration", "configuration error",
            "config file", "configuration file", "is not set", "is not configured", "unknown option", "invalid option",
            "unrecognized argument", "unexpected argument", "missing env",
            "must be set", "bad configuration", "not configured",
        ],
    },
    Signs {
        category: "assertion",
        kinds: &[
            "assertion",
            "AssertionError", "AssertionFailedError", "AssertionException", "ExpectationNotMetError",
            "AssertionErr",
        ],
        words: &[
            "assertion failed!", "expect(received)", "expectation failed",
            "assertion failed", "assertion `", "assertion \"", "assert failed", "expected:",
            "assertionerror",
        ],
    },
    Signs {
        category: "http-5xx",
        kinds: &[
            "HTTPServerError", "InternalServerError", "ServiceUnavailable", "BadGateway",
            "HttpServerErrorException", "HTTPFatalError",
        ],
        words: &[
            "internal server error", "bad gateway", "service unavailable", "gateway time-out",
            "status code 500", "status code 502", "status code 503", "status=500", "status=502",
            "status=503", "http 500", "http 502", "http 503", "\" 500 ", "\" 502 ", "\" 503 ", "\" 504 ",
            "status 500", "status 502", "status 503",
        ],
    },
    Signs {
        category: "crash",
        kinds: &["SIGABRT", "SIGILL", "SIGKILL", "SIGTRAP"],
        words: &["aborted (core dumped)", "illegal instruction", "sigabrt", "sigill"],
    },
    Signs {
        category: "panic",
        kinds: &["panic", "fatal error"],
        words: &["panicked at", "panic:", "fatal error:", "nil pointer dereference"],
    },
];

/// Faults of the program itself, by kinds of exceptions only: looked for when nothing else is found.
#[rustfmt::skip]
pub(super) const BUGS: &[Signs] = &[
    Signs {
        category: "null-reference",
        kinds: &[
            "bad_optional_access", "UndefinedError", "NilClass","NullPointerException", "NullReferenceException", "KotlinNullPointerException", "UninitializedPropertyAccessException"],
        words: &[
            "null pointer", "nullpointer", "null object",
            "as it is undefined", "as it is null", "'nonetype'", "of undefined", "of null", "undefined method", "for nil", "on null", "nil pointer", "on an undefined value", "`none` value", "null value",
        ],
    },
    Signs {
        category: "arithmetic",
        kinds: &[
            "overflow_error", "underflow_error", "Math::DomainError", "FPE","ZeroDivisionError", "ArithmeticException", "DivideByZeroException", "DivisionByZeroError", "OverflowError", "FloatingPointError", "FloatDomainError", "OverflowException", "SIGFPE"],
        words: &["divide by zero", "division by zero", "divided by 0", "division by 0", "/ by zero", "integer overflow", "with overflow", "floating point exception"],
    },
    Signs {
        category: "out-of-bounds",
        kinds: &[
            "OutOfRangeException", "OutOfBoundsException", "RangeException",
            "out_of_range", "BufferOverflowException", "BufferUnderflowException", "length_error","IndexError", "IndexOutOfBoundsException", "ArrayIndexOutOfBoundsException", "StringIndexOutOfBoundsException", "IndexOutOfRangeException", "NegativeArraySizeException", "BoundsError"],
        words: &["index out of", "out of bounds", "out of range", "index outside", "byte index"],
    },
    Signs {
        category: "missing-key",
        kinds: &["KeyError", "KeyNotFoundException", "NoSuchElementException", "StopIteration", "LookupError"],
        words: &["key not found", "no value present", "undefined array key", "undefined index", "no such key"],
    },
    Signs {
        category: "encoding",
        kinds: &[
            "binascii.Error", "CharacterCodingException", "UnmappableCharacterException", "DecoderFallbackException", "UnicodeTranslateError","UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError", "MalformedInputException", "EncodingError", "InvalidByteSequenceError", "UndefinedConversionError", "CompatibilityError"],
        words: &[
            "incorrect padding", "invalid base64", "invalid byte", "invalid utf8", "illegal base64", "not valid utf-8", "not contain valid utf-8", "unknown encoding", "invalid utf-8", "malformed utf-8", "wide character", "invalid byte sequence", "incompatible character encodings", "utf8error"],
    },
    Signs {
        category: "type",
        kinds: &[
            "BadMethodCallException", "BadFunctionCallException",
            "bad_cast", "DataCloneError", "bad_any_cast", "bad_variant_access", "ArgumentCountError", "UnhandledMatchError","TypeError", "ClassCastException", "InvalidCastException", "ArrayStoreException", "IncompatibleClassChangeError", "AttributeError", "NoMethodError", "NameError", "ReferenceError", "UnboundLocalError"],
        words: &[
            "uninitialized constant", "as an array ref", "as a hash ref", "strict refs", "call to undefined", "not a code reference", "is not a constructor", "is not callable","cannot be cast", "is not a function", "is not defined", "is not iterable", "interface conversion", "mismatched types", "can't locate object method", "not a hash reference", "not an array reference", "undefined subroutine"],
    },
    Signs {
        category: "invalid-value",
        kinds: &[
            "Date::Error", "PayloadTooLargeError", "CastError", "RecordInvalid", "IllegalFormatException", "IllegalFormatConversionException", "UnknownFormatConversionException", "InvalidFormatException",
            "UnexpectedValueException", "LengthException", "DomainException",
            "ValidationError", "ZodError", "ConstraintViolationException", "invalid_argument", "domain_error", "DateTimeException", "HttpMessageNotReadableException", "MethodArgumentNotValidException", "DecimalException", "decimal.InvalidOperation","ValueError", "IllegalArgumentException", "NumberFormatException", "InputMismatchException", "NoWhenBranchMatchedException", "UriFormatException", "ArgumentException", "ArgumentNullException", "ArgumentOutOfRangeException", "FormatException", "ArgumentError", "RangeError", "InvalidArgumentException", "DateTimeParseException", "InvalidOperation", "URIError", "ParseIntError"],
        words: &[
            "invalid date", "invalid url", "invalid int value", "invalid float value", "invalid choice", "invalid time","invalid literal", "invalid argument", "invalid digit", "parseinterror", "parsefloaterror", "isn't numeric", "invalid value", "invalid array length"],
    },
    Signs {
        category: "invalid-state",
        kinds: &[
            "bad_function_call", "future_error", "FiberError", "BadStateError", "InvalidStateError","IllegalStateException", "InvalidOperationException", "UnsupportedOperationException", "NotImplementedError", "NotImplementedException", "NotSupportedException", "ObjectDisposedException", "FrozenError"],
        words: &["event loop is closed", "already awaited", "after they are sent", "before initialization", "read-only value", "invalid state", "not implemented", "not yet implemented", "illegal state", "unreachable code"],
    },
];

/// Kinds that stand for whatever may go wrong with the world outside: a message tells more.
pub(super) const WEAK: &[Signs] = &[
    Signs {
        category: "network",
        kinds: &[
            "FetchError",
            "AxiosError",
            "HttpRequestException",
            "WebException",
            "URLError",
            "RequestException",
        ],
        words: &[],
    },
    Signs {
        category: "file-system",
        kinds: &["java.io.IOException", "java.io.UncheckedIOException", "System.IO.IOException"],
        words: &[],
    },
];
