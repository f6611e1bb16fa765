//! What is said of requests that nothing here answers: an unknown method, one of the other era, one of another form.

use rmcp::RoleServer;
use rmcp::model::{
    ClientRequest, ErrorCode, ErrorData, PaginatedRequestParams, ProtocolVersion, ServerResult,
};
use rmcp::service::{NotificationContext, RequestContext, Service, ServiceRole};

use super::server::Server;
use hostler_model::nearest::nearest;

/// The methods of both eras, and what their parameters look like.
const BOTH: [(&str, &str); 9] = [
    ("tools/list", "{}"),
    ("tools/call", "{\"name\": \"TOOL\", \"arguments\": {…}}; tools/list has the names"),
    ("resources/list", "{} or {\"cursor\": \"CURSOR\"}"),
    ("resources/templates/list", "{}"),
    ("resources/read", "{\"uri\": \"URI\"}; resources/list has them"),
    ("prompts/list", "{}"),
    ("prompts/get", "{\"name\": \"PROMPT\", \"arguments\": {…}}; prompts/list has the names"),
    (
        "completion/complete",
        "{\"ref\": {\"type\": \"ref/prompt\", \"name\": \"PROMPT\"}, \"argument\": {\"name\": \"NAME\", \"value\": \"TYPED\"}}",
    ),
    ("notifications/cancelled", "{\"requestId\": ID}, without an id"),
];

/// Those of the older era only: what it opens with, and what clients subscribe with.
const OLDER: [(&str, &str); 4] = [
    ("initialize", "{\"protocolVersion\": …, \"capabilities\": {}, \"clientInfo\": {…}}"),
    ("ping", "{}"),
    ("resources/subscribe", "{\"uri\": \"URI\"}"),
    ("resources/unsubscribe", "{\"uri\": \"URI\"}"),
];

/// Those of the newer era only.
const NEWER: [(&str, &str); 2] = [
    ("server/discover", "{}"),
    ("subscriptions/listen", "{\"notifications\": {\"resourceSubscriptions\": [\"URI\"]}}"),
];

fn is_newer(version: Option<&ProtocolVersion>) -> bool {
    version.is_some_and(|v| v.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// A request that nobody took: its method is not known in this era, or its parameters have another form.
pub(super) fn refused(method: &str, version: Option<&ProtocolVersion>) -> ErrorData {
    let (of_era, other): (&[_], &[_]) = if is_newer(version) { (&NEWER, &OLDER) } else { (&OLDER, &NEWER) };
    let known = || BOTH.iter().chain(of_era).filter(|(name, _)| !name.starts_with("notifications/"));
    if let Some((_, form)) = BOTH.iter().chain(of_era).find(|(name, _)| *name == method) {
        return ErrorData::invalid_params(format!("{method} takes params {form}"), None);
    }
    let shown: String = method.chars().take(100).collect();
    let hint = match other.iter().any(|(name, _)| *name == method) {
        true => "it is of the other era of the protocol; ".to_owned(),
        false => nearest(method, known().map(|(name, _)| *name))
            .map(|near| format!("did you mean `{near}`? "))
            .unwrap_or_default(),
    };
    let names: Vec<&str> = known().map(|(name, _)| *name).collect();
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("no method `{shown}`; {hint}there are: {}", names.join(", ")),
        None,
    )
}

/// A private method, asked for by who is not the command line.
pub(super) fn of_the_command_line(method: &str, command: &str) -> ErrorData {
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("`{method}` is for hostler's own command line; run `{command}`"),
        None,
    )
}

/// Refuses a cursor where all that there is stands on one page.
///
/// # Errors
/// When there is one.
pub(super) fn only_page(method: &str, request: Option<&PaginatedRequestParams>) -> Result<(), ErrorData> {
    let Some(cursor) = request.and_then(|r| r.cursor.as_deref()) else { return Ok(()) };
    let shown: String = cursor.chars().take(100).collect();
    let message = format!("`{shown}` is no cursor of {method}: it has one page; leave `cursor` out");
    Err(ErrorData::invalid_params(message, None))
}

/// The handler of a connection to the socket. rmcp itself refuses the methods of the other era and of extensions with
/// nothing but their names; here such a refusal says what there is.
pub(super) struct Telling(pub(super) Server);

impl Service<RoleServer> for Telling {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let version = context.protocol_version();
        let method = request.method().to_owned();
        let answered = Service::<RoleServer>::handle_request(&self.0, request, context).await;
        answered.map_err(|error| match error.code == ErrorCode::METHOD_NOT_FOUND && error.message == method {
            true => refused(&method, version.as_ref()),
            false => error,
        })
    }

    async fn handle_notification(
        &self,
        notification: <RoleServer as ServiceRole>::PeerNot,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Service::<RoleServer>::handle_notification(&self.0, notification, context).await
    }

    fn get_info(&self) -> <RoleServer as ServiceRole>::Info {
        Service::<RoleServer>::get_info(&self.0)
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [ProtocolVersion]> {
        Service::<RoleServer>::supported_protocol_versions(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_there_is_in_its_era() {
        let newer = Some(ProtocolVersion::V_2026_07_28);
        let error = refused("tools/lists", newer.as_ref());
        assert_eq!(error.code, ErrorCode::METHOD_NOT_FOUND);
        assert!(error.message.contains("did you mean `tools/list`"), "{}", error.message);
        assert!(
            error.message.contains("subscriptions/listen") && !error.message.contains("ping"),
            "{}",
            error.message
        );
        let error = refused("subscriptions/listen", None);
        assert!(
            error.message.contains("the other era") && error.message.contains("resources/subscribe"),
            "{}",
            error.message
        );
        let error = refused("resources/read", None);
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
        assert!(error.message.contains("\"uri\""), "{}", error.message);
    }
}
