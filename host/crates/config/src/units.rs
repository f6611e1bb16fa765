//! Durations, sizes and the like as other tools write them.

/// `1m30s`, `500ms`, `1.5s`; a number alone is seconds. Milliseconds.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if let Ok(seconds) = rest.parse::<f64>() {
        return milliseconds(seconds * 1000.0);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "us" | "µs" => 0.001,
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[end..];
    }
    milliseconds(total).filter(|_| !text.trim().is_empty())
}

fn milliseconds(value: f64) -> Option<u64> {
    (value.is_finite() && (0.0..1e15).contains(&value)).then_some(value.round() as u64)
}

/// `300M`, `1gb`, `512k`, `1000`: multiples of 1024. Bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << power)
}

/// CPUs as percent of one: `0.5` is 50.
pub(crate) fn cpu_percent(text: &str) -> Option<u64> {
    let cpus: f64 = text.trim().parse().ok()?;
    (cpus > 0.0 && cpus < 1e6).then_some(((cpus * 100.0).round() as u64).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_other_tools() {
        for (text, wanted) in [
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("1.5s", Some(1_500)),
            ("10", Some(10_000)),
            ("", None),
            ("5x", None),
            ("s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration_ms(text), wanted, "{text}");
        }
        assert_eq!(
            (bytes("300M"), bytes("1gb"), bytes("7"), bytes("x")),
            (Some(314_572_800), Some(1 << 30), Some(7), None)
        );
        assert_eq!(bytes("99999999999G"), None);
        assert_eq!((cpu_percent("0.5"), cpu_percent("2"), cpu_percent("-1")), (Some(50), Some(200), None));
    }
}
