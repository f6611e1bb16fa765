//! Times as clients write and read them.

use hostler_model::Timestamp;
use jiff::SignedDuration;

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

/// Reads an instant (RFC 3339) or an age (`10m`, `1h30m`, `45s`) counted back from `now`.
///
/// # Errors
/// Names the field, the bad value and both forms.
pub fn parse_instant(field: &str, text: &str, now: Timestamp) -> Result<Timestamp, ToolError> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)));
    }
    if let Ok(age) = text.parse::<SignedDuration>() {
        let nanos = i64::try_from(age.as_nanos().abs()).unwrap_or(i64::MAX);
        return Ok(Timestamp(now.0.saturating_sub(nanos)));
    }
    Err(ToolError::invalid(format!(
        "`{field}`: {text:?} is neither a time such as \"{}\" nor an age such as \"10m\" or \"1h30m\"",
        rfc3339(now)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_ages_are_read() {
        let now = Timestamp(1_772_366_400_000_000_000);
        assert_eq!(rfc3339(now), "2026-03-01T12:00:00.000Z");
        assert_eq!(parse_instant("since", "2026-03-01T12:00:00Z", now), Ok(now));
        assert_eq!(parse_instant("since", "10m", now), Ok(Timestamp(now.0 - 600_000_000_000)));
        let message = parse_instant("since", "yesterday", now).unwrap_err().message;
        assert!(
            message.contains("`since`") && message.contains("yesterday") && message.contains("10m"),
            "{message}"
        );
    }
}
