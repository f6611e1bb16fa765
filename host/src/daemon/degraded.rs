//! What does not work as it should: told in `hostler daemon status`, and healed by the next success.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What does not work as it should, by part. `hostler daemon status` shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Degraded(Arc<Mutex<HashMap<&'static str, String>>>);

impl Degraded {
    /// Notes the outcome of something: a failure degrades its part, a success heals it.
    pub(crate) fn note<T, E: std::fmt::Display>(&self, part: &'static str, outcome: &Result<T, E>) {
        let Err(error) = outcome else { return self.healed(part) };
        let text = format!("{part}: {error}");
        let mut parts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // What is tried every second is not told every second.
        if parts.get(part) != Some(&text) {
            tracing::error!(part, %error, "degraded");
            parts.insert(part, text);
        }
    }

    /// A part works as it should.
    pub(crate) fn healed(&self, part: &'static str) {
        let mut parts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if parts.remove(part).is_some() {
            tracing::info!(part, "no longer degraded");
        }
    }

    /// Something that stays to be known for as long as this daemon lives.
    pub(crate) fn remark(&self, text: String) {
        let mut parts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        parts.insert("remark", text);
    }

    /// A note for an answer, with what does not work ahead of what else there is to say.
    pub(crate) fn with_note(&self, note: Option<String>) -> Option<String> {
        let list = self.list();
        if list.is_empty() {
            return note;
        }
        let degraded = format!("hostler is degraded: {}", list.join("; "));
        Some(note.map_or(degraded.clone(), |note| format!("{degraded}. {note}")))
    }

    /// All of it, in words.
    pub(crate) fn list(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut list: Vec<String> = parts.values().cloned().collect();
        list.sort();
        list
    }
}
