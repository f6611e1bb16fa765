//! Groups: what was declared of each, what is wanted, and how far it is.

use hostler_model::{Group, GroupRun, Timestamp};
use rusqlite::{Row, params};

use crate::error::StoreError;
use crate::listing::{Decoded, Listing, list};
use crate::projects::Project;
use crate::sql;
use crate::store::Store;

/// A declared group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its number.
    pub id: i64,
    /// The project it belongs to.
    pub project: Project,
    /// What was declared.
    pub group: Group,
    /// How far it is.
    pub run: GroupRun,
}

impl Store {
    /// Declares a group, or declares one of that name anew; what is wanted of it stays. Answers its number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_group(
        &self,
        project_id: i64,
        group: &Group,
        run: &GroupRun,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let name = group.name().to_string();
        let declared = sql::json("the group", serde_json::to_string(group))?;
        let run = sql::json("the run of the group", serde_json::to_string(run))?;
        self.write(move |conn| {
            let id = conn
                .prepare_cached(
                    "INSERT INTO groups (project_id, name, declared, run, created_at, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                     ON CONFLICT (project_id, name) DO UPDATE SET declared = ?3, updated_at = ?5
                     RETURNING id",
                )?
                .query_row(params![project_id, name, declared, run, now.0], |row| row.get(0))?;
            Ok(id)
        })
        .await
    }

    /// Saves what is wanted of a group and how far it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is gone.
    pub async fn save_group_run(&self, id: i64, run: &GroupRun, now: Timestamp) -> Result<(), StoreError> {
        let run = sql::json("the run of the group", serde_json::to_string(run))?;
        self.write(move |conn| {
            let saved = conn
                .prepare_cached("UPDATE groups SET run = ?2, updated_at = ?3 WHERE id = ?1")?
                .execute(params![id, run, now.0])?;
            if saved == 0 { Err(StoreError::NotFound(format!("group {id}"))) } else { Ok(()) }
        })
        .await
    }

    /// Forgets a group; its processes stay. False when there was none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_group(&self, id: i64) -> Result<bool, StoreError> {
        self.write(move |conn| Ok(conn.execute("DELETE FROM groups WHERE id = ?1", [id])? > 0)).await
    }

    /// All groups, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn groups(&self) -> Result<Listing<GroupRecord>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT g.id, g.declared, g.run, q.id, q.root, q.name
                 FROM groups g JOIN projects q ON q.id = g.project_id ORDER BY g.id",
            )?;
            list(&mut statement, [], "groups", record)
        })
        .await
    }
}

fn record(row: &Row<'_>) -> Decoded<GroupRecord> {
    let declared: String = row.get(1)?;
    let run: String = row.get(2)?;
    Ok(GroupRecord {
        id: row.get(0)?,
        group: serde_json::from_str(&declared).map_err(|e| format!("declared: {e}"))?,
        run: serde_json::from_str(&run).map_err(|e| format!("run: {e}"))?,
        project: Project { id: row.get(3)?, root: row.get(4)?, name: row.get(5)? },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hostler_model::ProcessName;
    use hostler_model::groups::{Declared, GroupInput, Member, StopStrategy};

    use super::*;
    use crate::testing::{Fixture, NOW};

    fn group(members: &[&str]) -> Group {
        let name = |text: &str| ProcessName::try_from(text.to_owned()).unwrap();
        let member = |m: &&str| Member { process: name(m), depends_on: BTreeMap::new(), delay_ms: 0 };
        let members = members.iter().map(member).collect();
        let stop_strategy = StopStrategy::Parallel;
        Group::new(Declared { name: name("all"), description: None, members, stop_strategy }).unwrap()
    }

    #[tokio::test]
    async fn a_group_is_declared_anew_and_keeps_what_is_wanted_of_it() {
        let f = Fixture::new();
        let project = f.store.ensure_project("/srv/shop", "shop", NOW).await.unwrap();
        let id = f.store.put_group(project.id, &group(&["web"]), &GroupRun::default(), NOW).await.unwrap();
        let mut run = GroupRun::default();
        run.apply(&group(&["web"]), GroupInput::Start, NOW);
        f.store.save_group_run(id, &run, NOW).await.unwrap();
        let again = group(&["web", "api"]);
        assert_eq!(f.store.put_group(project.id, &again, &GroupRun::default(), NOW).await.unwrap(), id);
        let listing = f.store.groups().await.unwrap();
        assert_eq!(listing.rows, [GroupRecord { id, project, group: again, run }]);
        assert!(f.store.remove_group(id).await.unwrap());
        let gone = f.store.save_group_run(id, &GroupRun::default(), NOW).await.unwrap_err();
        assert_eq!(gone, StoreError::NotFound(format!("group {id}")));
    }
}
