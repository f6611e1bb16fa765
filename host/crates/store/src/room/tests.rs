use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use hostler_model::{Exit, Lifecycle, RunNo, Stream};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use super::*;
use crate::Store;
use crate::testing::{NOW, batch, new_process, new_run, over, row, stored};

/// A small file system of its own.
struct Disk(TempDir);

impl Disk {
    /// `None` where mounting is not permitted.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        match mount("none", dir.path(), "tmpfs", MountFlags::empty(), c"size=8m") {
            Ok(()) => Some(Self(dir)),
            Err(why) => {
                // Past the test's captured output, so that it is seen.
                let _ = writeln!(std::io::stderr(), "SKIPPED, for no file system can be mounted here: {why}");
                None
            }
        }
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("db")
    }

    /// Leaves so many bytes free.
    fn fill(&self, left: u64) -> File {
        let filler = File::create(self.0.path().join("filler")).unwrap();
        let disk = statvfs(self.0.path()).unwrap();
        let size = disk.f_bavail * disk.f_frsize - left;
        fallocate(&filler, FallocateFlags::empty(), 0, size).unwrap();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

#[test]
fn what_is_not_there_cannot_be_asked() {
    assert_eq!(for_more(Path::new("/nowhere/at/all")), Ok(()));
}

#[test]
fn more_is_taken_until_only_the_reserve_is_left() {
    let Some(disk) = Disk::new() else { return };
    let path = disk.0.path();
    assert_eq!(for_more(path), Ok(()));
    let filler = disk.fill(RESERVE);
    assert_eq!(for_more(path), Ok(()));
    drop(filler);
    let filler = disk.fill(RESERVE - 4096);
    let told = for_more(path).unwrap_err().to_string();
    assert!(told.contains("1020 KiB are free") && told.contains("last 1024 KiB"), "{told}");
    filler.set_len(0).unwrap();
    assert_eq!(for_more(path), Ok(()));
}

#[tokio::test]
async fn ends_are_recorded_in_the_reserve_while_output_and_new_runs_wait() {
    let Some(disk) = Disk::new() else { return };
    let store = Store::open(&disk.database(), NOW).unwrap();
    let project = store.ensure_project("/srv/shop", "shop", NOW).await.unwrap();
    let web = store.insert_process(new_process(project.id, "web")).await.unwrap();
    let run = store.begin_run(new_run(web, 1), &Lifecycle::default()).await.unwrap();
    let filler = disk.fill(RESERVE / 2);

    let lines = || vec![batch(run, 10, vec![row(1, Stream::Stdout, b"waits")])];
    assert!(matches!(store.commit_ingest(lines()).await, Err(StoreError::Full(_))));
    let next = store.begin_run(new_run(web, 2), &Lifecycle::default()).await;
    assert!(matches!(next, Err(StoreError::Full(_))), "{next:?}");
    let other = store.insert_process(new_process(project.id, "other")).await;
    assert!(matches!(other, Err(StoreError::Full(_))), "{other:?}");
    store.run_ended(over(run, Exit::unknown(NOW), 0)).await.unwrap();
    store.save_lifecycle(web, &Lifecycle::default(), NOW).await.unwrap();

    filler.set_len(0).unwrap();
    assert_eq!(store.commit_ingest(lines()).await.unwrap(), [stored(1, 1)]);
    let runs = store.runs(web, 9).await.unwrap().rows;
    assert_eq!(runs.iter().map(|r| (r.run, r.ended_at)).collect::<Vec<_>>(), [(RunNo(1), Some(NOW))]);
    store.shutdown().await;
}
