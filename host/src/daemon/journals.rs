//! Journals that the disk does not take: told in `hostler daemon status` for as long as there are any.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_model::{ProcessId, ProcessName};
use hostler_store::Project;

use super::degraded::Degraded;

const DEGRADED: &str = "output is not journaled";

/// Whose journals cannot be written now, and why.
#[derive(Debug, Clone)]
pub(crate) struct Journals {
    degraded: Degraded,
    refused: Arc<Mutex<BTreeMap<ProcessId, String>>>,
}

impl Journals {
    pub(crate) fn new(degraded: Degraded) -> Self {
        Self { degraded, refused: Arc::default() }
    }

    /// Notes what the disk says to the journal of a process.
    pub(crate) fn note(
        &self,
        process: ProcessId,
        project: &Project,
        name: &ProcessName,
        why: Option<io::Error>,
    ) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => drop(refused.insert(process, format!("{}/{name}: {why}", project.name))),
            // Said of every run at its end.
            None if refused.remove(&process).is_none() => return,
            None => {}
        }
        match in_words(&refused) {
            Some(text) => self.degraded.note::<(), _>(DEGRADED, &Err(text)),
            None => self.degraded.healed(DEGRADED),
        }
    }
}

fn in_words(refused: &BTreeMap<ProcessId, String>) -> Option<String> {
    let (_, first) = refused.first_key_value()?;
    let others = match refused.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    Some(format!(
        "{first}{others}; it waits, and is lost and counted when the disk does not take it for two seconds"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_of_the_first_and_counted_of_the_others() {
        let journals = Journals::new(Degraded::default());
        let project = Project { id: 1, root: "/srv/shop".into(), name: "shop".into() };
        let name = ProcessName::try_from("web".to_owned()).unwrap();
        let full = || Some(io::Error::from_raw_os_error(libc::ENOSPC));
        journals.note(ProcessId(1), &project, &name, None);
        assert!(journals.degraded.list().is_empty());
        journals.note(ProcessId(2), &project, &name, full());
        journals.note(ProcessId(3), &project, &name, full());
        let list = journals.degraded.list();
        assert!(
            list[0].contains("shop/web: No space left on device") && list[0].contains("(and 1 more)"),
            "{list:?}"
        );
        journals.note(ProcessId(2), &project, &name, None);
        assert!(!journals.degraded.list()[0].contains("more"));
        journals.note(ProcessId(3), &project, &name, None);
        assert!(journals.degraded.list().is_empty());
    }
}
