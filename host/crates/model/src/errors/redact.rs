//! Secrets that must not be shown, stored with an error or handed to an agent.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::{Captures, Regex};
use serde_json::Value;

use super::names::pattern;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Rules, each with what a rule always finds nearby, in lower case: a text without it is not searched. The group
/// `keep`, when it is there, stays.
static RULES: LazyLock<Vec<(&[&str], Regex)>> = LazyLock::new(|| {
    let rule = |near: &'static [&'static str], text: &str| (near, pattern(text));
    vec![
        rule(
            &["private key"],
            r"-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY[A-Z ]*-----|[\s\S]*)",
        ),
        rule(&["eyj"], r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),
        rule(&["://"], r"(?P<keep>[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'\x22]*:)[^\s/'\x22]+@"),
        rule(&["hooks.slack.com/"], r"(?P<keep>hooks\.slack\.com/services/)[\w/]+"),
        rule(
            &["--"],
            r"(?i)(?P<keep>--(?:[\w-]*-)?(?:password|passwd|passphrase|token|secret|credentials?|(?:api|access)-?key)[ \t]+)(?:\x22[^\x22\n]+\x22|'[^'\n]+'|[^\s'\x22-][^\s'\x22]*)",
        ),
        rule(&["cookie"], r"(?i)(?P<keep>\b(?:set-)?cookie['\x22]?\s*[:=]\s*)[^\n]+"),
        rule(
            &["authorization"],
            r"(?i)(?P<keep>\b(?:proxy-)?authorization\\?['\x22]?\s*[:=]\s*\\?['\x22]?(?:(?:bearer|basic|token|digest|negotiate|hmac|api-?key)\s+)?)[^\s'\x22,;}\]\\]+",
        ),
        rule(&["bearer", "basic"], r"(?i)(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/-]{8,}=*"),
        rule(
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,})",
        ),
        rule(&["xox"], r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}"),
        rule(
            &["sk-", "sk_", "pk_", "rk_", "whsec_"],
            r"\b(?:sk-|(?:sk|pk|rk)_(?:live|test)_|whsec_)[A-Za-z0-9_-]{10,}",
        ),
        rule(&["akia", "asia"], r"\bA[KS]IA[0-9A-Z]{12,}\b"),
        rule(&["aiza", "ya29."], r"\b(?:AIza[0-9A-Za-z_-]{20,}|ya29\.[0-9A-Za-z_-]{10,})"),
        rule(
            &["glpat-", "gocspx-", "npm_", "pypi-", "hvs.", "dop_v1_", "sg."],
            r"\b(?:(?i:glpat|gocspx)-[\w-]{16,}|npm_[A-Za-z0-9]{20,}|pypi-[\w-]{16,}|hvs\.[\w-]{16,}|dop_v1_[0-9a-f]{32,}|SG\.[\w-]{16,}\.[\w-]{16,})",
        ),
        rule(
            &["pass", "pwd", "secret", "token", "key", "credential", "session", "signature"],
            r"(?i)(?P<keep>\b[\w.-]*(?:password|passwd|passphrase|passwort|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|(?:auth|account|shared|signing|master|service)[_-]?key|encryption[_-]?key|credentials?|session[_-]?id|signature)(?:[_-]?\w*)?\\?['\x22]?\s*(?:=>|[:=])\s*\\?)(?:\x22[^\x22\n]+\x22|'[^'\n]+'|[^\s,;&)}\]'\x22]+)",
        ),
    ]
});

/// What the rules find nearby, all in one: a text is read once, not once for each word.
static NEARBY: LazyLock<Nearby> = LazyLock::new(|| {
    let words = || RULES.iter().enumerate().flat_map(|(rule, (near, _))| near.iter().map(move |w| (rule, w)));
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words().map(|(_, word)| word));
    Nearby { automaton: automaton.ok(), rules: words().map(|(rule, _)| rule).collect() }
});

struct Nearby {
    /// None if there were too many words for it: all rules are tried then.
    automaton: Option<AhoCorasick>,
    /// The rule of each word.
    rules: Vec<usize>,
}

impl Nearby {
    /// The rules that may find something in a text, in their order.
    fn rules(&self, text: &str) -> Vec<&'static Regex> {
        let mut near = vec![self.automaton.is_none(); RULES.len()];
        for found in self.automaton.iter().flat_map(|automaton| automaton.find_overlapping_iter(text)) {
            near[self.rules[found.pattern()]] = true;
        }
        RULES.iter().zip(near).filter(|(_, near)| *near).map(|((_, rule), _)| rule).collect()
    }
}

/// What secrets are called, in options, variables and fields.
const NAMES: &str = "password|passwd|passphrase|passwort|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|\
                     auth[_-]?key|encryption[_-]?key|credentials?|session[_-]?id|signature";

