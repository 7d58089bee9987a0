//! One instance's way to ready: what it may see, what it runs, and its init.

use std::{
    collections::HashMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kit::{Clock, ids};
use tokio::task::spawn_blocking;

use crate::{
    bootstrap::Bootstraps,
    desk::Init,
    environment::{self, Surrounded},
    faults::Fault,
    function::{Function, RuntimeError, Surroundings},
    image,
    instance::{Instance, Slot},
    languages::{Language, Languages, Provider},
    log::Log,
    sandbox::{Bind, HostId, Program, Sandboxer, Spec, StartError, View},
    sdk,
};

/// Processes and threads of one instance. Lambda's documented limit.
const PIDS: u32 = 1024;
/// The step of a start that runs the program.
pub(crate) const EXEC: &str = "exec";

/// How an instance comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StartKind {
    /// A new process executes the interpreter and loads the function.
    Exec,
}

/// What an instance is started for, in the words of `AWS_LAMBDA_INITIALIZATION_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initialization {
    /// A request that waits.
    OnDemand,
    /// To be ready before there is a request.
    Provisioned,
}

impl Initialization {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Initialization::OnDemand => "on-demand",
            Initialization::Provisioned => "provisioned-concurrency",
        }
    }
}

/// Why there is no instance.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// The machine or the server, not the function.
    Machine(RuntimeError),
    /// The function's init failed, after so many milliseconds.
    Function(Fault, f64),
}

impl NotStarted {
    /// For people.
    pub(crate) fn in_words(&self) -> String {
        match self {
            NotStarted::Machine(error) => error.to_string(),
            NotStarted::Function(fault, _) => fault.error_type(),
        }
    }
}

/// What every start needs.
pub(crate) struct Starter {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Makes sandboxes.
    pub(crate) sandboxer: Sandboxer,
    /// Finds interpreters.
    pub(crate) languages: Arc<Languages>,
    /// The programs inside.
    pub(crate) bootstraps: Bootstraps,
    /// The rest of the server.
    pub(crate) surroundings: Arc<dyn Surroundings>,
    /// Host user ids of functions.
    pub(crate) host_ids: HostIds,
    /// Time.
    pub(crate) clock: Clock,
}

impl Starter {
    /// What serves the function's runtime; asks an interpreter the first time.
    pub(crate) async fn provider(
        &self,
        function: &Function,
    ) -> Result<Arc<Provider>, RuntimeError> {
        if function.image.is_some() {
            self.check_images()?;
            return Ok(Arc::new(Provider::image()));
        }
        let (languages, runtime) = (self.languages.clone(), function.runtime.clone());
        spawn_blocking(move || languages.provider(&runtime))
            .await
            .map_err(|error| start_error("ask the interpreter", error.into()))?
    }

    /// A plain process has no root of its own: it would run the host's programs.
    pub(crate) fn check_images(&self) -> Result<(), RuntimeError> {
        if self.sandboxer.isolates() {
            return Ok(());
        }
        let text = "container images run in the sandbox only, and this server isolates nothing";
        Err(RuntimeError::NoInterpreter(text.into()))
    }

    /// Starts the function's processes. Returns before their init is over.
    pub(crate) async fn launch(
        &self,
        function: &Arc<Function>,
        provider: &Provider,
        log: &Arc<Log>,
        slot: Slot,
        initialization: Initialization,
    ) -> Result<Arc<Instance>, NotStarted> {
        let credentials = self.surroundings.credentials(function).await;
        let bootstrap = self.bootstraps.of(provider.language);
        let sdk = sdk::installed(&self.data, provider.language);
        let of = Surrounded {
            function,
            provider,
            credentials: &credentials,
            log_stream: log.stream(),
            initialization,
            bootstrap,
            sdk: sdk.as_ref(),
        };
        let own = match (&function.image, provider.language) {
            (Some(image), _) => Some(image::check(image)?),
            (None, Language::Provided) => Some(own_bootstrap(function)?),
            _ => None,
        };
        let spec = self.spec(&of).map_err(NotStarted::Machine)?;
        let fetched = Instant::now();
        let started = self.sandboxer.start(spec, |view| program(&of, own.as_deref(), view)).await;
        let sandboxed = started.map_err(|error| match &function.image {
            Some(image) => image::not_started(image, error),
            None => not_started(error, own.is_some()),
        })?;
        let (function, log) = (function.clone(), log.clone());
        let of = (initialization, self.clock.now());
        Ok(Arc::new(Instance::new(function, log, sandboxed, slot, of, fetched)))
    }

    fn spec(&self, of: &Surrounded<'_>) -> Result<Spec, RuntimeError> {
        let function = of.function;
        let mut binds = Vec::new();
        let prefix = &of.provider.prefix;
        // The sandbox shows /usr itself.
        if !prefix.as_os_str().is_empty() && !prefix.starts_with("/usr") {
            binds.push(Bind { host: prefix.clone(), inside: prefix.clone() });
        }
        if let Some(bootstrap) = of.bootstrap {
            binds.push(Bind { host: bootstrap.clone(), inside: "/var/runtime".into() });
        }
        if let Some(sdk) = of.sdk {
            binds.push(Bind { host: sdk.clone(), inside: sdk_inside(of.provider) });
        }
        Ok(Spec {
            id: ids::hex::<8>(),
            code: function.code.clone(),
            opt: function.layers.clone(),
            image: function.image.as_ref().map(image::root),
            binds,
            memory_mib: function.memory_mib,
            pids: PIDS,
            tmp_mib: function.ephemeral_mib,
            host_id: self.host_ids.of(function)?,
            hostname: "169.254.100.6".into(),
        })
    }

