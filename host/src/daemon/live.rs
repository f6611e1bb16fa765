//! Output as it comes, byte by byte, for who is attached to a process. It is a copy of what was stored: who is not fast
//! enough misses some of it and is told, and nobody else waits.

use std::sync::{Arc, OnceLock};

use hostler_model::Stream;
use hostler_store::{JournalPosition, RunKey};
use tokio::sync::broadcast;

/// Pieces that wait for a slow one.
const WAITING: usize = 32;

/// What was written.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// In which run.
    pub(crate) run: RunKey,
    /// Where its journal stands behind it.
    pub(crate) until: JournalPosition,
    /// Where.
    pub(crate) stream: Stream,
    /// The bytes, as they were written.
    pub(crate) bytes: Arc<[u8]>,
}

/// The way of a process's output to those who are attached to it.
#[derive(Debug, Default)]
pub(crate) struct Live(OnceLock<broadcast::Sender<Piece>>);

impl Live {
    /// All that is read from the next round of ingest on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Piece> {
        self.0.get_or_init(|| broadcast::channel(WAITING).0).subscribe()
    }

    /// Whether somebody watches.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Tells those who watch.
    pub(crate) fn tell(&self, piece: Piece) {
        if let Some(sender) = self.0.get() {
            // They may have gone meanwhile.
            let _ = sender.send(piece);
        }
    }
}
