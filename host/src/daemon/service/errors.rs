//! Errors: lists of groups, one group with its occurrences, and resolving.

use std::sync::Arc;

use hostler_api::errors::{
    CategoryCount, ErrorInShort, ErrorList, ErrorOccurrence, ErrorSort, ErrorView, GetErrors,
    GetLatestErrors, LatestErrors, MarkErrorResolved,
};
use hostler_api::time::parse_instant;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::errors::Resolution;
use hostler_model::{ErrorId, ProcessId, RunNo};
use hostler_store::{ErrorGroup, ErrorPage, ErrorPoint, ErrorQuery, Occurrence, StoreError};

use super::error_views::{self, Detail};
use super::evidence::EXPLAINED;
use super::{Client, Service, store_error};
use crate::daemon::registry::Entry;

const DEFAULT_GROUPS: u32 = 10;
const DEFAULT_LATEST: u32 = 5;
const MAX_GROUPS: u32 = 100;
const DEFAULT_OCCURRENCES: u32 = 20;
const MAX_OCCURRENCES: u32 = 1_000;
const RELATIVES: usize = 5;
const MAX_RESOLUTION: usize = 2_000;
/// Groups that are resolved with one call.
const MAX_RESOLVED: usize = 100;
/// A run that ended so shortly ago may not be explained yet.
const JUST_NOW_MS: u64 = 10_000;

impl Service {
    /// `get_errors`.
    ///
    /// # Errors
    /// When an argument is wrong, or there is no such process or group.
    pub(crate) async fn errors(&self, client: &Client, request: GetErrors) -> Result<ErrorList, ToolError> {
        if let Some(id) = &request.error_id {
            return self.one_error(id, &request).await;
        }
        let (project, process) = self.errors_of(client, &request.project, &request.process).await?;
        self.wait_for_explanations(project, process).await;
        let now = crate::daemon::now();
        let instant = |name, text: &Option<String>| {
            text.as_deref().map(|text| parse_instant(name, text, now)).transpose()
        };
        let query = ErrorQuery {
            project,
            process,
            category: request.category.clone(),
            resolved: request.resolved,
            since: instant("since", &request.since)?,
            first_since: instant("new_since", &request.new_since)?,
            sort: match request.sort {
                ErrorSort::LastSeen => hostler_store::ErrorSort::LastSeen,
                ErrorSort::FirstSeen => hostler_store::ErrorSort::FirstSeen,
                ErrorSort::Count => hostler_store::ErrorSort::Count,
            },
            after: request.cursor.as_deref().map(parse_cursor).transpose()?,
            limit: request.limit.unwrap_or(DEFAULT_GROUPS).clamp(1, MAX_GROUPS) as usize,
            in_newest_run: false,
        };
        let page = self.store.errors(query).await.map_err(store_error)?;
        let (errors, next) = self.shown(page);
        let next_cursor = next.map(|point| format!("{}.{}", point.key, point.id));
        let note = match (&next_cursor, errors.is_empty()) {
            (Some(next), _) => Some(format!("there are more: the same call with \"cursor\": \"{next}\"")),
            (None, true) => Some(self.nothing(&request)),
            (None, false) => None,
        };
        Ok(ErrorList { errors, occurrences: None, next_cursor, note: self.degraded.with_note(note) })
    }

    /// Whether there is an error of this id.
    pub(crate) async fn has_error(&self, id: &str) -> bool {
        match parse_id(id) {
            Ok(id) => self.store.error_group(id).await.is_ok_and(|group| group.is_some()),
            Err(_) => false,
        }
    }

    fn nothing(&self, request: &GetErrors) -> String {
        let filtered = request.process.is_some()
            || request.category.is_some()
            || request.resolved.is_some()
            || request.since.is_some()
            || request.new_since.is_some();
        if filtered { "no error matches".to_owned() } else { "no error was seen in this project".to_owned() }
    }

