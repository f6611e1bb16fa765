//! Starting shims, and keeping one ready: a start then costs one message rather than a new program.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use hostler_model::spec::Limits;
use hostler_shim::channel::Channel;
use tokio::process::Command;

use crate::cgroup::{self, Finding};
use crate::group_limits::Controllers;
use crate::shim_client::ShimClient;

/// How many shims wait for their process. Bursts beyond it start their own.
const SPARES: usize = 2;

/// Where shims come from.
#[derive(Clone)]
pub struct ShimPool {
    inner: Arc<Inner>,
}

struct Inner {
    program: PathBuf,
    cgroups: Finding,
    /// What the groups of runs can be held to.
    controllers: Controllers,
    spares: Mutex<Vec<ShimClient>>,
}

impl ShimPool {
    /// A pool of shims of this program. Must be called in a tokio runtime.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        let cgroups = cgroup::find();
        tracing::info!("{cgroups}");
        cgroups.tidy();
        let controllers = cgroups.controllers();
        let spares = Mutex::new(Vec::new());
        let pool = Self { inner: Arc::new(Inner { program, cgroups, controllers, spares }) };
        pool.replenish();
        pool
    }

    /// A shim that waits for its launch.
    pub(crate) fn take(&self) -> io::Result<ShimClient> {
        let spare = self.spares().pop();
        match spare {
            Some(shim) => Ok(shim),
            None => self.start(),
        }
    }

    /// The control group that a shim is to make for a run, whose directory is there.
    pub(crate) fn cgroup_for(&self, run_dir: &Path) -> Option<PathBuf> {
        self.inner.cgroups.for_run(run_dir)
    }

    /// What a shim is to write into that group, so that the kernel holds its processes to these limits.
    pub(crate) fn cgroup_limits(&self, limits: &Limits) -> Vec<(String, String)> {
        self.inner.controllers.files(limits)
    }

    /// Makes spares anew. Called after a launch, off its path.
    pub(crate) fn replenish(&self) {
        while self.spares().len() < SPARES {
            match self.start() {
                Ok(shim) => self.spares().push(shim),
                Err(error) => {
                    tracing::warn!(%error, program = %self.inner.program.display(), "cannot start a shim");
                    return;
                }
            }
        }
    }

    fn spares(&self) -> std::sync::MutexGuard<'_, Vec<ShimClient>> {
        self.inner.spares.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn start(&self) -> io::Result<ShimClient> {
        let (ours, theirs) = Channel::pair()?;
        let child = Command::new(&self.inner.program)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env_clear()
            .spawn()?;
        ShimClient::new(ours, Some(child))
    }
}
