//! What the command line needs to attach to a process, beside the tools: its output as notifications while a request is
//! under way, and the size of its terminal. Input is the tool `send_input`.

use hostler_api::ToolError;
use rmcp::RoleServer;
use rmcp::model::{CustomNotification, ServerNotification};
use rmcp::service::RequestContext;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::daemon::service::{Client, Service};

/// Shows output until the run is over, as notifications; the answer says how it ended.
pub(crate) const ATTACH_METHOD: &str = "hostler/attach";
/// The notifications.
pub(crate) const OUTPUT_METHOD: &str = "notifications/hostler/output";
/// Sets the size of the window of a terminal.
pub(crate) const RESIZE_METHOD: &str = "hostler/resize";

/// `hostler/attach`.
///
/// # Errors
/// When the process is not there or does not run.
pub(super) async fn attach(
    service: &Service,
    client: &Client,
    params: Value,
    context: &RequestContext<RoleServer>,
    closing: &CancellationToken,
) -> Result<Value, ToolError> {
    let mut attachment = service.attach(client, read(params)?).await?;
    loop {
        let next = tokio::select! {
            next = attachment.next() => next,
            () = context.ct.cancelled() => None,
            () = closing.cancelled() => None,
        };
        let Some(next) = next else { break };
        let params = serde_json::to_value(next).map_err(|e| ToolError::internal(e.to_string()))?;
        let notification = CustomNotification::new(OUTPUT_METHOD, Some(params));
        // Waits until the client has room for it.
        if context.peer.send_notification(ServerNotification::CustomNotification(notification)).await.is_err()
        {
            break;
        }
    }
    serde_json::to_value(attachment.end()).map_err(|e| ToolError::internal(e.to_string()))
}

/// `hostler/resize`.
///
/// # Errors
/// When the process is not there.
pub(super) async fn resize(service: &Service, client: &Client, params: Value) -> Result<Value, ToolError> {
    service.resize(client, read(params)?).await.map(|()| Value::Object(Default::default()))
}

fn read<T: DeserializeOwned>(mut params: Value) -> Result<T, ToolError> {
    if let Some(fields) = params.as_object_mut() {
        fields.remove("_meta");
    }
    serde_json::from_value(params).map_err(|e| ToolError::invalid(format!("the parameters: {e}")))
}
