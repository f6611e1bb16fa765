//! The resources: what there is to read, by which URI, and what it says.

pub(super) mod watch;

use std::sync::Arc;

use hostler_api::{ErrorKind, ToolError};
use rmcp::model::{
    CacheScope, ErrorData, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::tools;
use crate::daemon::service::{Client, Service};

const JSON: &str = "application/json";
/// Resources of one page.
const PAGE: usize = 100;
/// The templates change with the version only.
const TEMPLATES_TTL_MS: u64 = 3_600_000;
/// Processes come and go; who subscribes is told.
const LIST_TTL_MS: u64 = 5_000;
/// What is read changes all the time.
const READ_TTL_MS: u64 = 1_000;

/// What a URI stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Processes,
    Process(String),
    RecentLogs,
    Logs(String),
    Errors,
    Error(String),
    Groups,
    Group(String),
    Health,
    Metrics,
}

/// The resources that are always there: URI, name, what it is.
const FIXED: [(&str, &str, &str); 6] = [
    ("processes://list", "processes", "All processes of this project: status, pid, ports, CPU, memory"),
    ("logs://recent", "recent logs", "The newest lines of all processes of this project"),
    ("errors://latest", "errors", "The newest unresolved errors, grouped"),
    ("groups://list", "groups", "All groups of this project, and how their members stand"),
    ("health://status", "health", "Which processes are well, and which are not"),
    ("metrics://summary", "metrics", "CPU and memory of each process, and the daemon itself"),
];

/// The templates: URI, name, what it is.
const TEMPLATES: [(&str, &str, &str); 4] = [
    (
        "processes://{process}",
        "process",
        "All about one process: state, declaration, past runs, tree, limits",
    ),
    ("logs://{process}", "logs", "The newest lines of one process"),
    ("errors://{error_id}", "error", "One group of errors, with its occurrences"),
    ("groups://{group}", "group", "One group and its members"),
];

/// All of them, for the documentation.
pub(super) fn catalogue() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    FIXED.into_iter().chain(TEMPLATES)
}

/// The argument of a template.
///
/// # Errors
/// When there is no such template; the message names those that there are.
pub(super) fn argument_of(template: &str) -> Result<&'static str, String> {
    let argument = |uri: &'static str| uri.split_once('{').map(|(_, rest)| rest.trim_end_matches('}'));
    let found = TEMPLATES.iter().find(|(uri, ..)| *uri == template);
    found.and_then(|(uri, ..)| argument(uri)).ok_or_else(|| {
        let shown: String = template.chars().take(100).collect();
        let known: Vec<&str> = TEMPLATES.iter().map(|(uri, ..)| *uri).collect();
        format!("no template `{shown}` with an argument; there are {}", known.join(", "))
    })
}

impl Target {
    /// Reads a URI. In a name, `/` may be written as it is or as `%2F`.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let rest = percent_decoded(rest)?;
        if rest.is_empty() {
            return None;
        }
        match (scheme, rest.as_str()) {
            ("processes", "list") => Some(Self::Processes),
            ("processes", _) => Some(Self::Process(rest)),
            ("logs", "recent") => Some(Self::RecentLogs),
            ("logs", _) => Some(Self::Logs(rest)),
            ("errors", "latest") => Some(Self::Errors),
            ("errors", _) => Some(Self::Error(rest)),
            ("groups", "list") => Some(Self::Groups),
            ("groups", _) => Some(Self::Group(rest)),
            ("health", "status") => Some(Self::Health),
            ("metrics", "summary") => Some(Self::Metrics),
            _ => None,
        }
    }

    /// The process that it is about, where it is about one.
    pub(super) fn process(&self) -> Option<&str> {
        match self {
            Self::Process(name) | Self::Logs(name) => Some(name),
            Self::Processes
            | Self::RecentLogs
            | Self::Errors
            | Self::Error(_)
            | Self::Groups
            | Self::Group(_)
            | Self::Health
            | Self::Metrics => None,
        }
    }

    /// Whether there is something to read now. Reads the database, where that is needed to know.
    pub(super) async fn exists(&self, service: &Service, client: &Client) -> bool {
        match self {
            Self::Group(name) => service.group_names(client).contains(name),
            Self::Error(id) => service.has_error(id).await,
            _ => self.process().is_none_or(|name| service.lookup(client, name).is_some()),
        }
    }

    async fn content(&self, service: &Arc<Service>, client: &Arc<Client>) -> Result<Value, ToolError> {
        match self {
            Self::Processes => to_json(service.overview(client).await?),
            Self::Process(name) => to_json(service.info(client, named(name)?).await?),
            Self::RecentLogs => to_json(service.recent_logs(client).await?),
            Self::Logs(name) => to_json(service.logs(client, records(name)?).await?),
            Self::Errors => tools::structured("get_latest_errors", service, client, json!({})).await,
            Self::Error(id) => {
                tools::structured("get_errors", service, client, json!({"error_id": id})).await
            }
            Self::Groups => to_json(service.list_groups(client, None, false).await?),
            Self::Group(name) => to_json(service.group_named(client, name)?),
            Self::Health => to_json(service.health_overview(client).await?),
            Self::Metrics => to_json(service.metrics_summary(client).await?),
        }
    }
}

fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, ToolError> {
    from_json(json!({"process": name}))
}

fn records<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, ToolError> {
    from_json(json!({"process": name, "format": "records"}))
}

fn from_json<T: serde::de::DeserializeOwned>(request: Value) -> Result<T, ToolError> {
    serde_json::from_value(request).map_err(|e| ToolError::internal(e.to_string()))
}