    /// Waits for the end of the instance's init, at most `limit`.
    pub(crate) async fn await_init(
        &self,
        instance: &Instance,
        began: Instant,
        limit: Duration,
    ) -> Result<(), NotStarted> {
        let init = self.clock.within(limit, instance.desk.init()).await;
        let millis = began.elapsed().as_secs_f64() * 1000.0;
        let fault = match init {
            Some(Init::Ready) => {
                instance.begin_throttle();
                return Ok(());
            }
            Some(Init::Failed(reported)) => Fault::Init(reported),
            Some(Init::Exited(exit)) => Fault::Exit(exit),
            None => Fault::Timeout(limit.as_millis() as u64),
        };
        instance.drain();
        instance.log.finish_lines();
        instance.kill();
        Err(NotStarted::Function(fault, millis))
    }
}

/// Host user ids of functions: none shares its id with another.
pub(crate) struct HostIds {
    range: Range<u32>,
    given: Mutex<HashMap<String, u32>>,
}

impl HostIds {
    /// Out of this range.
    pub(crate) fn new(range: Range<u32>) -> HostIds {
        HostIds { range, given: Mutex::default() }
    }

    fn of(&self, function: &Function) -> Result<HostId, RuntimeError> {
        let name = format!("{}/{}/{}", function.account, function.region, function.name);
        let mut given = self.given.lock().expect("nothing panics while it holds this lock");
        let next = self.range.start.saturating_add(given.len() as u32);
        let id = match given.get(&name) {
            Some(id) => *id,
            None if self.range.contains(&next) => *given.entry(name).or_insert(next),
            None => {
                let source =
                    io::Error::other("all host user ids of the configured range are taken");
                return Err(RuntimeError::Start { step: "host user id", source });
            }
        };
        Ok(HostId { uid: id, gid: id })
    }
}

fn program(of: &Surrounded<'_>, own: Option<&Path>, view: &View) -> Program {
    let environment = environment::variables(of, view);
    if let Some(image) = &of.function.image {
        let argv = image.entrypoint.iter().chain(&image.command).map(Into::into).collect();
        return Program { argv, environment };
    }
    let mut argv = Vec::new();
    match (of.bootstrap, own) {
        (Some(bootstrap), _) if of.provider.language == Language::Python => {
            argv.push(of.provider.executable.clone().into_os_string());
            // Without the host's site-packages, and unbuffered.
            argv.extend(["-S", "-s", "-u"].map(Into::into));
            if view.is_the_hosts() {
                // Else compiled files would lie among the user's, and be taken for changes.
                argv.push("-B".into());
            }
            argv.push(view.path(&bootstrap.join("bootstrap.py")).into());
            argv.push(of.sdk.map(|sdk| view.path(sdk).into_os_string()).unwrap_or_default());
            // A later layer covers an earlier one; a sandbox sees them as one.
            let mut layers: Vec<PathBuf> =
                of.function.layers.iter().rev().map(|layer| view.path(layer)).collect();
            layers.dedup();
            argv.extend(layers.into_iter().map(PathBuf::into_os_string));
        }
        (Some(bootstrap), _) => {
            argv.push(of.provider.executable.clone().into_os_string());
            // V8 goes by the machine's memory, not by the function's.
            let heap_mib = of.function.memory_mib / 10 * 9;
            argv.push(format!("--max-old-space-size={heap_mib}").into());
            argv.push(view.path(&bootstrap.join("bootstrap.js")).into());
        }
        (None, own) => argv.extend(own.map(|own| view.path(own).into_os_string())),
    }
    Program { argv, environment }
}

/// Where a sandbox sees the SDK: last in Python's search path as Lambda's own site-packages are;
/// for Node a folder that both `require` and `import` look into from `/var/task`.
fn sdk_inside(provider: &Provider) -> PathBuf {
    if provider.language == Language::Node {
        return "/var/node_modules".into();
    }
    let minor = provider.version.rsplit_once('.').map_or("3", |(minor, _)| minor);
    format!("/var/lang/lib/python{minor}/site-packages").into()
}

/// The function's own `bootstrap`, in its code or a layer.
fn own_bootstrap(function: &Function) -> Result<PathBuf, NotStarted> {
    let folders = std::iter::once(&function.code).chain(function.layers.iter().rev());
    let found = folders.map(|folder| folder.join("bootstrap")).find(|path| path.is_file());
    found.ok_or_else(|| {
        let text = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
        NotStarted::Function(Fault::Entrypoint(text.into()), 0.0)
    })
}

fn not_started(error: StartError, own_program: bool) -> NotStarted {
    // What the kernel says of the user's program is the user's to know.
    if own_program && error.step == EXEC {
        let text = format!("fork/exec /var/task/bootstrap: {}", exec_reason(&error.source));
        return NotStarted::Function(Fault::Entrypoint(text), 0.0);
    }
    NotStarted::Machine(start_error(error.step, error.source))
}

/// In the words of Go's runtime, in which Lambda's is written.
pub(crate) fn exec_reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::NotFound => "no such file or directory",
        _ => "exec format error",
    }
}

pub(crate) fn start_error(step: &'static str, source: io::Error) -> RuntimeError {
    RuntimeError::Start { step, source }
}
