//! The MCP server: one per connection of the daemon's socket.

mod attach;
mod calls;
mod completion;
mod consent;
pub(crate) mod http;
#[cfg(test)]
mod in_process;
mod links;
mod methods;
mod prompts;
mod reference;
mod resources;
mod server;
mod subscriptions;
mod tools;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hostler_api::connection::{PREAMBLE_VERSION, Preamble, Selection, Welcome};
use rmcp::service::{ServerInitializeError, serve_server};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::daemon::service::{Client, Owner, Service};
use transport::{Line, SocketTransport};

pub(crate) use attach::{ATTACH_METHOD, RESIZE_METHOD};
pub(crate) use reference::reference;
pub(crate) use server::{GROUPS_METHOD, METRICS_METHOD, PLUGINS_METHOD, STATUS_METHOD, STOP_METHOD};
pub(crate) use tools::check_selection;

/// A client has this long for its first line.
const FIRST_LINE: Duration = Duration::from_secs(60);

/// Serves one connection to its end. At a shutdown, calls that wait answer with what there is.
pub(crate) async fn serve(stream: UnixStream, service: Arc<Service>, shutdown: CancellationToken) {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let closing = CancellationToken::new();
    let mut transport = SocketTransport::new(stream, closing.clone(), shutdown.clone());
    let first = tokio::select! {
        first = tokio::time::timeout(FIRST_LINE, transport.next_line()) => first,
        () = shutdown.cancelled() => return,
    };
    let Ok(Some(first)) = first else { return };
    let preamble = match &first {
        Line::Whole(line) => Preamble::parse(line),
        Line::TooLong { .. } => None,
    };
    let (cwd, path, welcome, selection, sort) = match preamble {
        Some(preamble) if preamble.hostler == PREAMBLE_VERSION => {
            tracing::debug!(client = %preamble.client, cwd = %preamble.cwd, "connected");
            {
                let Preamble { cwd, path, welcome, selection, client, .. } = preamble;
                (PathBuf::from(cwd), path, welcome, selection, client)
            }
        }
        Some(preamble) => {
            let message = format!(
                "this daemon (version {}) does not know preamble version {}; run `hostler daemon restart`",
                env!("CARGO_PKG_VERSION"),
                preamble.hostler
            );
            transport.refuse(message).await;
            return;
        }
        None => {
            transport.put_back(first);
            let cwd = peer.and_then(cwd_of).unwrap_or_else(|| PathBuf::from("/"));
            (cwd, None, false, Selection::default(), String::new())
        }
    };
    match service.client(&cwd, path, peer.and_then(Owner::of), sort).await {
        Ok(client) => {
            if welcome {
                let version = env!("CARGO_PKG_VERSION").to_owned();
                transport.welcome(&Welcome { hostler: PREAMBLE_VERSION, version, selected: true }).await;
            }
            let owner = client.owner;
            owner.inspect(|owner| service.sessions.connected(*owner));
            serve_client(transport, service.clone(), client, &selection, closing).await;
            // The end of the daemon is not that of its clients.
            if let Some(owner) = owner.filter(|_| !shutdown.is_cancelled()) {
                service.disconnected(owner).await;
            }
        }
        Err(error) => transport.refuse(error.message).await,
    }
}

async fn serve_client(
    transport: SocketTransport,
    service: Arc<Service>,
    client: Client,
    selection: &Selection,
    closing: CancellationToken,
) {
    let client = Arc::new(client);
    let server = server::Server::new(service, client, selection, closing.clone());
    match serve_server(methods::Telling(server), transport).await {
        Ok(running) => {
            if let Err(error) = running.waiting().await {
                tracing::warn!(%error, "a connection ended badly");
            }
        }
        // A client that looks whether somebody is there and leaves.
        Err(ServerInitializeError::ConnectionClosed(_)) => {}
        Err(error) => tracing::warn!(%error, "a client did not get past its first message"),
    }
    closing.cancel();
}

fn cwd_of(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}
