//! Series as a line of small columns.

const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One column for each value, the largest the highest.
pub(super) fn line(values: &[f64]) -> String {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let column = |value: &f64| {
        let share = if largest > 0.0 { value / largest } else { 0.0 };
        COLUMNS[((share * 7.0).round().clamp(0.0, 7.0)) as usize]
    };
    values.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_the_highest() {
        assert_eq!(line(&[0.0, 1.0, 2.0, 7.0]), "▁▂▃█");
        assert_eq!(line(&[0.0, 0.0]), "▁▁");
        assert_eq!(line(&[]), "");
    }
}
