//! Errors: what makes two of them the same, what must not be shown of them, and what is remembered of a group.
//!
//! A categorizer reads the text of an error into a [`Fault`]. From that, [`fingerprint`] says by what it is told from
//! others for certain, and [`family`] settles by its wording what is left. [`group`] is what a group goes through.

pub mod family;
pub mod fault;
pub mod fingerprint;
pub mod group;
mod names;
pub mod parameterize;
pub mod redact;
pub mod trend;
mod vocabulary;

pub use family::{Families, Member};
pub use fault::{Exception, Fault, Frame};
pub use fingerprint::{Basis, Fingerprint, Identity};
pub use group::{Anomaly, GroupState, Regression, Resolution};
pub use redact::Redactor;
pub use trend::Trend;
