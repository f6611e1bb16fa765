//! "Did you mean": the candidate nearest to a word that was not found.

/// The candidate with the smallest edit distance to `word`, when it is near enough to be a slip of the
/// fingers: at most a third of the word's letters differ.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    candidates
        .into_iter()
        .map(|c| (c.chars().count(), c))
        // The lengths alone tell most of them apart, at no cost: the distance takes their product in time.
        .filter(|(other, _)| length.abs_diff(*other) * 3 <= length.max(*other))
        .map(|(other, c)| (strsim::damerau_levenshtein(word, c), length.max(other), c))
        .filter(|(distance, longer, _)| *distance * 3 <= *longer)
        .map(|(distance, _, c)| (distance, c))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_refuses_strangers() {
        assert_eq!(nearest("comand", ["command", "cwd", "name"]), Some("command"));
        assert_eq!(nearest("wbe", ["web", "api"]), Some("web"));
        assert_eq!(nearest("zzz", ["web", "api"]), None);
        let huge = "x".repeat(10 << 20);
        assert_eq!(nearest(&huge, std::iter::repeat_n("sleep", 2_000)), None);
    }
}
