//! A bounded queue of operations with the threads that serve it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::job::{Message, Typed};

/// Operations that may wait; whoever brings another waits for room.
const QUEUE: usize = 1024;

/// The receiving end, shared by the threads of a lane: whichever is free holds the lock and waits.
pub(crate) type Queue = Arc<Mutex<mpsc::Receiver<Message>>>;

/// A queue and its threads, each with a connection of its own.
pub(crate) struct Lane {
    /// None only while it is dropped.
    sender: Option<mpsc::Sender<Message>>,
    workers: Mutex<Vec<Worker>>,
}

struct Worker {
    thread: JoinHandle<()>,
    /// Closes when the thread is about to end, so that an async caller can wait for it.
    ended: oneshot::Receiver<()>,
}

impl Lane {
    /// Starts one thread for each connection.
    pub(crate) fn start(
        name: &str,
        connections: Vec<Connection>,
        serve: fn(Connection, &Queue),
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let queue: Queue = Arc::new(Mutex::new(receiver));
        let mut lane = Self { sender: Some(sender), workers: Mutex::default() };
        for conn in connections {
            let (queue, (alive, ended)) = (Arc::clone(&queue), oneshot::channel());
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                serve(conn, &queue);
                drop::<oneshot::Sender<()>>(alive);
            })?;
            let workers = lane.workers.get_mut().unwrap_or_else(PoisonError::into_inner);
            workers.push(Worker { thread, ended });
        }
        Ok(lane)
    }

    /// Queues an operation and waits for its result.
    pub(crate) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let sender = self.sender.as_ref().ok_or(StoreError::Closed)?;
        let (message, answer) = Typed::message(work);
        sender.send(message).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// [`Lane::call`] for a thread that may wait.
    pub(crate) fn call_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let sender = self.sender.as_ref().ok_or(StoreError::Closed)?;
        let (message, answer) = Typed::message(work);
        sender.blocking_send(message).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Lets the threads finish what is queued and waits until they have ended.
    pub(crate) async fn close(&self) {
        let workers = self.take_workers();
        if let Some(sender) = &self.sender {
            // One for each: a thread that waits for its next message holds the queue, so only its own message
            // can reach it. An error means that it is closed already.
            for _ in &workers {
                drop(sender.send(Message::Close).await);
            }
        }
        for worker in workers {
            // Closed without a message is how it ends; see `Worker::ended`.
            drop(worker.ended.await);
            join(worker.thread);
        }
    }

    fn take_workers(&self) -> Vec<Worker> {
        std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.sender = None;
        for worker in self.take_workers() {
            join(worker.thread);
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the database panicked");
    }
}

/// Waits for the next message; none when the lane is closed and its queue empty.
pub(crate) fn next(queue: &Queue) -> Option<Message> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

/// Takes no further messages; those already queued are still served.
pub(crate) fn refuse_more(queue: &Queue) {
    queue.lock().unwrap_or_else(PoisonError::into_inner).close();
}

/// The next message, if one waits already.
pub(crate) fn next_waiting(queue: &Queue) -> Option<Message> {
    let mut receiver = queue.lock().unwrap_or_else(PoisonError::into_inner);
    receiver.try_recv().ok()
}
