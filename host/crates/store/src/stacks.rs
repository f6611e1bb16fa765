//! Stacks: which processes and groups came from which file.

use std::collections::BTreeSet;

use hostler_model::{ProcessName, Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::error::StoreError;
use crate::projects::Project;
use crate::sql;
use crate::store::Store;

/// What came from a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackItems {
    /// Processes by name.
    pub processes: BTreeSet<ProcessName>,
    /// Groups by name.
    pub groups: BTreeSet<ProcessName>,
}

impl Store {
    /// Records what came from a file, in place of what was recorded before; nothing forgets the file.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_stack(
        &self,
        project_id: i64,
        file: &str,
        items: &StackItems,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let file = file.to_owned();
        let processes = sql::json("the processes of a stack", serde_json::to_string(&items.processes))?;
        let groups = sql::json("the groups of a stack", serde_json::to_string(&items.groups))?;
        let is_empty = *items == StackItems::default();
        self.write(move |conn| {
            if is_empty {
                conn.prepare_cached("DELETE FROM stacks WHERE project_id = ?1 AND file = ?2")?
                    .execute(params![project_id, file])?;
                return Ok(());
            }
            conn.prepare_cached(
                "INSERT INTO stacks (project_id, file, processes, groups, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (project_id, file) DO UPDATE
                 SET processes = excluded.processes, groups = excluded.groups, updated_at = excluded.updated_at",
            )?
            .execute(params![project_id, file, processes, groups, now.0])?;
            Ok(())
        })
        .await
    }

    /// What came from a file; nothing when it is not known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stack(&self, project_id: i64, file: &str) -> Result<StackItems, StoreError> {
        let file = file.to_owned();
        let found: Option<(String, String)> = self
            .read(move |conn| {
                let row = conn
                    .prepare_cached(
                        "SELECT processes, groups FROM stacks WHERE project_id = ?1 AND file = ?2",
                    )?
                    .query_row(params![project_id, file], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                Ok(row)
            })
            .await?;
        let Some((processes, groups)) = found else { return Ok(StackItems::default()) };
        let names = |json: &str| {
            serde_json::from_str(json)
                .map_err(|e| StoreError::Unreadable(format!("the stack of a file: {e}")))
        };
        Ok(StackItems { processes: names(&processes)?, groups: names(&groups)? })
    }

    /// The files from which something came, each with its project.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stack_files(&self) -> Result<Vec<(Project, String)>, StoreError> {
        self.read(|conn| {
            let mut query = conn.prepare_cached(
                "SELECT p.id, p.root, p.name, s.file FROM stacks s JOIN projects p ON p.id = s.project_id
                 ORDER BY p.id, s.file",
            )?;
            let rows = query.query_map([], |row| {
                let project = Project { id: row.get(0)?, root: row.get(1)?, name: row.get(2)? };
                Ok((project, row.get(3)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, NOW};

    #[tokio::test]
    async fn what_came_from_a_file_is_known_until_nothing_is_left_of_it() {
        let f = Fixture::new();
        let project = f.store.ensure_project("/srv/shop", "shop", NOW).await.unwrap();
        let name = |text: &str| ProcessName::try_from(text.to_owned()).unwrap();
        let items = StackItems {
            processes: BTreeSet::from([name("web"), name("db")]),
            groups: BTreeSet::from([name("shop")]),
        };
        let file = "/srv/shop/hostler.toml";
        f.store.put_stack(project.id, file, &items, NOW).await.unwrap();
        assert_eq!(f.store.stack(project.id, file).await.unwrap(), items);
        assert_eq!(f.store.stack_files().await.unwrap(), [(project.clone(), file.to_owned())]);
        f.store.put_stack(project.id, file, &StackItems::default(), NOW).await.unwrap();
        assert_eq!(f.store.stack(project.id, file).await.unwrap(), StackItems::default());
    }
}
