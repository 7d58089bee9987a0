//! `lampejo up`: the start order, what is printed, and the shutdown.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use bus::{Bus, Directory};
use http::{Request, Response};
use hyper::body::Incoming;
use iam::{Audit, Iam, Mode};
use kit::{AccountId, Authority, Caller, Clock};
use lambda::{InstanceLogs, InstanceSurroundings, Lambda, ServeConnection};
use logs::Logs;
use network::{Names, Reach};
use runtime::{Place, Pool};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use s3::{FrontSettings, S3, Secrets};
use sqs::Sqs;
use store::{DataFolder, Store};
use sts::Sts;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use wire::{Body, Client, DEFAULT_BODY_LIMIT_BYTES, Front, FrontParts, KeyError, Keys, Raw};
use xray::Xray;

use crate::{
    config::{Auth, Config, Isolation},
    inner::Inner,
};

/// The greatest request of Lambda ("Lambda quotas": 50 MB zipped, in base64), in bytes.
const LAMBDA_BODY_LIMIT_BYTES: usize = 70_167_211;

/// Where requests of functions come from: the address that instances find themselves at. Not
/// loopback, from which they seem to come: this machine's own clients may do more than functions.
pub(crate) const INSTANCES: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 100, 6)), 0);
/// The greatest request of a function URL ("Lambda quotas": 6 MB), in bytes.
const FUNCTION_URL_BODY_LIMIT_BYTES: usize = 6_291_456;

/// Requests have ended with what served them; clients that do not read their answers have this long.
const CLIENTS_END_WITHIN: Duration = Duration::from_secs(5);

/// Everything that runs, in the order in which it must end.
struct Server {
    lambda: Arc<Lambda>,
    pool: Arc<Pool>,
    bus: Arc<Bus>,
    sqs: Arc<Sqs>,
    logs: Arc<Logs>,
    xray: Arc<Xray>,
    iam: Arc<Iam>,
    audit: Option<Arc<Audit>>,
}

/// Serves until interrupted.
pub(crate) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    log_to_stderr();
    allow_many_files();
    let folder = DataFolder::open(&config.data)
        .with_context(|| format!("cannot use the data folder {}", config.data.display()))?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}. Choose another address with --listen", config.listen)
    })?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let (server, front) = Server::open(&config, &folder, stopped.clone()).await?;
    // Before anybody is told that it runs: who started it may stop it at once.
    let mut interrupts = Interrupts::listen()?;
    greet(&config, address, server.pool.network());
    show_root_key(&config, &server.iam).await?;
    let serving = tokio::spawn(wire::serve(front, listener, stopped));
    interrupts.next().await;
    eprintln!("lampejo: stopping; press Ctrl-C again to stop at once");
    tokio::select! {
        () = server.end(stop, serving) => {}
        () = interrupts.next() => {}
    }
    Ok(ExitCode::SUCCESS)
}