    /// One group in full.
    async fn one_error(&self, id: &str, request: &GetErrors) -> Result<ErrorList, ToolError> {
        let id = parse_id(id)?;
        let group = self.store.error_group(id).await.map_err(store_error)?.ok_or_else(|| no_error(id))?;
        let limit = request.limit.unwrap_or(DEFAULT_OCCURRENCES).clamp(1, MAX_OCCURRENCES) as usize;
        let before = request.cursor.as_deref().map(|text| {
            text.parse::<u64>().map_err(|_| {
                ToolError::invalid(format!(
                    "`cursor`: {text:?} is not a cursor of this call; leave it out to begin with the newest"
                ))
            })
        });
        let found = self.store.occurrences(id, before.transpose()?, limit + 1).await.map_err(store_error)?;
        let shown = &found[..found.len().min(limit)];
        let next_cursor =
            shown.last().filter(|_| found.len() > limit).map(|occurrence| occurrence.number.to_string());
        let relatives = self.store.error_relatives(group.project_id, group.family.clone(), id, RELATIVES);
        let similar = relatives.await.map_err(store_error)?.iter().map(ErrorId::to_string).collect();
        let view = ErrorView { similar, ..self.error_view(&group, Detail::Full) };
        let note = next_cursor.as_ref().map(|next| {
            format!(
                "there are older occurrences: get_errors {{\"error_id\": \"{id}\", \"cursor\": \"{next}\"}}"
            )
        });
        let occurrences = shown.iter().map(|occurrence| self.occurrence(occurrence)).collect();
        Ok(ErrorList {
            errors: vec![view],
            occurrences: Some(occurrences),
            next_cursor,
            note: self.degraded.with_note(note),
        })
    }

