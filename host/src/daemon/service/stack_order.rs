//! In which order the processes of a stack are ended.

use std::collections::BTreeSet;

use hostler_model::{Group, ProcessName};

/// The processes in waves: each once those that depend on it, directly or through others, have ended.
pub(super) fn waves(groups: &[Group], mut left: BTreeSet<ProcessName>) -> Vec<Vec<ProcessName>> {
    let mut waves = Vec::new();
    while !left.is_empty() {
        let is_needed = |name: &ProcessName| {
            groups.iter().any(|group| group.dependents(name).iter().any(|other| left.contains(*other)))
        };
        let free: Vec<ProcessName> = left.iter().filter(|name| !is_needed(name)).cloned().collect();
        // Groups may contradict one another: then there is no order that is right.
        let wave = if free.is_empty() { left.iter().cloned().collect() } else { free };
        left.retain(|name| !wave.contains(name));
        waves.push(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hostler_model::groups::{Condition, Declared, Member, StopStrategy};

    use super::*;

    fn name(text: &str) -> ProcessName {
        ProcessName::try_from(text.to_owned()).unwrap()
    }

    fn group(members: &[(&str, &[&str])]) -> Group {
        let member = |(process, on): &(&str, &[&str])| Member {
            process: name(process),
            depends_on: on.iter().map(|on| (name(on), Condition::Started)).collect::<BTreeMap<_, _>>(),
            delay_ms: 0,
        };
        let members = members.iter().map(member).collect();
        let (name, stop_strategy) = (name("all"), StopStrategy::Reverse);
        Group::new(Declared { name, description: None, members, stop_strategy }).unwrap()
    }

    fn told(groups: &[Group], names: &[&str]) -> String {
        let names = names.iter().map(|text| name(text)).collect();
        let waves = waves(groups, names);
        let told =
            waves.iter().map(|wave| wave.iter().map(ProcessName::as_str).collect::<Vec<_>>().join(" "));
        told.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn dependents_end_first_also_through_those_that_stay() {
        let stack = group(&[("db", &[]), ("cache", &[]), ("api", &["db"]), ("web", &["api"])]);
        let stack = std::slice::from_ref(&stack);
        assert_eq!(told(stack, &["db", "web", "api", "cache"]), "cache web, api, db");
        assert_eq!(told(stack, &["db", "web"]), "web, db", "the api between them goes on");
        assert_eq!(told(&[], &["a", "b"]), "a b");
    }

    #[test]
    fn groups_that_contradict_one_another_end() {
        let groups = [group(&[("a", &[]), ("b", &["a"])]), group(&[("b", &[]), ("a", &["b"])])];
        assert_eq!(told(&groups, &["a", "b"]), "a b");
    }
}
