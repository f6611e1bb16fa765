//! What plugins answer, checked by the host: nothing of an answer is believed that could be checked.

pub(crate) mod categorize;
pub(crate) mod check;
pub(crate) mod parse;

/// What breaks the contract in an answer.
pub(crate) type Broken = String;
