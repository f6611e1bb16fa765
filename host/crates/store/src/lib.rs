//! SQLite for everything that must last: projects, processes, runs and their output.
//!
//! All SQL runs on threads of the store; whoever calls awaits an answer. One thread writes, and commits
//! whatever waits for it as one transaction; two others read, so that a long read never delays a write.
//! An answer to a write means that it is committed, and that every later read sees it.

mod checkpoint;
mod chunks;
mod codec;
mod error;
mod errors;
mod events;
mod exports;
mod filter;
mod groups;
mod health;
mod ingest;
mod job;
mod lane;
mod leases;
mod listing;
mod logs;
mod matcher;
mod migrate;
mod open;
mod probe;
mod processes;
mod projects;
mod reader;
mod restore;
mod retention;
mod room;
mod rows;
mod runs;
mod seal;
mod search;
mod searchable;
mod sessions;
mod sql;
mod stacks;
mod store;
mod stretch;
mod unannotated;
mod usage;
mod writer;

#[cfg(test)]
mod testing;

pub use error::{OpenError, StoreError};
pub use errors::{
    Crash, ErrorCounts, ErrorGroup, ErrorPage, ErrorPoint, ErrorProcess, ErrorQuery, ErrorSort, Judged,
    NewKind, NewOccurrence, Occurrence, Sample,
};
pub use events::{Annotated, Annotations, LogEvent};
pub use exports::{Sink, Unexported};
pub use groups::GroupRecord;
pub use health::{CheckRecord, CheckResult};
pub use hostler_model::lines::Carry;
pub use ingest::{IngestBatch, IngestState, Ingested, JournalPosition};
pub use listing::{Listing, UnreadableRow};
pub use logs::{LogPage, LogPoint, LogQuery, LogRow, Order};
pub use matcher::{BadPattern, FieldFilter, Matcher};
pub use processes::{NewProcess, ProcessRecord};
pub use projects::Project;
pub use restore::{FoundProcess, FoundRun, set_aside};
pub use retention::{Keep, Removed};
pub use rows::{RowFlags, RowRef, Rows};
pub use runs::{NewRun, RunEnd, RunKey, RunReason, RunRecord};
pub use search::{Found, Search, Searched};
pub use sessions::SessionOwner;
pub use stacks::StackItems;
pub use store::Store;
pub use stretch::Stretch;
