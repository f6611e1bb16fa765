//! Performance data of Nagios plugins: `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces.

use hostler_plugin::health::Metric;

/// No more than the host takes.
const MOST: usize = 32;

/// The first line up to the bar, and all performance data: behind the bar of the first line, and behind that of the
/// lines below it.
pub(crate) fn split(output: &[u8]) -> (String, String) {
    let output = String::from_utf8_lossy(output);
    let (first, rest) = output.split_once('\n').unwrap_or((&output, ""));
    let (text, data) = first.split_once('|').unwrap_or((first, ""));
    let more = rest.split_once('|').map_or("", |(_, more)| more);
    (text.trim().to_owned(), format!("{data} {more}"))
}

/// The numbers of performance data. What is no number, such as `U` for unknown, is left out.
pub(crate) fn metrics(data: &str) -> Vec<Metric> {
    let mut rest = data.trim_start();
    let mut metrics = Vec::new();
    while let Some((label, after)) = label(rest).filter(|_| metrics.len() < MOST) {
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let value = after[..end].split(';').next().unwrap_or_default();
        metrics.extend(metric(label, value));
        rest = after[end..].trim_start();
    }
    metrics
}

/// A label, which may be quoted, and what stands behind its equals sign.
fn label(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('\'') {
        Some(quoted) => quoted.split_once("'="),
        None => text.split_once('='),
    }
}

fn metric(label: &str, value: &str) -> Option<Metric> {
    let number = value.len()
        - value.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | ',')).len();
    let (number, unit) = value.split_at(number);
    let number: f64 = number.replace(',', ".").parse().ok()?;
    let (factor, unit) = match unit {
        "s" => (1e3, "ms"),
        "ms" => (1.0, "ms"),
        "us" => (1e-3, "ms"),
        "B" => (1.0, "By"),
        "KB" => (1024.0, "By"),
        "MB" => (1024.0 * 1024.0, "By"),
        "GB" => (1024.0 * 1024.0 * 1024.0, "By"),
        "TB" => (1024.0 * 1024.0 * 1024.0 * 1024.0, "By"),
        "%" => (1.0, "%"),
        _ => (1.0, ""),
    };
    Some(Metric { name: snake_case(label), value: number * factor, unit: unit.to_owned() })
}

fn snake_case(label: &str) -> String {
    let name: String =
        label.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    match name.trim_matches('_') {
        "" => "value".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}