    /// `get_latest_errors`.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn latest_errors(
        &self,
        client: &Client,
        request: GetLatestErrors,
    ) -> Result<LatestErrors, ToolError> {
        let (project, process) = self.errors_of(client, &request.project, &request.process).await?;
        self.wait_for_explanations(project, process).await;
        self.latest(project, process, request.since_restart, request.limit).await
    }

    async fn latest(
        &self,
        project: Option<i64>,
        process: Option<ProcessId>,
        since_restart: bool,
        limit: Option<u32>,
    ) -> Result<LatestErrors, ToolError> {
        let query = ErrorQuery {
            project,
            process,
            resolved: Some(false),
            in_newest_run: since_restart,
            limit: limit.unwrap_or(DEFAULT_LATEST).clamp(1, MAX_GROUPS) as usize,
            ..ErrorQuery::default()
        };
        let categories = self.store.error_categories(query.clone()).await.map_err(store_error)?;
        let page = self.store.errors(query).await.map_err(store_error)?;
        let (errors, next) = self.shown(page);
        let total: u64 = categories.iter().map(|(_, groups)| groups).sum();
        let note = match next {
            Some(_) => Some(format!(
                "{total} groups are unresolved; get_errors {{\"resolved\": false}} pages through them"
            )),
            None if errors.is_empty() => Some("no unresolved error".to_owned()),
            None => None,
        };
        let summary =
            categories.into_iter().map(|(category, groups)| CategoryCount { category, groups }).collect();
        Ok(LatestErrors { errors, summary, note: self.degraded.with_note(note) })
    }

    /// `mark_error_resolved`.
    ///
    /// # Errors
    /// When one of the groups does not exist; then none is marked.
    pub(crate) async fn resolve_errors(
        &self,
        client: &Client,
        request: MarkErrorResolved,
    ) -> Result<ErrorList, ToolError> {
        // Who misspells the project means another one.
        self.project(client, request.project.as_deref()).await?;
        let texts = request.error_id.all();
        let ids: Vec<ErrorId> = texts
            .iter()
            .flat_map(|text| text.split([',', ' ']).filter(|id| !id.is_empty()))
            .map(parse_id)
            .collect::<Result<_, _>>()?;
        if ids.is_empty() || ids.len() > MAX_RESOLVED {
            return Err(ToolError::invalid(format!(
                "`error_id`: {} ids; give 1 to {MAX_RESOLVED}, such as \"e12\"",
                ids.len()
            )));
        }
        let text = self.errors.redactor().redact(request.resolution.as_deref().unwrap_or("").trim());
        let resolution = Resolution {
            text: hostler_model::text::clip(text, MAX_RESOLUTION),
            by: client.who(),
            at: crate::daemon::now(),
        };
        let groups = self.store.resolve_errors(ids, resolution).await.map_err(|error| match error {
            StoreError::NotFound(what) => {
                ToolError::new(ErrorKind::NotFound, format!("there is no {what}; nothing was marked. {LIST}"))
            }
            other => store_error(other),
        })?;
        self.errors.recorded();
        let errors = groups.iter().map(|group| self.error_view(group, Detail::Line)).collect();
        let note = Some("each reopens as a regression when it is seen again".to_owned());
        Ok(ErrorList { errors, occurrences: None, next_cursor: None, note: self.degraded.with_note(note) })
    }

    /// The group that explains the end of a run, once that is known.
    pub(super) async fn error_of_run(&self, process: ProcessId, run: RunNo) -> Option<ErrorInShort> {
        let group = self.store.error_of_run(process, run).await.ok()??;
        let view = self.error_view(&group, Detail::Line);
        Some(ErrorInShort {
            id: view.id,
            title: hostler_model::text::clip(view.title, 100),
            category: view.category,
            count: view.count,
            culprit: view.culprit,
            suggestion: view.suggestion,
        })
    }

    /// As many groups as fit into an answer, and where to go on.
    fn shown(&self, page: ErrorPage) -> (Vec<ErrorView>, Option<ErrorPoint>) {
        let detail = Detail::for_list(page.groups.len());
        let views = page.groups.iter().map(|group| self.error_view(group, detail)).collect();
        (views, page.next)
    }

    fn error_view(&self, group: &ErrorGroup, detail: Detail) -> ErrorView {
        let names = |id| self.registry.get(id).map_or_else(|| id.to_string(), |entry| entry.full_name());
        let newest_run = |id| self.registry.get(id).map(|entry| entry.handle.snapshot().lifecycle.last_run);
        error_views::group(group, detail, crate::daemon::now(), &names, &newest_run)
    }

    fn occurrence(&self, occurrence: &Occurrence) -> ErrorOccurrence {
        let names = |id: ProcessId| self.registry.get(id).map_or_else(|| id.to_string(), |e| e.full_name());
        error_views::occurrence(occurrence, &names)
    }

    /// Who asks right after something crashed is told of it: its last lines take a moment to be read.
    async fn wait_for_explanations(&self, project: Option<i64>, process: Option<ProcessId>) {
        let now = crate::daemon::now();
        let ended_just_now = |entry: &Arc<Entry>| {
            let exit = entry.handle.with(|snapshot| snapshot.run.exit);
            exit.is_some_and(|exit| !exit.is_success() && now.ms_since(exit.at) < JUST_NOW_MS)
        };
        let entries = self.registry.all().into_iter().filter(|entry| {
            project.is_none_or(|id| entry.project.id == id) && process.is_none_or(|id| entry.id == id)
        });
        let explained = entries.filter(ended_just_now).map(|entry| async move {
            let run = entry.handle.with(|snapshot| snapshot.run.run);
            self.errors.explained(entry.id, run).await;
        });
        let _ = tokio::time::timeout(EXPLAINED, futures_util::future::join_all(explained)).await;
    }

    /// The project and the process that a call is about. A process says its project itself.
    async fn errors_of(
        &self,
        client: &Client,
        project: &Option<String>,
        process: &Option<String>,
    ) -> Result<(Option<i64>, Option<ProcessId>), ToolError> {
        match process {
            Some(process) => {
                let entry = self.entry(client, project.as_deref(), process).await?;
                Ok((Some(entry.project.id), Some(entry.id)))
            }
            None => Ok((Some(self.project(client, project.as_deref()).await?.id), None)),
        }
    }
}

const LIST: &str = "get_errors lists what there is";

fn no_error(id: ErrorId) -> ToolError {
    ToolError::new(ErrorKind::NotFound, format!("there is no error {id}; {LIST}"))
}

fn parse_id(text: &str) -> Result<ErrorId, ToolError> {
    let shown: String = text.chars().take(100).collect();
    text.trim().parse().map_err(|()| {
        ToolError::invalid(format!("`error_id`: {shown:?} is not an id such as \"e12\"; {LIST}"))
    })
}

fn parse_cursor(text: &str) -> Result<ErrorPoint, ToolError> {
    let parts = text.split_once('.').and_then(|(key, id)| Some((key.parse().ok()?, id.parse().ok()?)));
    parts.map(|(key, id)| ErrorPoint { key, id }).ok_or_else(|| {
        ToolError::invalid(format!(
            "`cursor`: {text:?} is not a cursor of get_errors; leave it out to begin at the top"
        ))
    })
}
