//! Reads the times that logs have.

use schemars::JsonSchema;
use serde::Deserialize;

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A date and a time of day as a text has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year; 0 when the text has none.
    pub year: i32,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Seconds since midnight.
    pub seconds: u32,
    /// Nanoseconds beyond that.
    pub nanos: u32,
    /// Seconds east of UTC; `None` when the text does not say.
    pub offset: Option<i32>,
}

/// How far local times are from UTC, such as `+02:00` or `Z`: for logs that do not say so themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(Z|[+-][0-9]{2}:?[0-9]{2})$"))]
pub struct UtcOffset(i32);

impl UtcOffset {
    /// Seconds east of UTC.
    #[must_use]
    pub fn seconds(self) -> i32 {
        self.0
    }
}

impl TryFrom<String> for UtcOffset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match offset(text.as_bytes()) {
            Some((seconds, used)) if used == text.len() => Ok(Self(seconds)),
            _ => Err(format!("{text:?} is no distance from UTC such as +02:00 or Z")),
        }
    }
}

impl Civil {
    /// Nanoseconds since the Unix epoch. `None` when neither the text nor `assumed` says how far it is from UTC, when
    /// it has no year, or when it lies before 1970 or after 2500.
    #[must_use]
    pub fn unix_nanos(&self, assumed: Option<UtcOffset>) -> Option<u64> {
        let offset = self.offset.or(assumed.map(UtcOffset::seconds))?;
        if !(1970..=2500).contains(&self.year) {
            return None;
        }
        let seconds = days_from_civil(self.year, self.month, self.day) * DAY + i64::from(self.seconds);
        let nanos = (seconds - i64::from(offset)) * NANOS + i64::from(self.nanos);
        u64::try_from(nanos).ok()
    }

    /// The same with the year that brings it next to `now`, if it has none itself.
    #[must_use]
    pub fn with_year_near(mut self, now: u64) -> Self {
        if self.year == 0 {
            let days = (now / NANOS as u64) as i64 / DAY;
            let year = 1970 + (days * 400 / 146_097) as i32;
            let distance = |year| (days_from_civil(year, self.month, self.day) - days).abs();
            self.year = [year - 1, year, year + 1].into_iter().min_by_key(|&y| distance(y)).unwrap_or(year);
        }
        self
    }
}

/// The time now, nanoseconds since the Unix epoch.
#[must_use]
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

/// Reads a time at the beginning of a text as ISO 8601, RFC 3339 and their relatives write it: `2026-05-01T12:30:00Z`,
/// `2026-05-01 12:30:00,123`, `2026/05/01 12:30:00.123456 +0200`. Tells how many bytes it has.
#[must_use]
pub fn iso(text: &[u8]) -> Option<(Civil, usize)> {
    let (&date, rest) = text.split_first_chunk::<10>()?;
    let separated = matches!((date[4], date[7]), (b'-', b'-') | (b'/', b'/') | (b'.', b'.'));
    if !separated || !matches!(rest.first()?, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    let year = i32::from(two(&date)?) * 100 + i32::from(two(&date[2..])?);
    let (month, day) = (two(&date[5..])?, two(&date[8..])?);
    let mut used = 11;
    let (seconds, nanos, length) = time_of_day(&text[used..])?;
    used += length;
    let offset = spaced_offset(&text[used..]);
    used += offset.map_or(0, |(_, length)| length);
    civil(year, month, day, seconds, nanos, offset.map(|(seconds, _)| seconds)).map(|civil| (civil, used))
}

/// Reads a time at the beginning of a text as RFC 3164 writes it: `May  1 12:30:00`, without a year, or with one behind
/// the time or behind the day, as some write it.
#[must_use]
pub fn bsd(text: &[u8]) -> Option<(Civil, usize)> {
    let month = month(text)?;
    let rest = text.get(3..)?.strip_prefix(b" ")?;
    let day = match *rest.first_chunk::<2>()? {
        [b' ', ones @ b'0'..=b'9'] => ones - b'0',
        [tens, ones] => two(&[tens, ones])?,
    };
    let (seconds, nanos, length) = time_of_day(rest.get(2..)?.strip_prefix(b" ")?)?;
    civil(0, month, day, seconds, nanos, None).map(|civil| (civil, 7 + length))
}

/// Reads a time at the beginning of a text as web servers write it: `01/May/2026:12:30:00 +0200`.
#[must_use]
pub fn clf(text: &[u8]) -> Option<(Civil, usize)> {
    let (&date, rest) = text.split_first_chunk::<12>()?;
    if (date[2], date[6], date[11]) != (b'/', b'/', b':') {
        return None;
    }
    let year = i32::from(two(&date[7..])?) * 100 + i32::from(two(&date[9..])?);
    let (seconds, nanos, length) = time_of_day(rest)?;
    let offset = spaced_offset(&rest[length..]);
    let used = 12 + length + offset.map_or(0, |(_, length)| length);
    let civil =
        civil(year, month(&date[3..])?, two(&date)?, seconds, nanos, offset.map(|(seconds, _)| seconds))?;
    Some((civil, used))
}

/// Reads a time of day at the beginning of a text, `12:30:00.123`: seconds since midnight, nanoseconds, length.
#[must_use]
pub fn time_of_day(text: &[u8]) -> Option<(u32, u32, usize)> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text.first_chunk()? else { return None };
    let (hour, minute, second) = (two(&[h1, h2])?, two(&[m1, m2])?, two(&[s1, s2])?);
    // A leap second counts as the one before it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = u32::from(hour) * 3600 + u32::from(minute) * 60 + u32::from(second.min(59));
    let (nanos, length) = fraction(&text[8..]);
    Some((seconds, nanos, 8 + length))
}

