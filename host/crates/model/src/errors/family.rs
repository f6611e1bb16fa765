//! Errors that are the same but for their wording: whether a wording is one that is known, or one of a new group.
//!
//! Where stacks are the same, wordings need only be alike. Where there is nothing but the wording, it must be the same but
//! for names of things, until so many of a kind have come that some word of theirs is plainly a value: then those that
//! are alike are taken together, and their template has a gap where they differ.

use std::collections::HashMap;

use super::fingerprint::{Basis, Fingerprint, Identity};
use super::vocabulary::is_word;

/// Groups of one family from which on wordings that are only alike are taken together.
const MANY: usize = 8;
/// Words from which on the rest of a sentence tells what it is about, whatever one of them is.
const SENTENCE: usize = 5;
/// Most groups of one family; what comes then joins the most similar one.
const MOST: usize = 32;
/// Families that are kept in memory.
const FAMILIES: usize = 20_000;
/// What stands in a template where wordings differ.
const GAP: &str = "<*>";

/// A group as its family knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What the wordings of its errors have in common.
    pub template: Vec<String>,
}

/// The families of one project.
#[derive(Debug, Clone, Default)]
pub struct Families {
    members: HashMap<u128, Vec<Member>>,
}

impl Families {
    /// Makes a group known that exists.
    pub fn insert(&mut self, family: u128, member: Member) {
        let members = self.members.entry(family).or_default();
        match members.iter_mut().find(|known| known.fingerprint == member.fingerprint) {
            Some(known) => *known = member,
            None => members.push(member),
        }
    }

    /// Whether it is time to forget everything and to begin with what is stored.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.members.len() >= FAMILIES
    }

    /// Finds the group of an error, or founds it.
    pub fn place(&mut self, identity: &Identity) -> Member {
        let members = self.members.entry(identity.family).or_default();
        let wording = &identity.wording;
        if let Some(same) = members.iter().find(|member| matches(&member.template, wording)) {
            return same.clone();
        }
        let nearest = (0..members.len()).max_by_key(|at| likeness(&members[*at].template, wording));
        if let Some(at) = nearest
            && may_join(identity.basis, members.len(), &members[at].template, wording)
        {
            members[at].template = common(&members[at].template, wording);
            return members[at].clone();
        }
        let member = Member { fingerprint: identity.fingerprint(wording), template: wording.clone() };
        members.push(member.clone());
        member
    }
}

/// Whether a wording is one of a template.
fn matches(template: &[String], wording: &[String]) -> bool {
    template.len() == wording.len() && template.iter().zip(wording).all(|(t, w)| t == GAP || t == w)
}

fn may_join(basis: Basis, members: usize, template: &[String], wording: &[String]) -> bool {
    if members >= MOST {
        return true;
    }
    let alike = likeness(template, wording);
    match basis {
        // Who says nothing is another one than who says what happened.
        Basis::Stack if template.is_empty() != wording.is_empty() => false,
        // One word of its own says nothing beside a stack that is the same.
        Basis::Stack if template.len().min(wording.len()) <= 1 => true,
        Basis::Stack => alike >= 50 && !differ_by_word(template, wording),
        Basis::Message => differ_by_name(template, wording) || (members >= MANY && alike >= 60),
        Basis::Parts => true,
    }
}

/// Whether two wordings of a sentence are the same but for one name of a thing, such as that of a user.
fn differ_by_name(template: &[String], wording: &[String]) -> bool {
    if template.len() != wording.len() || template.len() < SENTENCE {
        return false;
    }
    let mut pairs = template.iter().zip(wording).filter(|(t, w)| *t != GAP && t != w);
    let Some((one, other)) = pairs.next() else { return false };
    pairs.next().is_none() && !is_word(one) && !is_word(other)
}

/// Whether two wordings that are equally long differ in a word that is no name of anything: `amount` and `price`.
fn differ_by_word(template: &[String], wording: &[String]) -> bool {
    let differ = |(t, w): (&String, &String)| *t != GAP && t != w && is_word(t) && is_word(w);
    template.len() == wording.len() && template.iter().zip(wording).any(differ)
}

/// How alike two wordings are, percent: twice the words that both have in the same order, of all words.
fn likeness(one: &[String], two: &[String]) -> usize {
    if one.is_empty() && two.is_empty() {
        return 100;
    }
    200 * *common_lengths(one, two).last().unwrap_or(&0) / (one.len() + two.len())
}

