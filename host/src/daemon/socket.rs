//! The daemon's socket: for this user only, one MCP server per connection.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::home::Home;
use super::service::Service;

/// Binds the socket. A stale one of a dead daemon is replaced: the caller holds the lock of the home.
///
/// # Errors
/// When the directory cannot be written.
pub(crate) fn bind(home: &Home) -> io::Result<UnixListener> {
    let path = home.socket();
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let (_dir, address) = reachable(&path)?;
    let listener = UnixListener::bind(&address)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Whether somebody accepts connections.
pub(crate) fn answers(home: &Home) -> bool {
    reachable(&home.socket()).is_ok_and(|(_dir, path)| std::os::unix::net::UnixStream::connect(path).is_ok())
}

/// A path to a socket that is short enough for its address (107 bytes): through the open directory, which
/// must stay open while the path is used.
///
/// # Errors
/// When the directory cannot be opened.
pub(crate) fn reachable(path: &Path) -> io::Result<(Option<std::fs::File>, PathBuf)> {
    if path.as_os_str().len() <= 100 {
        return Ok((None, path.to_owned()));
    }
    use std::os::fd::AsRawFd;
    let dir = std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default();
    let short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
    Ok((Some(dir), short))
}

/// Serves connections until `shutdown`; those that are open then end on their own, with its help.
pub(crate) async fn serve(
    listener: UnixListener,
    service: Arc<Service>,
    shutdown: CancellationToken,
    connections: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) if is_ours(&stream) => {
                let served = crate::mcp::serve(stream, service.clone(), shutdown.clone());
                connections.spawn(served);
            }
            Ok(_) => tracing::warn!("refused a connection of another user"),
            Err(error) => {
                // Out of descriptors: accepting again at once would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}
