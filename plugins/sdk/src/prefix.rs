//! What stands at the beginning of a plain log line: a time, a level, and things between them.

use crate::{
    severity,
    time::{self, Civil},
};

/// The beginning of a line, and where its message begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefix {
    /// The time, if one was found.
    pub time: Option<Civil>,
    /// The level, if one was found.
    pub severity: Option<u8>,
    /// Where the message begins.
    pub message: usize,
}

/// How many words may stand before the level: host, program, thread, logger.
const WORDS: usize = 6;
/// How many pairs of a key and a value may.
const PAIRS: usize = 8;

/// Reads the beginning of a line, such as `2026-05-01 12:30:00,123 [main] INFO  app - ready`, with colours or without.
/// `None` when there is neither time nor level.
#[must_use]
pub fn read(line: &[u8]) -> Option<Prefix> {
    let mut scan = Scan { line, at: 0, found: Prefix::default() };
    if !scan.klog() {
        scan.words();
    }
    let Prefix { time, severity, .. } = scan.found;
    (time.is_some() || severity.is_some()).then_some(scan.found)
}

/// The length of the colour or other escape sequence at the beginning of a text; 0 when there is none.
#[must_use]
pub fn escape(text: &[u8]) -> usize {
    let [0x1b, b'[', rest @ ..] = text else { return 0 };
    rest.iter().position(|b| (0x40..=0x7e).contains(b)).map_or(0, |end| end + 3)
}

struct Scan<'l> {
    line: &'l [u8],
    at: usize,
    found: Prefix,
}

/// What stands around a word.
#[derive(Clone, Copy)]
struct Around {
    /// A bracket or a colour before it.
    marked: bool,
    /// The byte after it; 0 at the end.
    after: u8,
}

