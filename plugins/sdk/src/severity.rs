//! Levels, by the severity numbers of OpenTelemetry.

/// Not known.
pub const UNKNOWN: u8 = 0;
/// Finer than debugging.
pub const TRACE: u8 = 1;
/// For debugging.
pub const DEBUG: u8 = 5;
/// Normal operation.
pub const INFO: u8 = 9;
/// Normal, but worth a look.
pub const NOTICE: u8 = 10;
/// Something is not as it should be.
pub const WARN: u8 = 13;
/// Something failed.
pub const ERROR: u8 = 17;
/// Something important failed.
pub const CRITICAL: u8 = 18;
/// Somebody has to act at once.
pub const ALERT: u8 = 19;
/// The program cannot go on.
pub const FATAL: u8 = 21;

/// The level of a word, in the spellings of common loggers, whatever its case.
#[must_use]
pub fn of_word(word: &[u8]) -> Option<u8> {
    let mut lower = [0; 13];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trc" | b"trce" | b"silly" | b"finest" | b"finer" | b"verbose" | b"vrb" => TRACE,
        b"debug" | b"dbg" | b"dbug" | b"debu" | b"fine" | b"config" => DEBUG,
        b"info" | b"inf" | b"information" | b"informational" | b"log" => INFO,
        b"notice" | b"note" | b"success" => NOTICE,
        b"warn" | b"warning" | b"wrn" => WARN,
        b"error" | b"err" | b"erro" | b"eror" | b"severe" | b"fail" | b"failure" => ERROR,
        b"critical" | b"crit" | b"crt" => CRITICAL,
        b"alert" | b"alrt" | b"dpanic" => ALERT,
        b"fatal" | b"ftl" | b"fata" | b"panic" | b"pnc" | b"emerg" | b"emergency" => FATAL,
        _ => return None,
    })
}

/// The level of a letter, as klog, glog, logcat and MongoDB write it.
#[must_use]
pub fn of_letter(letter: u8) -> Option<u8> {
    Some(match letter {
        b'T' | b'V' => TRACE,
        b'D' => DEBUG,
        b'I' => INFO,
        b'N' => NOTICE,
        b'W' => WARN,
        b'E' => ERROR,
        b'C' => CRITICAL,
        b'F' => FATAL,
        _ => return None,
    })
}

/// The level of a number as pino and bunyan count: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal.
#[must_use]
pub fn of_pino(level: u32) -> Option<u8> {
    Some(match level {
        1..=10 => TRACE,
        11..=20 => DEBUG,
        21..=30 => INFO,
        31..=40 => WARN,
        41..=50 => ERROR,
        51..=99 => FATAL,
        _ => return None,
    })
}

/// The level of a number as syslog counts: 0 emergency to 7 debug.
#[must_use]
pub fn of_syslog(level: u8) -> Option<u8> {
    [FATAL, ALERT, CRITICAL, ERROR, WARN, NOTICE, INFO, DEBUG].get(level as usize).copied()
}

/// The level of an answer of an HTTP server.
#[must_use]
pub fn of_http_status(status: u16) -> u8 {
    match status {
        500.. => ERROR,
        400.. => WARN,
        _ => INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_in_any_case() {
        assert_eq!(of_word(b"WARNING"), Some(WARN));
        assert_eq!(of_word(b"Information"), Some(INFO));
        assert_eq!(of_word(b"eRR"), Some(ERROR));
        assert_eq!(of_word(b"errors"), None);
        assert_eq!(of_word(b""), None);
        assert_eq!(of_word(&[b'e'; 100]), None);
    }
}
