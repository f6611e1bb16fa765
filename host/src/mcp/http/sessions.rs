//! The sessions of clients of the older era over HTTP. A client that never comes back leaves its session behind, so
//! there is a bound: who begins one too many ends the one that was idle for longest. Its client, should it come back, is
//! told that the session is gone and begins a new one, as the protocol has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{Stream, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

/// So many at the same time; as many as connections, so that each that is in use keeps its place.
pub(super) const MAX: usize = 64;

/// The sessions of an endpoint.
#[derive(Default)]
pub(super) struct Sessions {
    inner: LocalSessionManager,
    used: Arc<Mutex<Used>>,
}

/// When each was used last, in the order of a counter, and how many answers are on their way.
#[derive(Default)]
struct Used {
    clock: u64,
    sessions: HashMap<SessionId, Use>,
}

#[derive(Default)]
struct Use {
    last: u64,
    streams: usize,
}

impl Used {
    fn touch(&mut self, id: &SessionId) {
        self.clock += 1;
        let clock = self.clock;
        self.sessions.entry(id.clone()).or_default().last = clock;
    }

    /// One that has to go before another can begin: the one that was idle for longest. Those that are in use come last.
    fn superfluous(&mut self) -> Option<SessionId> {
        if self.sessions.len() < MAX {
            return None;
        }
        let oldest = self.sessions.iter().min_by_key(|(_, used)| (used.streams > 0, used.last));
        let oldest = oldest.map(|(id, _)| id.clone())?;
        self.sessions.remove(&oldest);
        Some(oldest)
    }
}

/// An answer on its way to a client.
struct Streaming {
    used: Arc<Mutex<Used>>,
    id: SessionId,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Idle from now on.
        if let Some(session) = used.sessions.get_mut(&self.id) {
            session.streams = session.streams.saturating_sub(1);
            let id = self.id.clone();
            used.touch(&id);
        }
    }
}

impl Sessions {
    fn used<T>(&self, look: impl FnOnce(&mut Used) -> T) -> T {
        look(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn touch(&self, id: &SessionId) {
        self.used(|used| {
            if used.sessions.contains_key(id) {
                used.touch(id);
            }
        });
    }

    /// Counts a stream as long as somebody reads it.
    fn counted<S>(
        &self,
        id: &SessionId,
        stream: S,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + use<S>
    where
        S: Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    {
        self.used(|used| {
            if let Some(session) = used.sessions.get_mut(id) {
                session.streams += 1;
            }
        });
        let streaming = Streaming { used: self.used.clone(), id: id.clone() };
        stream.inspect(move |_| {
            let _ = &streaming;
        })
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        while let Some(oldest) = self.used(Used::superfluous) {
            tracing::debug!(session = %oldest, "a session over HTTP made room for another one");
            self.inner.close_session(&oldest).await?;
        }
        let (id, transport) = self.inner.create_session().await?;
        self.used(|used| used.touch(&id));
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.used(|used| used.sessions.remove(id));
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.inner.create_stream(id, message).await?;
        Ok(self.counted(id, stream))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.touch(id);
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.inner.create_standalone_stream(id).await?;
        Ok(self.counted(id, stream))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.inner.resume(id, last_event_id).await?;
        Ok(self.counted(id, stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_idle_for_longest_makes_room() {
        let id = |n: usize| SessionId::from(n.to_string());
        let mut used = Used::default();
        for n in 0..MAX - 1 {
            used.touch(&id(n));
        }
        assert_eq!(used.superfluous(), None);
        used.touch(&id(MAX));
        used.touch(&id(0));
        used.sessions.get_mut(&id(1)).unwrap().streams = 1;
        assert_eq!(used.superfluous(), Some(id(2)), "0 was used since, and 1 is in use");
        assert_eq!(used.superfluous(), None);
    }
}
