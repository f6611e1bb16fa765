//! Names of functions and files without what runtimes, compilers and bundlers put into them anew each time.

use std::sync::LazyLock;

use regex::Regex;

/// A function without generated numbers, hashes and addresses.
pub(super) fn function(name: &str) -> String {
    static GENERATED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r"(?P<cut>::h[0-9a-f]{16}$",      // Rust: the hash of a symbol
            r"|\[as [^\]]*\]",                // Node.js: the name by which a method was called
            r"|@[0-9a-f]{5,}\b",              // Java: identity of an object
            r"|/0x[0-9a-f]+|\b0x[0-9a-f]+\b", // addresses
            r"|\+0x[0-9a-f]+|\+\d+$",         // offsets
            r"|\(index \d+\)",                // Promise.all (index 0)
            r"|\[abi:[^\]]*\]",               // C++
            r"|\.(?:constprop|isra|part|cold|lto_priv|llvm)(?:\.\d+)*", // parts of functions, by GCC and LLVM
            r"|:\d+$",                        // PHP: {closure:/app/x.php:12}
            r")",
            r"|(?P<lambda>(?:lambda\$[^.$]*|\$\$Lambda|\$\$FastClassBy\w+|\$\$EnhancerBy\w+|GeneratedMethodAccessor|GeneratedConstructorAccessor|\$Proxy|access|func|closure|gowrap|b__|g__\w+\||d__|anon|anonfun|_erb_|_haml_|_slim_))[$._]*[0-9a-f_$]*\d[0-9a-f_$]*(?:\.\d+)*",
            r"|(?P<digits>\d{3,})",
        ))
    });
    let name = name.trim().trim_start_matches("async ").trim_start_matches("new ");
    let cleaned = GENERATED.replace_all(name, |found: &regex::Captures<'_>| match found.name("lambda") {
        Some(lambda) => lambda.as_str().to_owned(),
        None if found.name("digits").is_some() => "N".to_owned(),
        None => String::new(),
    });
    cleaned.trim().to_owned()
}

/// The name of a file without its directory, and without the hash that a bundler gave it.
pub(super) fn file(path: &str) -> String {
    static HASH: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.-][0-9a-f]{8,}\b"));
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let base = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    HASH.replace_all(&base, "").into_owned()
}

/// A pattern of ours.
#[allow(clippy::expect_used, reason = "each is a constant that the tests of its module compile")]
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_goes() {
        for (generated, clean) in [
            ("app::load::h0123456789abcdef", "app::load"),
            ("com.example.App.lambda$main$0", "com.example.App.lambda$main"),
            ("com.example.App$$Lambda$14/0x00000008000c1840.run", "com.example.App$$Lambda.run"),
            (
                "jdk.internal.reflect.GeneratedMethodAccessor42.invoke",
                "jdk.internal.reflect.GeneratedMethodAccessor.invoke",
            ),
            (
                "com.example.Svc$$EnhancerBySpringCGLIB$$1a2b3c4d.save",
                "com.example.Svc$$EnhancerBySpringCGLIB.save",
            ),
            ("async Server.handle", "Server.handle"),
            ("Server.<anonymous>", "Server.<anonymous>"),
            ("TCPConnectWrap.afterConnect [as oncomplete]", "TCPConnectWrap.afterConnect"),
            ("main.main.func1.2", "main.main.func"),
            ("parse.constprop.0", "parse"),
            ("step1", "step1"),
            ("handler_v2", "handler_v2"),
            ("_app_views_users_index_html_erb__1839371_70240", "_app_views_users_index_html_erb_"),
            ("new Pool", "Pool"),
        ] {
            assert_eq!(function(generated), clean, "{generated}");
        }
        assert_eq!(file("/srv/App/Main.4f3a2b1c.JS?v=3"), "main.js");
        assert_eq!(file("C:\\src\\Db.cs"), "db.cs");
    }
}
