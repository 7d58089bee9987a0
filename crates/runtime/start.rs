//! One instance's way to ready: what it may see, what it runs, and its init.

use std::{
    collections::HashMap,
    ffi::OsString,
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
    extensions::{
        launch::{self, After, External},
        shutdown::Reason,
    },
    faults::Fault,
    function::{Function, RuntimeError, Surroundings},
    image,
    instance::{Instance, Role, Slot},
    java,
    languages::{Language, Languages, Provider},
    log::Log,
    networks::Networks,
    platform::{Event, Phase},
    sandbox::{Bind, HostId, Program, Sandboxer, Spec, StartError, View},
    sdk,
    snapshots::Snapshot,
};

/// Processes and threads of one instance. Lambda's documented limit.
const PIDS: u32 = 1024;
/// What starts a base image's runtime client.
const BASE_IMAGE_BOOTSTRAP: &str = "/var/runtime/bootstrap";
/// The step of a start that runs the program.
pub(crate) const EXEC: &str = "exec";

/// How an instance comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StartKind {
    /// A new process executes the interpreter and loads the function.
    Exec,
    /// It is forked from a process that has run the function's init.
    SnapStart,
}

/// What an instance comes from.
pub(crate) enum Origin {
    /// A new process; of a function with SnapStart, with the reason if there is one to tell.
    Exec(Option<Arc<str>>),
    /// A snapshot.
    Snapshot(Arc<Snapshot>),
}

/// How a new process is prepared.
pub(crate) struct Preparation {
    pub(crate) initialization: Initialization,
    /// Whether instances are to be forked from it.
    pub(crate) zygote: bool,
}

/// What an instance is started for, in the words of `AWS_LAMBDA_INITIALIZATION_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initialization {
    /// A request that waits.
    OnDemand,
    /// To be ready before there is a request.
    Provisioned,
    /// To be restored.
    SnapStart,
}

impl Initialization {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Initialization::OnDemand => "on-demand",
            Initialization::Provisioned => "provisioned-concurrency",
            Initialization::SnapStart => "snap-start",
        }
    }
}