/// The time of a number since the Unix epoch: seconds, milliseconds, microseconds or nanoseconds, by its size, with or
/// without a fraction. `None` when that would not lie between 2001 and 2286.
#[must_use]
pub fn epoch(number: &[u8]) -> Option<u64> {
    let whole = number.iter().take_while(|b| b.is_ascii_digit()).count();
    let unit = match whole {
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return None,
    };
    let (nanos, length) = fraction(&number[whole..]);
    if whole + length != number.len() {
        return exponent(number);
    }
    let value =
        number[..whole].iter().fold(0_u64, |value, digit| value.wrapping_mul(10) + u64::from(digit - b'0'));
    value.checked_mul(unit)?.checked_add(u64::from(nanos) * unit / NANOS as u64)
}

/// A number with an exponent, as some write large ones.
fn exponent(number: &[u8]) -> Option<u64> {
    let seconds: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (1e9..1e10).contains(&seconds).then_some((seconds * 1e9) as u64)
}

/// `.123` or `,123`, in nanoseconds, and its length; a separator without digits is no part of it.
fn fraction(text: &[u8]) -> (u32, usize) {
    if !matches!(text, [b'.' | b',', b'0'..=b'9', ..]) {
        return (0, 0);
    }
    let digits = text[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let known = text[1..=digits].iter().map(|digit| u32::from(digit - b'0'));
    let nanos = known.chain(std::iter::repeat(0)).take(9).fold(0, |nanos, digit| nanos * 10 + digit);
    (nanos, digits + 1)
}

/// An offset, with or without a space before it.
fn spaced_offset(text: &[u8]) -> Option<(i32, usize)> {
    match text {
        [b' ', rest @ ..] => {
            let (seconds, length) = utc_name(rest).or_else(|| offset(rest))?;
            // "12:30:00 Zebra" has no offset.
            let ends = rest.get(length).is_none_or(|b| !b.is_ascii_alphanumeric());
            ends.then_some((seconds, length + 1))
        }
        _ => offset(text),
    }
}

fn utc_name(text: &[u8]) -> Option<(i32, usize)> {
    (text.starts_with(b"UTC") || text.starts_with(b"GMT")).then_some((0, 3))
}

/// `Z`, `+02:00`, `+0200` or `+02`: seconds east of UTC, and its length.
fn offset(text: &[u8]) -> Option<(i32, usize)> {
    let sign = match text.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i32::from(two(text.get(1..)?)?);
    let (minutes, length) = match text.get(3..)? {
        [b':', rest @ ..] => (two(rest)?, 6),
        rest => two(rest).map_or((0, 3), |minutes| (minutes, 5)),
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 3600 + i32::from(minutes) * 60), length))
}

