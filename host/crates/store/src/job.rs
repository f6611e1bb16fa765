//! One operation on its way through a thread of the store.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::StoreError;

/// What a thread of the store takes from its queue.
pub(crate) enum Message {
    /// An operation.
    Job(Box<dyn Job>),
    /// Finish what is queued, then end.
    Close,
}

/// An operation whose result is kept until its transaction is committed.
pub(crate) trait Job: Send {
    /// Runs the operation. An error means that nothing it did may be kept. It may be run again.
    fn run(&mut self, conn: &Connection) -> Result<(), StoreError>;
    /// Replaces the result: the operation was rolled back.
    fn fail(&mut self, error: StoreError);
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    /// Hands the result to the caller.
    fn answer(self: Box<Self>);
}

/// An operation with the type of its result.
pub(crate) struct Typed<T, F> {
    work: F,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Typed<T, F>
where
    T: Send + 'static,
    F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    /// The message for the queue, and where its answer arrives.
    pub(crate) fn message(work: F) -> (Message, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let job = Self { work, result: Err(StoreError::Closed), reply };
        (Message::Job(Box::new(job)), answer)
    }
}

impl<T, F> Job for Typed<T, F>
where
    T: Send + 'static,
    F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    fn run(&mut self, conn: &Connection) -> Result<(), StoreError> {
        // The connection stays usable after a panic: statements reset when they are dropped, and the
        // caller of this function rolls back.
        let work = &mut self.work;
        self.result = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|panic| Err(StoreError::Panicked(text_of(panic.as_ref()))));
        self.result.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Err(error);
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>) {
        // A caller that has gone away no longer wants to know.
        drop(self.reply.send(self.result));
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown cause".to_owned())
}