/// Why there is no instance.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// The machine or the server, not the function.
    Machine(RuntimeError),
    /// The function's init failed, or its restore, after so many milliseconds.
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
    /// What functions reach.
    pub(crate) networks: Networks,
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

    /// Forks an instance from a snapshot. Returns before its hooks have run.
    pub(crate) async fn restore(
        &self,
        function: &Arc<Function>,
        provider: &Provider,
        snapshot: &Arc<Snapshot>,
        log: &Arc<Log>,
        slot: Slot,
    ) -> Result<Arc<Instance>, NotStarted> {
        let credentials = self.surroundings.credentials(function).await;
        let initialization = Initialization::SnapStart;
        let of = Surrounded {
            function,
            provider,
            credentials: &credentials,
            log_stream: log.stream(),
            initialization,
            bootstrap: None,
            sdk: None,
        };
        let spec = self.spec(&of, false).map_err(NotStarted::Machine)?;
        let (zygote, fetched) = (snapshot.zygote.clone(), Instant::now());
        let forked = self.sandboxer.fork(zygote, spec, &environment::changing(&of)).await;
        let sandboxed = forked.map_err(|error| not_started(error, None))?;
        // What init has made with its credentials ends with them.
        let born = snapshot.instance.born;
        let (function, log, snapshot) = (function.clone(), log.clone(), Some(snapshot.clone()));
        let of = (initialization, born, fetched);
        Ok(Arc::new(Instance::new(function, log, (sandboxed, Role::Runtime), slot, snapshot, of)))
    }

    /// Starts the function's processes. Returns before their init is over; where there are
    /// extensions, with the rest that is to be started.
    pub(crate) async fn launch(
        &self,
        function: &Arc<Function>,
        (provider, extensions): (&Provider, Vec<External>),
        log: &Arc<Log>,
        slot: Slot,
        Preparation { initialization, zygote }: Preparation,
    ) -> Result<(Arc<Instance>, Option<After>), NotStarted> {
        let credentials = self.surroundings.credentials(function).await;
        let bootstrap = match provider.language {
            Language::Java => Some(java::classes(&self.bootstraps.java, provider)),
            language => self.bootstraps.of(language).cloned(),
        };
        let sdk = sdk::installed(&self.data, provider.language);
        let of = Surrounded {
            function,
            provider,
            credentials: &credentials,
            log_stream: log.stream(),
            initialization,
            bootstrap: bootstrap.as_ref(),
            sdk: sdk.as_ref(),
        };
        let own = match (&function.image, provider.language) {
            (Some(image), _) => Some(image::check(image)?),
            // A base image's own runtime client; that of a provided runtime is the function's.
            (None, _) if provider.brings_client() => Some(BASE_IMAGE_BOOTSTRAP.into()),
            (None, Language::Provided) => Some(own_bootstrap(function)?),
            _ => None,
        };
        let spec = self.spec(&of, zygote).map_err(NotStarted::Machine)?;
        launch::check(log, &extensions)?;
        let fetched = Instant::now();
        let mut after = None;
        let started = self.sandboxer.start(spec, |view| {
            let runtime = program(&of, own.as_deref(), zygote, view);
            let extensions = launch::programs(&extensions, &runtime, view);
            let folder = match &function.image {
                Some(image) => image::root(image).folder,
                None => view.path(&function.code),
            };
            let (first, rest) = After::divide(extensions, runtime, folder);
            after = rest;
            first
        });
        let sandboxed =
            started.await.map_err(|error| match (extensions.first(), &function.image) {
                (Some(first), _) => launch::not_started(log, first, error),
                (None, Some(image)) => image::not_started(image, error),
                (None, None) if provider.brings_client() => {
                    not_started(error, Some(BASE_IMAGE_BOOTSTRAP))
                }
                (None, None) => {
                    let bootstrap = own.is_some().then_some("/var/task/bootstrap");
                    not_started(error, exec_wrapper(&of).or(bootstrap))
                }
            })?;
        let (function, log) = (function.clone(), log.clone());
        let first = extensions.first().map(|first| Role::Extension(first.name.clone()));
        let first = first.unwrap_or(Role::Runtime);
        let born = (initialization, self.clock.now(), fetched);
        let of = (sandboxed, first);
        let instance = Instance::new(function, log, of, slot, None, born);
        extensions.iter().for_each(|extension| instance.desk.start_extension(&extension.name));
        Ok((Arc::new(instance), after))
    }

    fn spec(&self, of: &Surrounded<'_>, zygote: bool) -> Result<Spec, RuntimeError> {
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
            image: match (&function.image, &of.provider.installed) {
                (Some(image), _) => Some(image::root(image)),
                (None, Some((_, root))) => Some(image::base(root)),
                (None, None) => None,
            },
            binds,
            memory_mib: function.memory_mib,
            pids: PIDS,
            tmp_mib: function.ephemeral_mib,
            host_id: self.host_ids.of(function)?,
            hostname: "169.254.100.6".into(),
            network: self.networks.of(function)?,
            zygote,
        })
    }

    /// Waits for the end of the instance's init, at most `limit`.
    pub(crate) async fn await_init(
        &self,
        instance: &Arc<Instance>,
        after: Option<After>,
        (began, limit): (Instant, Duration),
        phase: Phase,
    ) -> Result<(), NotStarted> {
        let init = self.clock.within(limit, async {
            if let Some(after) = after {
                instance.start_rest(after).await;
            }
            instance.desk.runtime_began().await;
            if instance.desk.has_begun() && instance.log.wants_details() {
                instance.log.tell(&Event::InitRuntimeDone { phase, fault: None });
            }
            instance.desk.init().await
        });
        let init = init.await;
        let millis = began.elapsed().as_secs_f64() * 1000.0;
        let fault = fault_of(init, limit);
        if let (Some(fault), false, true) =
            (&fault, instance.desk.has_begun(), instance.log.wants_details())
        {
            instance.log.tell(&Event::InitRuntimeDone { phase, fault: Some(fault) });
        }
        for extension in instance.desk.extensions() {
            instance.log.tell(&Event::Extension(&extension));
        }
        instance.log.telemetry.close();
        conclude(instance, fault, millis)
    }

    /// Waits until the hooks of an instance that was forked have run, at most `limit`.
    pub(crate) async fn await_restore(
        &self,
        instance: &Instance,
        (began, limit): (Instant, Duration),
    ) -> Result<(), NotStarted> {
        let init = self.clock.within(limit, instance.desk.init()).await;
        let millis = began.elapsed().as_secs_f64() * 1000.0;
        let fault = fault_of(init, limit);
        if instance.log.wants_details() {
            instance.log.tell(&Event::RestoreRuntimeDone { fault: fault.as_ref() });
        }
        conclude(instance, fault, millis)
    }
}

