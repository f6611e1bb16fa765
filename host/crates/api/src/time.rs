//! Times as clients write and read them.

use hostler_model::Timestamp;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::ToolError;

/// RFC 3339 in UTC with milliseconds: `2026-03-01T12:00:00.000Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .map_or_else(|_| at.0.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Time of day in UTC with milliseconds, for lines of a log: `12:00:00.000`.
#[must_use]
pub fn time_of_day(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .map_or_else(|_| at.0.to_string(), |t| t.strftime("%H:%M:%S%.3f").to_string())
}

/// Reads an instant (RFC 3339) or an age (`10m`, `1h30m`, `7d`) counted back from `now`.
///
/// # Errors
/// Names the field, the bad value and both forms.
pub fn parse_instant(field: &str, text: &str, now: Timestamp) -> Result<Timestamp, ToolError> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)));
    }
    if let Some(age) = age(text) {
        let nanos = i64::try_from(age.as_nanos().abs()).unwrap_or(i64::MAX);
        return Ok(Timestamp(now.0.saturating_sub(nanos)));
    }
    Err(ToolError::invalid(format!(
        "`{field}`: {text:?} is neither a time such as \"{}\" nor an age such as \"10m\", \"1h30m\" or \"7d\"",
        rfc3339(now)
    )))
}

/// A day has 24 hours here, a week seven days; months and years have no length of their own.
fn age(text: &str) -> Option<SignedDuration> {
    text.parse::<Span>().ok()?.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_ages_are_read() {
        let now = Timestamp(1_772_366_400_000_000_000);
        assert_eq!(rfc3339(now), "2026-03-01T12:00:00.000Z");
        assert_eq!(parse_instant("since", "2026-03-01T12:00:00Z", now), Ok(now));
        for (age, seconds) in [("10m", 600), ("1h30m", 5_400), ("7d", 604_800), ("1w 1s", 604_801), ("0s", 0)]
        {
            let ago = Timestamp(now.0 - seconds * 1_000_000_000);
            assert_eq!(parse_instant("since", age, now), Ok(ago), "{age}");
        }
        assert!(parse_instant("since", "1y", now).is_err());
        let message = parse_instant("since", "yesterday", now).unwrap_err().message;
        assert!(
            message.contains("`since`") && message.contains("yesterday") && message.contains("10m"),
            "{message}"
        );
    }
}