/// The last row of the table of longest common subsequences.
fn common_lengths(one: &[String], two: &[String]) -> Vec<usize> {
    let mut row = vec![0; two.len() + 1];
    for word in one {
        let mut diagonal = 0;
        for (at, other) in two.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if word == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row
}

/// What two wordings have in common, with gaps where they are equally long.
fn common(template: &[String], wording: &[String]) -> Vec<String> {
    if template.len() != wording.len() {
        return template.to_vec();
    }
    let word = |(t, w): (&String, &String)| if t == w { t.clone() } else { GAP.to_owned() };
    template.iter().zip(wording).map(word).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(basis: Basis, message: &str) -> Identity {
        let wording = super::super::parameterize::wording(message);
        Identity { basis, family: 1, wording, earlier: Vec::new() }
    }

    fn places(basis: Basis, messages: &[&str]) -> Vec<usize> {
        let mut families = Families::default();
        let mut known: Vec<Fingerprint> = Vec::new();
        let place = |message: &&str| {
            let found = families.place(&identity(basis, message)).fingerprint;
            known.iter().position(|k| *k == found).unwrap_or_else(|| {
                known.push(found);
                known.len() - 1
            })
        };
        messages.iter().map(place).collect()
    }

    #[test]
    fn with_a_stack_wordings_need_only_be_alike() {
        let messages = [
            "user ann may not read it",
            "user bob may not read it",
            "the disk is full",
            "user ann may not read it",
        ];
        assert_eq!(places(Basis::Stack, &messages), [0, 0, 1, 0]);
        assert_eq!(places(Basis::Stack, &["ann", "bob"]), [0, 0]);
        assert_eq!(places(Basis::Stack, &["", "no answer of berth 7", ""]), [0, 1, 0]);
        assert_eq!(places(Basis::Stack, &["negative quantity", "unknown sku"]), [0, 1]);
        assert_eq!(
            places(Basis::Stack, &["the price must be positive", "the amount must be positive"]),
            [0, 1]
        );
    }

    #[test]
    fn without_one_they_must_be_the_same_until_a_value_is_plain() {
        assert_eq!(places(Basis::Message, &["cannot open config file", "cannot open socket file"]), [0, 1]);
        let names: Vec<String> = ('a'..='z').map(|c| format!("user {c}{c}{c} gone")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let places = places(Basis::Message, &names);
        assert_eq!(places.iter().max(), Some(&(MANY - 1)), "{places:?}");
    }

    #[test]
    fn a_name_in_a_sentence_is_a_value() {
        let alike = ["login of user ann from 10.0.0.1 failed", "login of user frantz from 10.0.0.2 failed"];
        assert_eq!(places(Basis::Message, &alike), [0, 0]);
        let other = ["failed to open the socket of 10.0.0.1", "failed to close the socket of 10.0.0.1"];
        assert_eq!(places(Basis::Message, &other), [0, 1]);
    }

    #[test]
    fn what_is_stored_is_found_again() {
        let first = Families::default().place(&identity(Basis::Stack, "user ann may not read it"));
        let mut families = Families::default();
        families.insert(1, first.clone());
        let again = families.place(&identity(Basis::Stack, "user bob may not read it"));
        assert_eq!(again.fingerprint, first.fingerprint);
        assert_eq!(again.template[1], GAP);
    }

    proptest! {
        #[test]
        fn a_family_never_grows_without_end(messages in prop::collection::vec("[a-z]{1,6}( [a-z]{1,6}){0,6}", 1..200)) {
            let mut families = Families::default();
            for message in &messages {
                families.place(&identity(Basis::Message, message));
            }
            prop_assert!(families.members[&1].len() <= MOST);
        }

        #[test]
        fn the_same_error_is_always_in_the_same_group(messages in prop::collection::vec("[a-c]{1,2}( [a-c]{1,2}){0,4}", 1..40)) {
            let mut families = Families::default();
            for message in &messages {
                let first = families.place(&identity(Basis::Stack, message));
                let again = families.place(&identity(Basis::Stack, message));
                prop_assert_eq!(first.fingerprint, again.fingerprint);
            }
        }
    }
}