fn to_json(value: impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(value).map_err(|e| ToolError::internal(e.to_string()))
}

/// `resources/read`.
pub(super) async fn read(
    service: &Arc<Service>,
    client: &Arc<Client>,
    uri: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let (_, mut content) = found(service, client, uri).await?;
    service.errors.redactor().redact_json(&mut content);
    let contents = ResourceContents::text(content.to_string(), uri).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(READ_TTL_MS).with_cache_scope(CacheScope::Private))
}

/// What a URI stands for, and what is to be read there now.
///
/// # Errors
/// When there is nothing: what there is instead.
pub(super) async fn found(
    service: &Arc<Service>,
    client: &Arc<Client>,
    uri: &str,
) -> Result<(Target, Value), ErrorData> {
    let target = Target::parse(uri).ok_or_else(|| not_found(uri, &unknown(uri)))?;
    let content = target.content(service, client).await.map_err(|error| match error.kind {
        ErrorKind::NotFound => not_found(uri, &error.message),
        ErrorKind::InvalidInput | ErrorKind::Forbidden | ErrorKind::Conflict | ErrorKind::NotConfigured => {
            ErrorData::invalid_params(error.message, None)
        }
        ErrorKind::Internal => ErrorData::internal_error(error.message, None),
    })?;
    Ok((target, content))
}

/// Nothing is to be read at a URI.
fn not_found(uri: &str, message: &str) -> ErrorData {
    ErrorData::resource_not_found(message.to_owned(), Some(json!({"uri": uri})))
}

/// What is said of a URI that is none of ours.
fn unknown(uri: &str) -> String {
    let shown: String = uri.chars().take(100).collect();
    let known: Vec<&str> = FIXED.iter().chain(&TEMPLATES).map(|(uri, ..)| *uri).collect();
    format!("no resource `{shown}`; there are {}", known.join(", "))
}

/// `resources/list`: those that are always there, then those of each process.
pub(super) async fn list(
    service: &Service,
    client: &Client,
    cursor: Option<&str>,
) -> Result<ListResourcesResult, ErrorData> {
    let fixed = FIXED.map(|(uri, name, description)| resource(uri, name, description));
    let names = service.process_names(client);
    let of_process = |name: &String| {
        [
            resource(&format!("processes://{name}"), name, &format!("All about the process {name}")),
            resource(
                &format!("logs://{name}"),
                &format!("{name} logs"),
                &format!("The newest lines of {name}"),
            ),
        ]
    };
    let of_group = |name: &String| {
        resource(&format!("groups://{name}"), name, &format!("The group {name} and its members"))
    };
    let groups = service.group_names(client);
    let of_processes = names.iter().flat_map(of_process);
    let all: Vec<Resource> =
        fixed.into_iter().chain(of_processes).chain(groups.iter().map(of_group)).collect();
    let start = match cursor {
        None => 0,
        // A resource that went away meanwhile had a place in the order of names: the next page begins there.
        Some(cursor) => match all.iter().position(|r| r.uri == cursor) {
            Some(at) => at + 1,
            None => all.iter().position(|r| follows(r, cursor)).unwrap_or(all.len()),
        },
    };
    if let Some(cursor) = cursor.filter(|c| Target::parse(c).is_none()) {
        let shown: String = cursor.chars().take(100).collect();
        return Err(ErrorData::invalid_params(format!("`{shown}` is no cursor of resources/list"), None));
    }
    let page: Vec<Resource> = all.iter().skip(start).take(PAGE).cloned().collect();
    let more = start + page.len() < all.len();
    let mut result = ListResourcesResult::with_all_items(page);
    result.next_cursor = result.resources.last().filter(|_| more).map(|last| last.uri.clone());
    Ok(result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private))
}

/// Whether a resource of a process or group comes after the one that a cursor names. Groups come last.
fn follows(resource: &Resource, cursor: &str) -> bool {
    let place = |uri: &str| uri.split_once("://").map(|(scheme, name)| (scheme == "groups", name.to_owned()));
    !FIXED.iter().any(|(uri, ..)| *uri == resource.uri) && place(&resource.uri) > place(cursor)
}

/// `resources/templates/list`.
pub(super) fn templates() -> ListResourceTemplatesResult {
    let template = |(uri, name, description): (&str, &str, &str)| {
        ResourceTemplate::new(uri, name).with_description(description).with_mime_type(JSON)
    };
    ListResourceTemplatesResult::with_all_items(TEMPLATES.map(template).to_vec())
        .with_ttl_ms(TEMPLATES_TTL_MS)
        .with_cache_scope(CacheScope::Public)
}

fn resource(uri: &str, name: &str, description: &str) -> Resource {
    Resource::new(uri, name).with_description(description).with_mime_type(JSON)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let code = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(code).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read() {
        let process = |name: &str| Some(Target::Process(name.to_owned()));
        assert_eq!(Target::parse("processes://list"), Some(Target::Processes));
        assert_eq!(Target::parse("processes://web"), process("web"));
        assert_eq!(Target::parse("processes://shop/web"), process("shop/web"));
        assert_eq!(Target::parse("processes://shop%2Fweb"), process("shop/web"));
        assert_eq!(Target::parse("logs://recent"), Some(Target::RecentLogs));
        for bad in [
            "",
            "web",
            "processes://",
            "processes://%",
            "processes://%zz",
            "processes://%ff",
            "health://x",
            "file:///etc",
        ] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}