impl Server {
    async fn open(
        config: &Config,
        folder: &DataFolder,
        stopped: watch::Receiver<bool>,
    ) -> anyhow::Result<(Server, Arc<Front>)> {
        let clock = Clock::default();
        let store = Store::open(folder)?;
        let directory = Arc::new(Directory::default());
        let bus = Bus::new(store.clone(), clock.clone(), directory.clone());

        let iam = Iam::open(store.clone(), &directory, clock.clone()).await?;
        let sts = Sts::open(store.clone(), &directory, clock.clone()).await?;
        let logs = Logs::open(store.clone(), folder, &directory, clock.clone()).await?;
        let xray = Xray::open(folder, &directory, clock.clone())?;
        let sqs = Sqs::open(store.clone(), &directory, clock.clone()).await?;
        let s3 = S3::open(store.with_blobs("s3")?, bus.clone(), clock.clone()).await?;

        let surroundings = InstanceSurroundings::new(directory.clone());
        let sink = InstanceLogs::start(directory.clone(), clock.clone());
        let pool = Pool::open(pool_config(config), clock.clone(), sink, surroundings.clone())?;
        let lambda_store = store.with_blobs("lambda")?;
        let (data, images) = (folder.path(), config.images.clone());
        let lambda =
            Lambda::open(lambda_store, bus.clone(), clock.clone(), pool.clone(), data, images)
                .await?;
        if config.hot_reload {
            lambda.allow_hot_reload();
        }

        let keys: Arc<dyn Keys> = Arc::new(AllKeys { iam: iam.clone(), sts: sts.clone() });
        let object_keys = ObjectKeys { keys: keys.clone(), clock: clock.clone() };
        let secrets = (config.auth == Auth::Enforce).then(|| Arc::new(object_keys) as _);
        let audit = audit(config.auth, &iam, store, folder).await?;
        let authority = audit.clone().map(|it| it as Arc<dyn Authority>);
        authority.iter().for_each(|authority| directory.guard(authority.clone()));
        let objects = s3.http(FrontSettings {
            domains: config.domains.clone(),
            secrets,
            authority: authority.clone(),
        });
        let inner = Inner {
            clock: clock.clone(),
            test_clock: config.test_clock,
            pool: pool.clone(),
            lambda: lambda.clone(),
            bus: bus.clone(),
            prices: config.load_prices()?,
            audit: audit.clone(),
            xray: xray.clone(),
        };
        let front = Front::new(FrontParts {
            tables: vec![
                (lambda.table(), LAMBDA_BODY_LIMIT_BYTES),
                (sqs.table(), DEFAULT_BODY_LIMIT_BYTES),
                (logs.table(), DEFAULT_BODY_LIMIT_BYTES),
                (iam.table(), DEFAULT_BODY_LIMIT_BYTES),
                (sts.table(), DEFAULT_BODY_LIMIT_BYTES),
            ],
            objects: Arc::new(Objects(objects)),
            inner: Arc::new(inner),
            urls: (lambda.clone(), FUNCTION_URL_BODY_LIMIT_BYTES),
            auth: match config.auth {
                Auth::Open | Auth::Audit => wire::Auth::Open,
                Auth::Enforce => wire::Auth::Enforce,
            },
            authority,
            keys,
            region: config.region.clone(),
            domains: config.domains.clone(),
            clock,
        });
        surroundings.serve_with(serve_instances(&front, stopped));
        lambda.limit_concurrency(config.account_concurrency);
        lambda.start().await?;
        bus.start();
        Ok((Server { lambda, pool, bus, sqs, logs, xray, iam, audit }, front))
    }

    /// Lets what is under way finish; nothing new begins.
    async fn end(self, stop: watch::Sender<bool>, mut serving: tokio::task::JoinHandle<()>) {
        stop.send_replace(true);
        self.lambda.shutdown().await;
        self.bus.shutdown().await;
        self.pool.shutdown().await;
        let clients = Clock::default().within(CLIENTS_END_WITHIN, &mut serving).await;
        if clients.is_none() {
            serving.abort();
        }
        self.lambda.settle().await;
        self.sqs.shutdown().await;
        self.logs.shutdown().await;
        self.xray.shutdown().await;
        if let Some(audit) = self.audit {
            audit.shutdown().await;
        }
        self.iam.shutdown().await;
    }
}

/// Each instance takes half a dozen descriptors and its connections: many more than the 1,024 that
/// systems allow to begin with, for the sake of programs that cannot count further.
fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

pub(crate) fn pool_config(config: &Config) -> runtime::Config {
    let isolation = match config.isolation {
        Isolation::Sandbox => runtime::Isolation::Sandbox,
        Isolation::Process => runtime::Isolation::Process,
    };
    runtime::Config {
        isolation,
        max_instances: config.max_instances,
        memory_budget_mib: config.memory_budget_mib,
        nearest_runtime: config.nearest_runtime,
        prefer_installed: config.prefer_installed_runtimes,
        network: runtime::Networking {
            mode: config.network.mode,
            most: config.network.most,
            reach: Reach::new(config.network.allow.clone()),
            names: Names::new(&config.domains),
        },
        ..runtime::Config::new(config.data.join("runtime"))
    }
}

/// Connections from inside instances are served like those from outside.
fn serve_instances(front: &Arc<Front>, stopped: watch::Receiver<bool>) -> ServeConnection {
    // Weak: instances must not keep alive the front that serves them.
    let front = Arc::downgrade(front);
    Box::new(move |connection: TcpStream, place: Place| {
        let Some(front) = front.upgrade() else { return };
        let Place { connection: place, room } = place;
        let from = Client::within(INSTANCES, room);
        let serving = wire::serve_connection(front, connection, from, stopped.clone());
        tokio::spawn(async move {
            serving.await;
            drop(place);
        });
    })
}

