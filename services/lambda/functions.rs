//! All functions, in memory and ready to run: an invocation reads nothing else.
//!
//! Always true: what is here is durable. Read next: `change`, which alone changes it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use kit::{AccountId, Arn, Caller, Region, ids};
use store::BlobId;

use crate::{
    Error,
    code::CodeStore,
    function::Function,
    image::LiveImages,
    invoke::{concurrency::FunctionKey, event::EventPolicy, lineage::Recursion},
    name::{self, Named},
    network::asked,
    reload::Reload,
    snapshot::Snapshot,
    tenants::Tenants,
    url::routes::Routes,
    usage::Architecture,
    version::{Number, Version},
};

/// All functions.
#[derive(Default)]
pub(crate) struct Functions {
    places: RwLock<HashMap<(AccountId, Region), Place>>,
    /// Held while a change is decided and made durable: the next one starts from its outcome.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Functions whose new code or configuration is on its way.
    updating: Mutex<HashSet<FunctionKey>>,
    /// What tenants run.
    pub(crate) tenants: Tenants,
    /// Versions that were replaced or deleted, but that instances may still run.
    leaving: Mutex<Vec<Arc<runtime::Function>>>,
    /// Function URLs.
    pub(crate) urls: Routes,
}

/// The functions of an account in a region, by name.
#[derive(Default)]
struct Place {
    functions: BTreeMap<String, Arc<Live>>,
    /// What they claim together of the account's concurrency.
    claimed: u32,
}

/// A function and its versions in the form in which the pool runs them.
pub(crate) struct Live {
    pub(crate) function: Function,
    pub(crate) runs: BTreeMap<Number, Arc<runtime::Function>>,
    /// How many instances of which version are to be always ready.
    pub(crate) wanted: BTreeMap<Number, u32>,
    /// Of the versions that run out of developers' folders.
    pub(crate) reloads: BTreeMap<Number, Arc<Reload>>,
}

/// What an invocation needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Runnable {
    /// The version that runs.
    pub(crate) function: Arc<runtime::Function>,
    /// Set when it runs out of a developer's folder: `Lambda::current` says what to run then.
    pub(crate) reload: Option<Arc<Reload>>,
    /// The function's ARN, without version or alias.
    pub(crate) function_arn: Arn,
    /// The ARN as the caller named it.
    pub(crate) invoked_arn: String,
    /// The version or alias that the caller named.
    pub(crate) qualifier: Option<String>,
    /// The function's own concurrency.
    pub(crate) reserved: Option<u32>,
    /// Instances of the version that are to be always ready.
    pub(crate) provisioned: u32,
    /// What becomes of loops through the function.
    pub(crate) recursion: Recursion,
    /// `DeadLetterConfig`.
    pub(crate) dead_letter: Option<Arn>,
    /// `TenancyConfig`.
    pub(crate) per_tenant: bool,
    /// Whether it is ready to be invoked.
    pub(crate) snapshot: Snapshot,
    /// What its time is priced as.
    pub(crate) architecture: Architecture,
}

/// Marks a function as being updated, until dropped.
pub(crate) struct Updating<'a> {
    functions: &'a Functions,
    key: FunctionKey,
}

impl Drop for Updating<'_> {
    fn drop(&mut self) {
        lock(&self.functions.updating).remove(&self.key);
    }
}

impl Functions {
    /// Holds functions as they were read.
    pub(crate) fn new(loaded: Vec<Function>, code: &CodeStore) -> Functions {
        let functions = Functions::default();
        for function in loaded {
            let key = function.key.clone();
            functions.put(&key, Some(Arc::new(Live::new(function, None, code))));
        }
        functions
    }

    /// A function that exists.
    pub(crate) fn get(&self, key: &FunctionKey) -> Result<Arc<Live>, Error> {
        self.find(key.account, &key.region, &key.name)
            .ok_or_else(|| Error::NoSuchFunction(key.arn().to_string()))
    }