impl Scan<'_> {
    fn rest(&self) -> &[u8] {
        &self.line[self.at..]
    }

    /// `I0501 12:30:00.123456   12345 file.go:12] message`, as klog and glog write it.
    fn klog(&mut self) -> bool {
        let [letter, m1, m2, d1, d2, b' ', clock @ ..] = self.line else { return false };
        let date = [m1, m2, d1, d2].iter().all(|b| b.is_ascii_digit());
        let (Some(severity), true, Some(_)) = (severity::of_letter(*letter), date, time::time_of_day(clock))
        else {
            return false;
        };
        let Some(end) = memchr::memchr(b']', self.line) else { return false };
        self.at = end;
        self.found.severity = Some(severity);
        self.end_here();
        true
    }

    /// Goes over the words of the line until one is a level, or until none can be.
    fn words(&mut self) {
        let mut clock = false;
        let (mut words, mut pairs) = (0, 0);
        while words < WORDS && pairs < PAIRS {
            let marked = self.skip_marks();
            // `pid=7 tid=x1` says less than a word does.
            let pair = self.rest().iter().take_while(|b| **b != b' ').any(|b| *b == b'=');
            (words, pairs) = if pair { (words, pairs + 1) } else { (words + 1, pairs) };
            if let Some(used) = self.time_here() {
                clock = true;
                self.at += used;
                self.end_here();
            } else if let Some(severity) = self.level_here(marked, clock) {
                self.found.severity = Some(severity);
                return self.end_here();
            } else if !self.skip_word(marked, clock) {
                return;
            }
        }
    }

    /// A time at this place. A time of day alone counts as a word that may stand before a level.
    fn time_here(&mut self) -> Option<usize> {
        if self.found.time.is_some() {
            return None;
        }
        let read = match self.rest().first()? {
            b'0'..=b'9' => {
                time::iso(self.rest()).or_else(|| time::clf(self.rest())).or_else(|| self.redis_time())
            }
            b'A'..=b'Z' => time::bsd(self.rest()),
            _ => None,
        };
        if let Some((civil, used)) = read {
            self.found.time = Some(civil);
            return Some(used);
        }
        let (_, _, used) = time::time_of_day(self.rest())?;
        Some(used)
    }

    /// `01 May 2026 12:30:00.123`
    fn redis_time(&self) -> Option<(Civil, usize)> {
        let text = self.rest();
        let [d1, d2, b' ', a, b, c, b' ', y1, y2, y3, y4, b' ', ..] = *text.first_chunk::<12>()? else {
            return None;
        };
        let mut day = *b"MMM dd 00:00:00";
        day[..3].copy_from_slice(&[a, b, c]);
        day[4..6].copy_from_slice(&[d1, d2]);
        let (mut civil, _) = time::bsd(&day)?;
        let (seconds, nanos, used) = time::time_of_day(&text[12..])?;
        let digits = [y1, y2, y3, y4];
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        civil.year = digits.iter().fold(0, |year, digit| year * 10 + i32::from(digit - b'0'));
        (civil.seconds, civil.nanos) = (seconds, nanos);
        Some((civil, 12 + used))
    }

    /// A level at this place, if what stands around it says that it is meant as one.
    fn level_here(&mut self, marked: bool, clock: bool) -> Option<u8> {
        let rest = &self.line[self.at..];
        let length = rest.iter().take(14).take_while(|b| b.is_ascii_alphabetic()).count();
        let after = rest.get(length).copied().unwrap_or(0);
        if length == 0 {
            return self.redis_level(clock);
        }
        if after == b'.' && clock {
            return self.channel_level();
        }
        if after.is_ascii_digit() || matches!(after, b'_' | b'.' | b'/' | b'\'' | b'(' | 0x80..) {
            return None;
        }
        let word = &rest[..length];
        let severity = match severity::of_word(word) {
            Some(severity) => severity,
            None => letter(word, after, clock).or_else(|| exception(word, after))?,
        };
        means_level(word, Around { marked, after }, clock).then(|| {
            // The name of an exception belongs to the message.
            self.at += if severity::of_word(word).is_some() || length == 1 { length } else { 0 };
            severity
        })
    }

    /// `production.ERROR:`, as Monolog writes its channel and the level behind a time.
    fn channel_level(&mut self) -> Option<u8> {
        let word = self.rest().split(|b| *b == b' ').next()?.strip_suffix(b":")?;
        let level =
            word.rsplit(|b| *b == b'.').next().filter(|level| level.iter().all(u8::is_ascii_uppercase))?;
        let severity = severity::of_word(level)?;
        self.at += word.len();
        Some(severity)
    }

    /// Redis has a character for the level behind the time.
    fn redis_level(&mut self, clock: bool) -> Option<u8> {
        let severity = match self.rest() {
            [b'.', b' ', ..] => severity::DEBUG,
            [b'*', b' ', ..] => severity::NOTICE,
            [b'#', b' ', ..] => severity::WARN,
            _ => return None,
        };
        self.at += usize::from(clock);
        clock.then_some(severity)
    }

    /// Skips a word that is neither time nor level; false when a level cannot follow it.
    fn skip_word(&mut self, marked: bool, clock: bool) -> bool {
        let rest = self.rest();
        let length = rest.iter().position(|b| matches!(b, b' ' | b'\t' | b']' | b'|')).unwrap_or(rest.len());
        let (word, after) = (&rest[..length], rest.get(length).copied().unwrap_or(0));
        let label = word.last() == Some(&b':') && word.contains(&b']');
        let before_bar = rest[length..].trim_ascii_start().first() == Some(&b'|');
        let number = word.iter().any(u8::is_ascii_digit) && !word.contains(&b'=');
        let skips = length > 0 && (clock || marked || after == b']' || before_bar || label || number);
        if skips {
            self.at += length;
        }
        skips
    }

    /// Skips space, brackets and colours; tells whether there was a bracket or a colour.
    fn skip_marks(&mut self) -> bool {
        let mut marked = false;
        loop {
            let length = match self.rest().first() {
                Some(b' ' | b'\t') => 1,
                Some(b'|' | b'-' | b',' | b']' | b')' | b'>' | b';' | b':') => 1,
                Some(b'[' | b'(' | b'<') => {
                    marked = true;
                    1
                }
                Some(0x1b) => {
                    marked = true;
                    escape(self.rest())
                }
                _ => 0,
            };
            if length == 0 {
                return marked;
            }
            self.at += length;
        }
    }

    /// The message begins here, behind what closes the word before it.
    fn end_here(&mut self) {
        let mut end = self.at;
        loop {
            let rest = &self.line[end..];
            end += match rest.first() {
                Some(b' ' | b'\t' | b']' | b')' | b'>' | b':' | b'|' | b'!' | b',') => 1,
                Some(b'-') if matches!(rest.get(1), Some(b' ' | b'-')) => 1,
                Some(0x1b) if escape(rest) > 0 => escape(rest),
                _ => break,
            };
        }
        self.found.message = end;
    }
}

/// A letter that is a level where a time stands before it, or behind which a comma or a slash tells so (Ruby, Android).
fn letter(word: &[u8], after: u8, clock: bool) -> Option<u8> {
    let [letter] = word else { return None };
    (clock || matches!(after, b',' | b'/')).then(|| severity::of_letter(*letter)).flatten()
}

/// `ValueError: …`, `IOException: …`
fn exception(word: &[u8], after: u8) -> Option<u8> {
    let named = word.ends_with(b"Error") || word.ends_with(b"Exception");
    (named && after == b':').then_some(severity::ERROR)
}

