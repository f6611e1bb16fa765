//! Where in a file what stands, so that a mistake that is found later is told with its place as well.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::mistake::Mistake;

/// Places by their paths: `processes`, `web`, `health`, `0`, `plugin`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places(BTreeMap<Vec<String>, Range<usize>>);

/// Settings of the whole file that processes have from it.
const OF_ALL: [&str; 3] = ["limits", "env", "env_profile"];

impl Places {
    /// Those of a file.
    pub(crate) fn of(text: &str, file: &DeTable<'_>) -> Self {
        let mut places = Self::default();
        places.add_table(text, &mut Vec::new(), file);
        places
    }

    fn add_table(&mut self, text: &str, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            path.push(key.get_ref().to_string());
            // Of a table below a header, the header says which one it is.
            let is_inline = text.get(value.span()).is_some_and(|text| text.starts_with('{'));
            let is_below_header = matches!(value.get_ref(), DeValue::Table(_)) && !is_inline;
            self.0.insert(path.clone(), if is_below_header { key.span() } else { value.span() });
            self.add_value(text, path, value);
            path.pop();
        }
    }

    fn add_value(&mut self, text: &str, path: &mut Vec<String>, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(text, path, table),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    path.push(at.to_string());
                    self.0.insert(path.clone(), item.span());
                    self.add_value(text, path, item);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// The narrowest known place of what a path leads to, below a table; none when not even its first part is there.
    fn below(&self, table: &[&str], path: &[&str]) -> Option<Range<usize>> {
        (1..=path.len()).rev().find_map(|length| {
            let whole: Vec<String> =
                table.iter().chain(&path[..length]).map(|part| (*part).to_owned()).collect();
            self.0.get(&whole).cloned()
        })
    }

    /// What is wrong with a process, at the setting that the message names in backticks, wherever the process has it
    /// from: itself or one of `from`; else at `otherwise`, a setting that it may have; else where it is declared.
    pub(crate) fn of_process(
        &self,
        text: &str,
        process: &str,
        from: &[[&str; 2]],
        message: &str,
        otherwise: &str,
    ) -> Mistake {
        let own = ["processes", process];
        let word = |word: &str| {
            let path: Vec<&str> = word.split(['.', '[', ']']).filter(|part| !part.is_empty()).collect();
            let first = *path.first()?;
            let settings = std::iter::once(&own).chain(from).find_map(|table| self.below(table, &path));
            let of_defaults = || self.below(&["defaults"], &path);
            let of_all = || self.below(&[], &path).filter(|_| OF_ALL.contains(&first));
            settings.or_else(of_defaults).or_else(of_all)
        };
        let named = message.split('`').skip(1).step_by(2).find_map(word);
        let span = named.or_else(|| word(otherwise)).or_else(|| self.below(&["processes"], &[process]));
        Mistake::at(text, span.unwrap_or(0..0), format!("process `{process}`: {message}"))
    }

    /// What is wrong with a plugin.
    #[must_use]
    pub fn of_plugin(&self, text: &str, plugin: &str, message: &str) -> Mistake {
        let word = |word: &str| {
            let path: Vec<&str> = word.split('.').collect();
            self.below(&["plugins", plugin], &path)
        };
        let named = message.split('`').skip(1).step_by(2).find_map(word);
        let span = named.or_else(|| self.below(&["plugins"], &[plugin]));
        Mistake::at(text, span.unwrap_or(0..0), format!("[plugins.{plugin}]: {message}"))
    }
}