/// Who decides what callers, services and roles may do.
async fn audit(
    auth: Auth,
    iam: &Arc<Iam>,
    store: Store,
    folder: &DataFolder,
) -> Result<Option<Arc<Audit>>, iam::OpenError> {
    let mode = match auth {
        Auth::Open => return Ok(None),
        Auth::Audit => Mode::Audit,
        Auth::Enforce => Mode::Enforce,
    };
    Audit::open(iam.clone(), mode, store, folder).await.map(Some)
}

/// Long-term keys are IAM's, sessions STS's.
struct AllKeys {
    iam: Arc<Iam>,
    sts: Arc<Sts>,
}

impl Keys for AllKeys {
    fn find(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        now: kit::Millis,
    ) -> Result<wire::Key, KeyError> {
        match self.iam.find(access_key_id, session_token, now) {
            Err(KeyError::Unknown) => self.sts.find(access_key_id, session_token, now),
            found => found,
        }
    }

    fn used(&self, access_key_id: &str, service: &str, region: &str, now: kit::Millis) {
        self.iam.used(access_key_id, service, region, now);
    }
}

/// What S3 checks the signatures of chunks and forms with.
struct ObjectKeys {
    keys: Arc<dyn Keys>,
    clock: Clock,
}

impl Secrets for ObjectKeys {
    fn secret(&self, access_key: &str, session_token: Option<&str>) -> Option<String> {
        let key = self.keys.find(access_key, session_token, self.clock.now()).ok()?;
        key.active.then_some(key.secret)
    }
}

/// S3 behind the common front.
struct Objects(s3::Front);

#[async_trait]
impl Raw for Objects {
    async fn serve(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        let response = self.0.call(caller, request).await;
        response.map(http_body_util::BodyExt::boxed_unsync)
    }
}

fn greet(config: &Config, address: SocketAddr, network: network::Mode) {
    println!("lampejo {} is ready", env!("CARGO_PKG_VERSION"));
    println!("  endpoint   http://{address}");
    println!("  data       {}", config.data.display());
    println!("  region     {}", config.region);
    match config.auth {
        Auth::Open => println!("  auth       open: any credentials pass, on loopback only"),
        Auth::Audit => println!("  auth       audit: any credentials pass, policies are asked"),
        Auth::Enforce => println!("  auth       enforce: signatures are checked, policies decide"),
    }
    match config.isolation {
        Isolation::Sandbox => println!("  isolation  sandbox, {}", reach(config, network)),
        Isolation::Process => println!(
            "  isolation  PROCESS: functions are NOT isolated from this machine or each other"
        ),
    }
}

/// What functions have that ask for no network.
fn reach(config: &Config, network: network::Mode) -> &'static str {
    use network::Mode;
    match network {
        Mode::None if config.network.mode.is_none() => {
            "network none: this machine lacks what egress needs, see `lampejo doctor`"
        }
        Mode::None => "network none",
        Mode::Egress => "network egress",
        Mode::Host => "network HOST: functions reach whatever this machine reaches",
    }
}

/// The first start in `enforce` mode makes a root key and shows it once.
async fn show_root_key(config: &Config, iam: &Iam) -> anyhow::Result<()> {
    if config.auth != Auth::Enforce {
        return Ok(());
    }
    if let Some(key) = iam.ensure_root_key(AccountId::DEFAULT).await? {
        println!("  root key of account {}, shown this once:", AccountId::DEFAULT);
        println!("    AWS_ACCESS_KEY_ID={}", key.access_key_id);
        println!("    AWS_SECRET_ACCESS_KEY={}", key.secret_access_key);
    }
    Ok(())
}

/// Ctrl-C, and being told to end.
struct Interrupts {
    ctrl_c: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> std::io::Result<Interrupts> {
        let ctrl_c = signal(SignalKind::interrupt())?;
        Ok(Interrupts { ctrl_c, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    // s3s logs every error answer of ours as an internal one: our front says the real code.
    let filter =
        EnvFilter::try_from_env("LAMPEJO_LOG").unwrap_or_else(|_| EnvFilter::new("warn,s3s=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