/// Whether a word is meant as a level, and is not a word of a sentence.
fn means_level(word: &[u8], around: Around, clock: bool) -> bool {
    let ends = matches!(around.after, b':' | b']' | b'!' | b'|' | b'>' | b')' | b'[');
    let coloured = around.marked && matches!(around.after, 0x1b | 0);
    let shouted = word.iter().all(u8::is_ascii_uppercase);
    // These are frequent in sentences.
    let weak = matches!(word.len(), 3..=4 if [&b"log"[..], b"note", b"fine"].iter().any(|w| word.eq_ignore_ascii_case(w)))
        || word.eq_ignore_ascii_case(b"success")
        || word.eq_ignore_ascii_case(b"config");
    ends || coloured
        || ((shouted || clock) && !weak)
        || (word.len() == 1 && matches!(around.after, b',' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The level and the message of a line, and whether it has a time.
    fn level_of(line: &str) -> Option<(u8, &str, bool)> {
        let prefix = read(line.as_bytes())?;
        Some((prefix.severity.unwrap_or(0), &line[prefix.message..], prefix.time.is_some()))
    }

    #[test]
    fn finds_levels_as_common_loggers_write_them() {
        use severity::*;
        let cases = [
            ("2026-05-01 12:30:00,123 INFO ready", INFO, "ready", true),
            ("2026-05-01 12:30:00,123 - app.db - ERROR - lost", ERROR, "lost", true),
            ("INFO:root:ready", INFO, "root:ready", false),
            (
                "INFO:     127.0.0.1:5000 - \"GET / HTTP/1.1\" 200 OK",
                INFO,
                "127.0.0.1:5000 - \"GET / HTTP/1.1\" 200 OK",
                false,
            ),
            ("[2026-05-01T12:30:00Z] [error] no", ERROR, "no", true),
            (
                "2026-05-01T12:30:00.123+02:00  WARN 1 --- [main] c.e.App : slow",
                WARN,
                "1 --- [main] c.e.App : slow",
                true,
            ),
            ("12:30:00.123 [main] DEBUG com.example.App - go", DEBUG, "com.example.App - go", false),
            ("12:30:00.123 [info] Running", INFO, "Running", false),
            (
                "I, [2026-05-01T12:30:00.123456 #1234]  INFO -- : Started",
                INFO,
                "[2026-05-01T12:30:00.123456 #1234]  INFO -- : Started",
                false,
            ),
            ("2026-05-01 12:30:00.123 UTC [123] LOG:  ready", INFO, "ready", true),
            ("2026-05-01 12:30:00.123 UTC [123] FATAL:  no such role", FATAL, "no such role", true),
            ("1:M 01 May 2026 12:30:00.123 * Ready", NOTICE, "Ready", true),
            ("1:M 01 May 2026 12:30:00.123 # Warning", WARN, "Warning", true),
            ("I0501 12:30:00.123456   12 main.go:12] up", INFO, "up", false),
            ("\x1b[2m2026-05-01T12:30:00.1Z\x1b[0m \x1b[32m INFO\x1b[0m up", INFO, "up", true),
            ("\x1b[31merror\x1b[39m: lost", ERROR, "lost", false),
            ("[\x1b[33mWARN\x1b[0m] slow", WARN, "slow", false),
            ("npm ERR! code ENOENT", 0, "", false),
            ("error[E0308]: mismatched types", ERROR, "[E0308]: mismatched types", false),
            ("warning: unused variable", WARN, "unused variable", false),
            ("panic: runtime error", FATAL, "runtime error", false),
            ("web-1  | 2026-05-01T12:30:00Z ERROR lost", ERROR, "lost", true),
            ("<warn> low", WARN, "low", false),
            ("ValueError: no", ERROR, "ValueError: no", false),
            ("May  1 12:30:00 web app[12]: error: lost", ERROR, "lost", true),
            ("2026/05/01 12:30:00 listening", 0, "listening", true),
            ("[2026-05-01 12:30:00] production.ERROR: lost", ERROR, "lost", true),
            ("[2026-05-01 12:30:00] api.example.com: ready", 0, "api.example.com: ready", true),
            (
                "2026-05-01T12:30:00Z pid=7 tid=x class=Y jid=1 elapsed=2 try=3 ERROR: lost",
                ERROR,
                "lost",
                true,
            ),
        ];
        for (line, severity, message, time) in cases {
            let expected = (severity > 0 || time).then_some((severity, message, time));
            assert_eq!(level_of(line), expected, "{line}");
        }
    }

    #[test]
    fn sentences_have_no_level() {
        for line in [
            "",
            "   ",
            "Error handling is easy",
            "no error here",
            "Information is power",
            "Log in to go on",
            "Fine. It works",
            "error_count=0",
            "The server returned ERROR",
            "info@example.com",
        ] {
            assert_eq!(level_of(line), None, "{line}");
        }
    }
}