/// Two digits at the beginning of a text.
fn two(text: &[u8]) -> Option<u8> {
    match *text.first_chunk::<2>()? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

/// A month's English name, shortened to three letters.
fn month(text: &[u8]) -> Option<u8> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = text.first_chunk::<3>()?;
    MONTHS.chunks_exact(3).position(|month| month == name).map(|i| i as u8 + 1)
}

fn civil(year: i32, month: u8, day: u8, seconds: u32, nanos: u32, offset: Option<i32>) -> Option<Civil> {
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then_some(Civil { year, month, day, seconds, nanos, offset })
}

/// Days since the Unix epoch, by the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-05-01T12:30:00Z
    const SECONDS: u64 = 1_777_638_600;

    fn nanos(read: Option<(Civil, usize)>) -> Option<(u64, usize)> {
        read.and_then(|(civil, used)| Some((civil.unix_nanos(None)?, used)))
    }

    #[test]
    fn reads_iso_times_and_where_they_end() {
        let second = SECONDS * 1_000_000_000;
        let cases: [(&str, u64, usize); 8] = [
            ("2026-05-01T12:30:00Z", 0, 20),
            ("2026-05-01T12:30:00.5Z", 500_000_000, 22),
            ("2026-05-01 14:30:00,123+02:00 x", 123_000_000, 29),
            ("2026/05/01 08:30:00 -0400", 0, 25),
            ("2026-05-01 12:30:00 UTC [1]", 0, 23),
            ("2026-05-01T12:30:00.1234567891Z", 123_456_789, 31),
            ("2026-05-01T14:30:00+02", 0, 22),
            ("2026-05-01 12:30:00 Z|", 0, 21),
        ];
        for (text, fraction, used) in cases {
            assert_eq!(nanos(iso(text.as_bytes())), Some((second + fraction, used)), "{text}");
        }
    }

    #[test]
    fn a_time_without_zone_needs_an_assumption() {
        let (civil, used) = iso(b"2026-05-01 12:30:00 Zebra").unwrap();
        assert_eq!((used, civil.unix_nanos(None)), (19, None));
        let offset = UtcOffset::try_from("-04:30".to_owned()).unwrap();
        assert_eq!(civil.unix_nanos(Some(offset)), Some((SECONDS + 16_200) * 1_000_000_000));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "2026-05-01", "2026-05-01x12:30:00Z", "2026-13-01T12:30:00Z", "2026-05-01T24:00:00Z"]
        {
            assert_eq!(iso(text.as_bytes()), None, "{text}");
        }
        assert!(UtcOffset::try_from("Berlin".to_owned()).is_err());
    }

    #[test]
    fn reads_the_times_of_syslog_and_web_servers() {
        let (civil, used) = bsd(b"May  1 12:30:00 host").unwrap();
        let utc = UtcOffset::try_from("Z".to_owned()).unwrap();
        let near = civil.with_year_near(SECONDS * 1_000_000_000);
        assert_eq!((used, near.unix_nanos(Some(utc))), (15, Some(SECONDS * 1_000_000_000)));
        // On the first of January, the last of December was yesterday.
        let (december, _) = bsd(b"Dec 31 23:59:59").unwrap();
        assert_eq!(december.with_year_near(1_767_225_600_000_000_000).year, 2025);
        assert_eq!(nanos(clf(b"01/May/2026:14:30:00 +0200]")), Some((SECONDS * 1_000_000_000, 26)));
    }

    #[test]
    fn reads_numbers_by_their_size() {
        let nanos = Some(SECONDS * 1_000_000_000 + 250_000_000);
        for number in
            ["1777638600.25", "1777638600250", "1777638600250000", "1777638600250000000", "1777638600250.0"]
        {
            assert_eq!(epoch(number.as_bytes()), nanos, "{number}");
        }
        for number in ["", "12", "1777638600x", "99999999999999999999", "-1777638600"] {
            assert_eq!(epoch(number.as_bytes()), None, "{number}");
        }
    }
}