    fn find(&self, account: AccountId, region: &Region, name: &str) -> Option<Arc<Live>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(&(account, region.clone()))?.functions.get(name).cloned()
    }

    /// The functions of a place, by name.
    pub(crate) fn list(&self, account: AccountId, region: &Region) -> Vec<Arc<Live>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&(account, region.clone()));
        place.into_iter().flat_map(|place| place.functions.values().cloned()).collect()
    }

    /// What the functions of a place claim together of the account's concurrency: what they reserve,
    /// and the provisioned instances of those that reserve nothing.
    pub(crate) fn claimed(&self, account: AccountId, region: &Region) -> u32 {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(&(account, region.clone())).map_or(0, |place| place.claimed)
    }

    /// All functions of all places.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.values().flat_map(|place| place.functions.values().cloned()).collect()
    }

    /// The functions of which instances are to be always ready.
    pub(crate) fn provisioned(&self) -> Vec<Arc<Live>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let functions = places.values().flat_map(|place| place.functions.values());
        functions.filter(|live| !live.wanted.is_empty()).cloned().collect()
    }

    /// The version that serves the next invocation of a function by this qualifier.
    pub(crate) fn runnable(
        &self,
        account: AccountId,
        region: &Region,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Runnable, Error> {
        let Some(live) = self.find(account, region, name) else {
            let key = FunctionKey { account, region: region.clone(), name: name.to_owned() };
            return Err(Error::NoSuchFunction(key.qualified(qualifier)));
        };
        let function = &live.function;
        let version = function.version_for(qualifier, roll())?;
        Ok(Runnable {
            function: live.runs[&version.number].clone(),
            reload: live.reloads.get(&version.number).cloned(),
            function_arn: function.key.arn(),
            invoked_arn: function.key.qualified(qualifier),
            qualifier: qualifier.map(str::to_owned),
            reserved: function.common.reserved,
            provisioned: live.wanted.get(&version.number).copied().unwrap_or(0),
            recursion: function.common.recursion,
            dead_letter: version.settings.dead_letter.clone(),
            per_tenant: version.settings.per_tenant,
            snapshot: version.snapshot,
            architecture: Architecture::of(&version.settings.architecture),
        })
    }

    /// The version that serves a caller who names the function.
    pub(crate) fn named(
        &self,
        caller: &Caller,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Runnable, Error> {
        let Named { key, qualifier } = name::resolve(caller, name, qualifier)?;
        self.runnable(key.account, &key.region, &key.name, qualifier.as_deref())
    }

    /// How asynchronous events are handled that came by this way; AWS's defaults if nothing is set.
    pub(crate) fn event_policy(&self, runnable: &Runnable) -> EventPolicy {
        let run = &runnable.function;
        let live = self.find(run.account, &run.region, &run.name);
        let qualifier = runnable.qualifier.as_deref();
        live.and_then(|live| live.function.event_policy(qualifier).cloned()).unwrap_or_default()
    }

    /// Begins an update; a second one at the same time is refused.
    pub(crate) fn begin_update(&self, key: &FunctionKey) -> Result<Updating<'_>, Error> {
        if !lock(&self.updating).insert(key.clone()) {
            return Err(Error::UpdateInProgress(key.arn().to_string()));
        }
        Ok(Updating { functions: self, key: key.clone() })
    }

    /// Holds a function's new state, or none.
    pub(crate) fn put(&self, key: &FunctionKey, live: Option<Arc<Live>>) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry((key.account, key.region.clone())).or_default();
        let new = live.clone();
        let old = match live {
            Some(live) => place.functions.insert(key.name.clone(), live),
            None => place.functions.remove(&key.name),
        };
        self.urls.replace(old.as_ref().map(|it| &it.function), new.as_ref().map(|it| &it.function));
        place.claimed = place.functions.values().map(|live| live.function.claimed()).sum();
    }

    /// The hashes of all packages that functions name or that instances still run.
    pub(crate) fn packages(&self) -> BTreeSet<String> {
        let mut leaving = lock(&self.leaving);
        leaving.retain(|run| Arc::strong_count(run) > 1);
        let running = leaving.iter().flat_map(|run| run.layers.iter().chain([&run.code]));
        let running = running.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let mut packages: BTreeSet<String> = running.collect();
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        for live in places.values().flat_map(|place| place.functions.values()) {
            let versions = live.function.versions.values().flat_map(|version| version.packages());
            packages.extend(versions.map(|code| code.sha256.clone()));
        }
        packages
    }

    /// The images that functions name or that instances still run.
    pub(crate) fn images(&self) -> LiveImages {
        let mut images = LiveImages::default();
        lock(&self.leaving).iter().for_each(|run| images.add_running(run));
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let functions = places.values().flat_map(|place| place.functions.values());
        let versions = functions.flat_map(|live| live.function.versions.values());
        versions.filter_map(|it| it.code.image()).for_each(|image| images.add(image));
        images
    }

    /// Keeps in mind versions that are no more, for their packages' sake.
    pub(crate) fn leave(&self, runs: Vec<Arc<runtime::Function>>) {
        lock(&self.leaving).extend(runs);
    }

    /// The zips that functions name, their layers' too.
    pub(crate) fn blobs(&self) -> HashSet<BlobId> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let functions = places.values().flat_map(|place| place.functions.values());
        functions.flat_map(|live| live.blobs()).collect()
    }
}