/// A field that holds a secret and nothing else.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"(?i)^(?:[\w.-]*(?:{NAMES})|(?:proxy-)?authorization|(?:set-)?cookie)$"))
});

/// An option whose secret is the next argument.
static OPTION: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"(?i)^--?[\w.-]*(?:{NAMES})$")));

/// The same in a command line.
static OPTION_AND_VALUE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"(?i)(?P<keep>(?:^|\s)--?[\w.-]*(?:{NAMES})\s+)[^\s-]\S*")));

/// `${TOKEN}` says where a secret comes from, and is none.
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^['\x22]?\$\{[A-Z_][A-Z0-9_]*(?::?-)?\}?['\x22]?$"));

/// Takes secrets out of texts.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    extra: Vec<Regex>,
}

impl Redactor {
    /// A redactor with rules of its own beside the built-in ones: regular expressions of which the group `keep`, when
    /// there is one, stays.
    ///
    /// # Errors
    /// Names the rule that is no regular expression, and why.
    pub fn new(extra: &[String]) -> Result<Self, String> {
        let compile =
            |rule: &String| Regex::new(rule).map_err(|e| format!("{rule:?} is no regular expression: {e}"));
        Ok(Self { extra: extra.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The text without secrets.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut redacted = text.to_owned();
        for rule in NEARBY.rules(text).into_iter().chain(&self.extra) {
            if rule.is_match(&redacted) {
                redacted = rule.replace_all(&redacted, replacement).into_owned();
            }
        }
        redacted
    }

    /// A command line without secrets: also those that follow their option.
    #[must_use]
    pub fn redact_command(&self, command: &str) -> String {
        self.redact(&OPTION_AND_VALUE.replace_all(command, replacement))
    }

    /// Takes secrets out of all texts of a value, and out of what is secret by its name: fields (`password`), the
    /// `headers` of a request, and the argument behind an option (`--token`).
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => {
                let mut is_secret = false;
                for item in items {
                    let option = item.as_str().is_some_and(|text| OPTION.is_match(text));
                    self.redact_named(item, is_secret);
                    is_secret = option;
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    match (name.as_str(), &mut *field) {
                        ("command", Value::String(text)) => *text = self.redact_command(text),
                        ("headers", Value::Object(headers)) => {
                            headers.values_mut().for_each(|header| self.redact_named(header, true));
                        }
                        _ => self.redact_named(field, FIELD.is_match(name)),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn redact_named(&self, value: &mut Value, is_secret: bool) {
        match value {
            Value::String(text) if is_secret && !text.is_empty() => REDACTED.clone_into(text),
            other => self.redact_json(other),
        }
    }
}

fn replacement(found: &Captures<'_>) -> String {
    let keep = found.name("keep").map_or("", |kept| kept.as_str());
    // What was redacted before stays as it is.
    let secret = found[0].get(keep.len()..).unwrap_or_default();
    if secret.starts_with(REDACTED.trim_end_matches(']')) || REFERENCE.is_match(secret) {
        return found[0].to_owned();
    }
    // The password of a URL ends with its `@`.
    let after = if found[0].ends_with('@') { "@" } else { "" };
    format!("{keep}{REDACTED}{after}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "hunter2hunter2XYZ";

    #[test]
    fn where_a_secret_comes_from_is_none() {
        let redactor = Redactor::default();
        for text in
            ["env = { TOKEN = \"${TOKEN}\" }", "API_KEY=${API_KEY} serve", "password: '${DB_PASSWORD:-}'"]
        {
            assert_eq!(redactor.redact(text), text);
        }
        for text in ["TOKEN=${TOKEN:-hunter2hunter2XYZ}", "password=$hunter2hunter2XYZ"] {
            assert!(!redactor.redact(text).contains(SECRET), "{text}");
        }
    }

    #[test]
    fn secrets_go_whatever_they_look_like() {
        for text in [
            "connecting to postgres://app:hunter2hunter2XYZ@db:5432/shop",
            "Authorization: Bearer hunter2hunter2XYZ",
            "{\"authorization\": \"Basic hunter2hunter2XYZ\"}",
            "headers: bearer hunter2hunter2XYZ",
            "password=hunter2hunter2XYZ",
            "DB_PASSWORD: 'hunter2hunter2XYZ'",
            "{\"api_key\": \"hunter2hunter2XYZ\", \"x\": 1}",
            "{'client_secret': 'hunter2hunter2XYZ'}",
            "?access_token=hunter2hunter2XYZ&x=1",
            "Set-Cookie: sid=hunter2hunter2XYZ; Path=/",
            "ghp_hunter2hunter2XYZabc",
            "sk-hunter2hunter2XYZ",
            "xoxb-12-hunter2hunter2XYZ",
            "-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2XYZ\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nhunter2hunter2XYZ\ncut",
            "jwt eyJhbGciOi.hunter2hunter2XYZ.sig",
            "postgres://app:p@hunter2hunter2XYZ@db/shop",
            r#"body {\"password\":\"hunter2hunter2XYZ\"}"#,
            r#"headers {\"Authorization\": \"ApiKey hunter2hunter2XYZ\"}"#,
            "mysqldump --user root --password hunter2hunter2XYZ shop",
            "psql --db-password 'hunter2hunter2XYZ'",
            "AccountName=a;AccountKey=hunter2hunter2XYZ==;Endpoint=b",
            "https://hooks.slack.com/services/T0/B0/hunter2hunter2XYZ",
            "AWS_SECRET_ACCESS_KEY=hunter2hunter2XYZ",
            "aws_session_token: hunter2hunter2XYZ",
            "X-Api-Key: hunter2hunter2XYZ",
            "proxy-authorization=Basic hunter2hunter2XYZ",
            "GOCSPX-hunter2hunter2XYZ",
        ] {
            let redacted = Redactor::default().redact(text);
            assert!(!redacted.contains(SECRET) && redacted.contains(REDACTED), "{text} -> {redacted}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "KeyError: 'user'",
            "GET https://example.com/a?b=c",
            "  File \"/app/tokens.py\", line 3, in read_token",
            "at TokenService.load (/app/token.js:3:4)",
            "the key is missing",
            "basic income",
            "unknown option --token-file",
            "mail to ann@example.com: https://example.com/x:y failed",
            "SyntaxError: Unexpected token } in JSON at position 5",
        ] {
            assert_eq!(Redactor::default().redact(text), text);
        }
    }

    #[test]
    fn secrets_in_commands_go_too() {
        for command in [
            "app --password hunter2hunter2XYZ -v",
            "app -token hunter2hunter2XYZ",
            "app --api-key=hunter2hunter2XYZ",
        ] {
            let redacted = Redactor::default().redact_command(command);
            assert!(!redacted.contains(SECRET) && redacted.contains(REDACTED), "{command} -> {redacted}");
        }
        let harmless = "app --token-file /run/token --password -v";
        assert_eq!(Redactor::default().redact_command(harmless), harmless);
    }

    #[test]
    fn secrets_in_json_go_by_their_names() {
        let mut value = json!({
            "command": "curl --token hunter2hunter2XYZ",
            "args": ["--db-password", "hunter2hunter2XYZ", "--port", "80", "--token=hunter2hunter2XYZ"],
            "health": [{"config": {"headers": {"X-Own": "hunter2hunter2XYZ"}, "password": "hunter2hunter2XYZ", "port": 5}}],
            "lines": [{"message": "listening", "fields": {"session_id": "hunter2hunter2XYZ", "tokens": 12}}],
        });
        Redactor::default().redact_json(&mut value);
        let expected = json!({
            "command": "curl --token [redacted]",
            "args": ["--db-password", "[redacted]", "--port", "80", "--token=[redacted]"],
            "health": [{"config": {"headers": {"X-Own": "[redacted]"}, "password": "[redacted]", "port": 5}}],
            "lines": [{"message": "listening", "fields": {"session_id": "[redacted]", "tokens": 12}}],
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn rules_can_be_added_and_a_wrong_one_is_named() {
        let own = Redactor::new(&["(?P<keep>customer )\\d+".to_owned()]).unwrap();
        assert_eq!(own.redact("customer 4711 left"), "customer [redacted] left");
        assert!(Redactor::new(&["(".to_owned()]).unwrap_err().contains("\"(\""));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_password_in_a_url_never_gets_through(user in "[a-z]{1,8}", password in "[a-zA-Z0-9!$%]{9,20}", before in "[ -~]{0,20}") {
            let text = format!("{before} amqp://{user}:{password}@mq:5672/");
            prop_assert!(!Redactor::default().redact(&text).contains(&password));
        }

        #[test]
        fn to_redact_again_changes_nothing(
            parts in proptest::collection::vec(
                prop_oneof![
                    "[ -~]{0,12}",
                    Just("password=".to_owned()),
                    Just(" token: 'x y'".to_owned()),
                    Just("Authorization: Bearer abcdefgh12".to_owned()),
                    Just("db://u:p@h/".to_owned()),
                    any::<String>(),
                ],
                0..6,
            ),
        ) {
            let once = Redactor::default().redact(&parts.concat());
            prop_assert_eq!(Redactor::default().redact(&once), once);
        }
    }
}