/// The instance is ready, or is stopped.
fn conclude(instance: &Instance, fault: Option<Fault>, millis: f64) -> Result<(), NotStarted> {
    let Some(fault) = fault else {
        instance.begin_throttle();
        return Ok(());
    };
    instance.drain();
    instance.log.finish_lines();
    instance.stop(Reason::of(&fault));
    Err(NotStarted::Function(fault, millis))
}

/// Why an init failed, if it did; none: it took longer than `limit`.
fn fault_of(init: Option<Init>, limit: Duration) -> Option<Fault> {
    Some(match init {
        Some(Init::Ready) => return None,
        Some(Init::Failed(reported) | Init::RestoreFailed(reported)) => Fault::Init(reported),
        // Whoever is not to be forked has nothing to offer.
        Some(Init::Offered(_)) => Fault::Timeout(limit.as_millis() as u64),
        Some(Init::Exited(exit)) => Fault::Exit(exit),
        Some(Init::Crashed(crash)) => Fault::Extension(crash),
        None => Fault::Timeout(limit.as_millis() as u64),
    })
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

fn program(of: &Surrounded<'_>, own: Option<&Path>, zygote: bool, view: &View) -> Program {
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
            argv.push(if zygote { "forks" } else { "" }.into());
            argv.push(of.sdk.map(|sdk| view.path(sdk).into_os_string()).unwrap_or_default());
            argv.extend(layers(of, view));
        }
        (Some(_), _) if of.provider.language == Language::Java => {
            // A wrapper may go elsewhere.
            let starts_in_task = !view.is_the_hosts() && exec_wrapper(of).is_none();
            argv.extend(java::command(of, view, starts_in_task));
            argv.extend(layers(of, view));
        }
        (Some(bootstrap), _) if of.provider.language == Language::Ruby => {
            argv.push(of.provider.executable.clone().into_os_string());
            // Its bootstrap loads RubyGems when it is needed.
            argv.push("--disable-gems".into());
            argv.push(view.path(&bootstrap.join("bootstrap.rb")).into());
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
    if let Some(wrapper) = exec_wrapper(of) {
        argv.insert(0, wrapper.into());
    }
    Program { argv, environment }
}

/// The function's layers. A later one covers an earlier one; a sandbox sees them as one.
fn layers(of: &Surrounded<'_>, view: &View) -> Vec<OsString> {
    let mut layers: Vec<PathBuf> =
        of.function.layers.iter().rev().map(|layer| view.path(layer)).collect();
    layers.dedup();
    layers.into_iter().map(PathBuf::into_os_string).collect()
}

/// A program of the function's or a layer's that starts the runtime: it gets the command line.
fn exec_wrapper<'a>(of: &Surrounded<'a>) -> Option<&'a str> {
    let wrapper = of.function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")?;
    let is_managed = of.provider.language != Language::Provided;
    (is_managed && !wrapper.is_empty()).then_some(wrapper)
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

fn not_started(error: StartError, own_program: Option<&str>) -> NotStarted {
    // What the kernel says of the user's program is the user's to know.
    if let Some(program) = own_program.filter(|_| error.step == EXEC) {
        let text = format!("fork/exec {program}: {}", exec_reason(&error.source));
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
