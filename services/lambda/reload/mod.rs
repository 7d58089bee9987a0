//! Hot reload: code that lies in a folder of the developer's and runs as it is there. Before an
//! invocation the folder is looked at; if anything in it has changed, the instances of what it was
//! are retired, and new ones load what it is.
//!
//! Always true: an instance that serves an invocation was started after the last change that
//! somebody had saved when the invocation came. Functions whose code is a package are not looked at.

mod fingerprint;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use kit::Caller;

use crate::{Error, Lambda, functions::Runnable, reload::fingerprint::Fingerprint};

/// The bucket that stands for this machine's folders, as users of LocalStack know it.
pub(crate) const BUCKET: &str = "hot-reload";

/// A version that runs out of folders.
#[derive(Debug)]
pub(crate) struct Reload {
    folders: Vec<PathBuf>,
    base: Arc<runtime::Function>,
    /// Invocations look at the folders one after the other: what one has seen is not older than
    /// what those before it have seen.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Nothing before the first invocation.
    seen: Option<Fingerprint>,
    run: Arc<runtime::Function>,
}

impl Reload {
    /// Of a version whose code or layers lie in these folders.
    pub(crate) fn new(folders: Vec<PathBuf>, base: Arc<runtime::Function>) -> Reload {
        let state = Mutex::new(State { seen: None, run: base.clone() });
        Reload { folders, base, turn: tokio::sync::Mutex::default(), state }
    }

    /// Whether it is this version's.
    pub(crate) fn is_of(&self, run: &Arc<runtime::Function>) -> bool {
        Arc::ptr_eq(&self.base, run)
    }

    /// What runs by now.
    pub(crate) fn run(&self) -> Arc<runtime::Function> {
        self.state().run.clone()
    }

    /// What runs with the folders as they are, and what ran before if they have changed. Each
    /// state of them has instances of its own.
    async fn refreshed(&self) -> (Arc<runtime::Function>, Option<Arc<runtime::Function>>) {
        let _turn = self.turn.lock().await;
        let folders = self.folders.clone();
        let look = tokio::task::spawn_blocking(move || Fingerprint::of(&folders));
        // A folder that cannot be read is the instance's to complain about.
        let seen = look.await.unwrap_or_default();
        let mut state = self.state();
        let before = match state.seen.replace(seen) {
            Some(before) if before != seen => {
                let key = format!("{}#{seen}", self.base.key);
                let run = Arc::new(runtime::Function { key, ..(*self.base).clone() });
                Some(std::mem::replace(&mut state.run, run))
            }
            _ => None,
        };
        (state.run.clone(), before)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lambda {
    /// Lets functions run out of this machine's folders. Without this they are refused.
    pub fn allow_hot_reload(&self) {
        self.hot_reload.store(true, Ordering::Relaxed);
    }

    /// What an invocation is to run.
    pub(crate) async fn current(
        &self,
        runnable: &Runnable,
    ) -> Result<Arc<runtime::Function>, Error> {
        let Some(reload) = &runnable.reload else { return Ok(runnable.function.clone()) };
        // The setting may be another than when the function was made.
        if !self.hot_reload.load(Ordering::Relaxed) {
            return Err(Error::HotReloadOff);
        }
        let (run, before) = reload.refreshed().await;
        if let Some(before) = before {
            let tenants = self.functions.tenants.leave(&before.key);
            tenants.iter().chain([&before]).for_each(|run| self.pool.retire(&run.key));
        }
        Ok(run)
    }

    /// The folder that a caller names, if callers may.
    pub(crate) fn folder(&self, caller: &Caller, key: Option<String>) -> Result<PathBuf, Error> {
        // A function that could name one would read this machine's files.
        let from_here =
            caller.source_ip.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !from_here || !self.hot_reload.load(Ordering::Relaxed) {
            return Err(Error::HotReloadOff);
        }
        let folder = PathBuf::from(key.unwrap_or_default());
        match folder.is_absolute() && folder.is_dir() {
            true => Ok(folder),
            false => Err(Error::NotAFolder(folder.display().to_string())),
        }
    }
}
