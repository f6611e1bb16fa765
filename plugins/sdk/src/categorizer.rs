//! Error categorizers.

use crate::{batch::Batch, bindings::base::hostler::plugin::types::TextBatch, plugin::Plugin};

pub use crate::bindings::error_categorizer::exports::hostler::plugin::error_categorizing::{
    Exception, Frame, Verdict,
};

/// Says what kind of error a text is about.
pub trait ErrorCategorizer: Plugin {
    /// Categorizes the whole text of one error, lines separated by line feeds; `None` when it does not understand it.
    fn categorize(&mut self, text: &str) -> Option<Verdict>;
}

/// Runs a categorizer as the host does.
pub fn categorize<C: ErrorCategorizer>(categorizer: &mut C, texts: &TextBatch) -> Vec<Option<Verdict>> {
    let batch = Batch::new(&texts.bytes, &texts.ends);
    batch.iter().map(|text| categorizer.categorize(&String::from_utf8_lossy(text))).collect()
}
