//! What many lines have in common: templates in which a mark stands where lines differ.
//!
//! After Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017): lines with the same
//! number of words and the same beginning are compared word by word, and join the group that they resemble most. The
//! memory is bounded: what comes when there are too many groups joins the last resort of its length.

use std::collections::HashMap;

/// Stands where lines differ.
const WILD: &str = "<*>";
/// Share of words that must be the same, of ten.
const SIMILAR: usize = 5;
/// Words that are looked at; longer lines are alike if these are.
const WORDS: usize = 64;
/// Most groups.
const GROUPS: usize = 2_000;
/// Most groups that a line is compared with.
const COMPARED: usize = 64;
/// An example is cut here, bytes.
const EXAMPLE: usize = 1_000;

/// Lines that say the same about different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Their words, `<*>` where they differ.
    pub text: String,
    /// How many lines.
    pub count: u64,
    /// The first of them.
    pub example: String,
}

#[derive(Debug)]
struct Group {
    words: Vec<String>,
    count: u64,
    example: String,
}

/// Templates, made while lines come.
#[derive(Debug, Default)]
pub struct Templates {
    groups: Vec<Group>,
    /// Which groups have this number of words and this first word.
    of_kind: HashMap<(usize, String), Vec<usize>>,
}

impl Templates {
    /// Takes a line into account.
    pub fn add(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().take(WORDS).collect();
        let first = words.first().copied().unwrap_or_default();
        let first = if is_variable(first) { WILD } else { first };
        let is_full = self.groups.len() >= GROUPS;
        let mut key = (words.len(), first.to_owned());
        if is_full && !self.of_kind.contains_key(&key) {
            key = (usize::MAX, String::new());
        }
        let near = self.of_kind.entry(key).or_default();
        let alike = |at: &&usize| similarity(&self.groups[**at].words, &words);
        let best = near.iter().take(COMPARED).max_by_key(alike).copied();
        let needed = words.len() * SIMILAR;
        let joins = best.filter(|at| {
            is_full || near.len() >= COMPARED || similarity(&self.groups[*at].words, &words) * 10 >= needed
        });
        match joins {
            Some(at) => self.groups[at].join(&words),
            None => {
                near.push(self.groups.len());
                let words =
                    words.into_iter().map(|word| if is_variable(word) { WILD } else { word }.to_owned());
                let mut end = line.len().min(EXAMPLE);
                while !line.is_char_boundary(end) {
                    end -= 1;
                }
                self.groups.push(Group { words: words.collect(), count: 1, example: line[..end].to_owned() });
            }
        }
    }

    /// The templates of most lines, the most frequent first.
    #[must_use]
    pub fn most_frequent(&self, most: usize) -> Vec<Template> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.words.cmp(&b.words)));
        let shown = groups.into_iter().take(most);
        shown
            .map(|group| Template {
                text: group.words.join(" "),
                count: group.count,
                example: group.example.clone(),
            })
            .collect()
    }
}

impl Group {
    fn join(&mut self, words: &[&str]) {
        self.count += 1;
        self.words.truncate(words.len());
        for (mine, word) in self.words.iter_mut().zip(words) {
            if mine != word && mine != WILD {
                WILD.clone_into(mine);
            }
        }
    }
}

/// Words that are the same.
fn similarity(group: &[String], words: &[&str]) -> usize {
    group
        .iter()
        .zip(words)
        .filter(|(mine, word)| mine == word || (*mine == WILD && is_variable(word)))
        .count()
}

/// Numbers, times, addresses and other names that a program makes up: what has a digit.
fn is_variable(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_that_say_the_same_are_one() {
        let mut templates = Templates::default();
        for n in 0..100 {
            templates.add(&format!("GET /items/{n} took {} ms", n % 7));
            templates.add(&format!("user {} logged in", if n % 2 == 0 { "ann" } else { "bob" }));
        }
        templates.add("disk is full");
        let told: Vec<(String, u64)> =
            templates.most_frequent(9).into_iter().map(|t| (t.text, t.count)).collect();
        let expected = [("GET <*> took <*> ms", 100), ("user <*> logged in", 100), ("disk is full", 1)];
        assert_eq!(told, expected.map(|(text, count)| (text.to_owned(), count)));
        assert_eq!(templates.most_frequent(1)[0].example, "GET /items/0 took 0 ms");
    }

    proptest! {
        #[test]
        fn every_line_is_counted_once_and_groups_are_bounded(lines in prop::collection::vec("[ab1 ]{0,12}", 0..300)) {
            let mut templates = Templates::default();
            lines.iter().for_each(|line| templates.add(line));
            prop_assert!(templates.groups.len() <= GROUPS + 1);
            let told: u64 = templates.most_frequent(usize::MAX).iter().map(|t| t.count).sum();
            prop_assert_eq!(told, lines.len() as u64);
        }
    }
}
