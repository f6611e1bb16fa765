//! One file per command.

pub(super) mod analyze;
pub(super) mod attach;
pub(super) mod clear;
pub(super) mod errors;
pub(super) mod group;
pub(super) mod health;
mod health_args;
pub(super) mod import;
pub(super) mod info;
pub(super) mod kill;
pub(super) mod logs;
mod logs_export;
mod logs_follow;
mod logs_show;
pub(super) mod ps;
pub(super) mod resolve;
pub(super) mod restart;
pub(super) mod search;
pub(super) mod spec_args;
pub(super) mod start;
pub(super) mod stats;
pub(super) mod stop;
pub(super) mod summary;
pub(super) mod up;
