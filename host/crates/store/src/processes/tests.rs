use hostler_model::{Generation, RunNo};

use super::*;
use crate::testing::{Fixture, NOW, batch, many, new_process, spec};

fn at_generation(generation: u64) -> Lifecycle {
    Lifecycle {
        generation: Generation(generation),
        desired: Desired::Running,
        last_run: RunNo(u32::try_from(generation).unwrap()),
        ..Lifecycle::default()
    }
}

#[tokio::test]
async fn what_was_declared_is_read_back() {
    let f = Fixture::new();
    let id = f.process("web").await;
    let mut changed = spec();
    changed.args.push("--verbose".into());
    f.store.update_spec(id, &changed, NOW.plus_ms(1)).await.unwrap();
    assert!(f.store.save_lifecycle(id, &at_generation(3), NOW).await.unwrap());
    let listing = f.store.processes().await.unwrap();
    assert_eq!(listing.unreadable, []);
    let [record] = &listing.rows[..] else { panic!("{listing:?}") };
    assert_eq!((record.id, record.name.as_str(), &record.spec), (id, "web", &changed));
    assert_eq!((&record.lifecycle, record.created_at), (&at_generation(3), NOW));
    assert_eq!(record.project.name, "shop");
}

#[tokio::test]
async fn a_second_of_the_same_name_is_a_duplicate() {
    let f = Fixture::new();
    f.process("web").await;
    let project = f.store.ensure_project("/srv/shop", "shop", NOW).await.unwrap();
    let error = f.store.insert_process(new_process(project.id, "web")).await.unwrap_err();
    assert_eq!(error, StoreError::Duplicate("process shop/web".into()));
    let error = f.store.insert_process(new_process(99, "web")).await.unwrap_err();
    assert_eq!(error, StoreError::NotFound("project 99".into()));
}

#[tokio::test]
async fn an_older_generation_never_overwrites_a_newer() {
    let f = Fixture::new();
    let id = f.process("web").await;
    let saved = async |generation| f.store.save_lifecycle(id, &at_generation(generation), NOW).await;
    assert_eq!(saved(5).await, Ok(true));
    assert_eq!(saved(4).await, Ok(false));
    assert_eq!(saved(5).await, Ok(true), "what is wanted may change within a generation");
    assert_eq!(f.store.processes().await.unwrap().rows[0].lifecycle, at_generation(5));
}

#[tokio::test]
async fn a_number_is_never_given_out_twice() {
    let f = Fixture::new();
    let first = f.process("web").await;
    let run = f.run(first, 1).await;
    f.store.commit_ingest(vec![batch(run, 1, many(100))]).await.unwrap();
    assert_eq!(f.store.remove_process(first).await, Ok(true));
    assert_eq!(f.store.remove_process(first).await, Ok(false));
    let left = f.store.read(|conn| {
        let sql = "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM log_chunks)
                   + (SELECT count(*) FROM log_data)";
        Ok(conn.query_row(sql, [], |r| r.get::<_, u32>(0))?)
    });
    assert_eq!(left.await, Ok(0));
    let second = f.process("web").await;
    assert!(second > first);
    assert!(f.run(second, 1).await > run);
}

#[tokio::test]
async fn what_is_gone_is_said_to_be_gone() {
    let f = Fixture::new();
    let gone = Err(StoreError::NotFound("process p7".into()));
    assert_eq!(f.store.update_spec(ProcessId(7), &spec(), NOW).await, gone);
    let saved = f.store.save_lifecycle(ProcessId(7), &at_generation(1), NOW).await;
    assert_eq!(saved.map(|_| ()), gone);
}

#[tokio::test]
async fn one_unreadable_row_leaves_the_rest_readable() {
    let f = Fixture::new();
    f.process("web").await;
    let odd = f.process("odd").await;
    f.process("db").await;
    let damage = f.store.write(move |conn| {
        let sql = r#"UPDATE processes SET spec = '{"later":1}' WHERE id = ?1"#;
        Ok(conn.execute(sql, [odd.0])?)
    });
    damage.await.unwrap();
    let listing = f.store.processes().await.unwrap();
    let names: Vec<_> = listing.rows.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["web", "db"]);
    let [bad] = &listing.unreadable[..] else { panic!("{listing:?}") };
    assert_eq!((bad.table, bad.id), ("processes", odd.0));
    assert!(bad.reason.contains("spec: missing field"), "{}", bad.reason);
}
