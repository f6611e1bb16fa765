//! "Did you mean": the candidate nearest to a word that was not found.

/// The candidate with the smallest edit distance to `word`, when it is near enough to be a slip of the
/// fingers: at most a third of the word's letters differ.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(distance, c)| *distance * 3 <= word.chars().count().max(c.chars().count()))
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
    }
}