impl Live {
    /// Keeps the runs of an earlier state whose versions are the same.
    pub(crate) fn new(function: Function, old: Option<&Live>, code: &CodeStore) -> Live {
        let run = |version: &Version| {
            let run = run(&function, version, code);
            let kept = old.and_then(|old| old.runs.get(&version.number));
            kept.filter(|kept| kept.key == run.key).cloned().unwrap_or_else(|| Arc::new(run))
        };
        let runs: BTreeMap<_, _> =
            function.versions.values().map(|it| (it.number, run(it))).collect();
        let reload = |version: &Version| {
            let folders = version.packages().filter_map(|code| code.folder.clone());
            let folders: Vec<_> = folders.collect();
            let run = &runs[&version.number];
            let kept = old.and_then(|old| old.reloads.get(&version.number));
            let kept = kept.filter(|kept| kept.is_of(run)).cloned();
            let new = || Arc::new(Reload::new(folders.clone(), run.clone()));
            (!folders.is_empty()).then(|| (version.number, kept.unwrap_or_else(new)))
        };
        let reloads = function.versions.values().filter_map(|it| reload(it)).collect();
        let wanted = function.wanted();
        Live { function, runs, wanted, reloads }
    }

    /// What runs, with the version that it is of: in folders the states before and by now differ.
    pub(crate) fn running(
        &self,
    ) -> impl Iterator<Item = (&Arc<runtime::Function>, Arc<runtime::Function>)> {
        self.runs.iter().flat_map(|(number, version)| {
            let now = self.reloads.get(number).map(|reload| reload.run());
            now.into_iter().chain([version.clone()]).map(move |run| (version, run))
        })
    }

    /// The zips that it names.
    pub(crate) fn blobs(&self) -> HashSet<BlobId> {
        let versions = self.function.versions.values();
        versions.flat_map(|version| version.packages()).map(|code| code.blob).collect()
    }
}

/// A version as the pool runs it.
fn run(function: &Function, version: &Version, code: &CodeStore) -> runtime::Function {
    let key = &function.key;
    let network = asked(&function.common.tags);
    let settings = version.settings.clone();
    let image = version.code.image().map(|image| image.run(&settings, &code.images));
    let number = version.number.to_string();
    let logging = settings.logging;
    // Instances with another network are others.
    let suffix = network.map(|mode| format!(":{}", mode.as_str())).unwrap_or_default();
    runtime::Function {
        key: format!("{}:{number}:{}{suffix}", key.arn(), version.build),
        name: key.name.clone(),
        version: number,
        account: key.account,
        region: key.region.clone(),
        role: settings.role,
        runtime: settings.runtime,
        handler: settings.handler,
        memory_mib: settings.memory_mib,
        timeout: Duration::from_secs(u64::from(settings.timeout_seconds)),
        ephemeral_mib: settings.ephemeral_mib,
        environment: settings.environment.unwrap_or_default(),
        code: version.code.package().map(|it| code.folder_of(it)).unwrap_or_default(),
        image,
        layers: settings.layers.iter().map(|layer| code.folder_of(&layer.code)).collect(),
        log_group: logging.group.unwrap_or_else(|| format!("/aws/lambda/{}", key.name)),
        tracing: match settings.traced {
            true => runtime::Tracing::Active,
            false => runtime::Tracing::PassThrough,
        },
        logging: runtime::Logging {
            json: logging.json,
            application_level: logging.application_level.unwrap_or_default(),
            system_level: logging.system_level.unwrap_or_default(),
        },
        snap_start: version.snapshot != Snapshot::None,
        idle: None,
        network,
    }
}

/// A random number from 0 to below 1.
fn roll() -> f64 {
    f64::from(u32::from_le_bytes(ids::random())) / (f64::from(u32::MAX) + 1.0)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
