//! Settings: defaults, then `lampejo.toml`, then `LAMPEJO_*`, then flags.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use kit::Region;
use lambda::cost::Prices;
use network::{Mode, Range};
use serde::Deserialize;

/// The file that is read if it is there.
const FILE: &str = "lampejo.toml";
/// The prices that are read if they are there, in the data folder.
const PRICES_FILE: &str = "prices.toml";

/// What the server goes by.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where to listen; port 0 picks a free one.
    pub(crate) listen: SocketAddr,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Whether signatures are checked.
    pub(crate) auth: Auth,
    /// How functions are kept apart.
    pub(crate) isolation: Isolation,
    /// The region of requests that name none.
    pub(crate) region: Region,
    /// Function instances at once.
    pub(crate) max_instances: usize,
    /// Memory of all instances together, in MiB; `None`: a share of the machine's.
    pub(crate) memory_budget_mib: Option<u64>,
    /// Invocations of an account at once in a region.
    pub(crate) account_concurrency: u32,
    /// Whether a runtime may be served by the nearest version that the machine has.
    pub(crate) nearest_runtime: bool,
    /// Whether installed runtimes go before interpreters of the machine.
    pub(crate) prefer_installed_runtimes: bool,
    /// Whether functions may run out of this machine's folders.
    pub(crate) hot_reload: bool,
    /// Base domains of virtual hosts.
    pub(crate) domains: Vec<String>,
    /// Prices that go before the built-in ones.
    pub(crate) prices: Option<PathBuf>,
    /// What functions reach.
    pub(crate) network: Network,
    /// Where container images come from.
    pub(crate) images: images::Settings,
    /// Whether `POST /_lampejo/clock` may move time. For tests.
    pub(crate) test_clock: bool,
}

/// What functions reach.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Of functions that ask for nothing; none: a way out where the machine can make one.
    pub(crate) mode: Option<Mode>,
    /// The most that a function may ask for.
    pub(crate) most: Mode,
    /// What the way out leads to besides the internet.
    pub(crate) allow: Vec<Range>,
}

/// Authentication modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// Any credentials pass; loopback only.
    Open,
    /// As open, but policies are evaluated for every call and what they say is recorded.
    Audit,
    /// Signatures must be those of known keys, and policies must allow every call.
    Enforce,
}

/// How functions are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Isolation {
    /// Linux namespaces, cgroups and seccomp.
    Sandbox,
    /// None: for systems without namespaces.
    Process,
}

/// Flags and environment variables of commands that need settings.
#[derive(Args, Debug, Default)]
pub(crate) struct Flags {
    /// Address and port; port 0 picks a free one [default: 127.0.0.1:4566]
    #[arg(long, env = "LAMPEJO_LISTEN")]
    listen: Option<SocketAddr>,
    /// Folder for everything that must survive [default: ./.lampejo]
    #[arg(long, env = "LAMPEJO_DATA")]
    data: Option<PathBuf>,
    /// open: any credentials pass (loopback only); audit: so they do, and what policies say is
    /// recorded; enforce: signatures are checked and policies must allow [default: open]
    #[arg(long, env = "LAMPEJO_AUTH", value_enum)]
    auth: Option<Auth>,
    /// sandbox, or process where the system has no namespaces [default: sandbox]
    #[arg(long, env = "LAMPEJO_ISOLATION", value_enum)]
    isolation: Option<Isolation>,
    /// Region of requests that name none [default: us-east-1]
    #[arg(long, env = "LAMPEJO_REGION")]
    region: Option<Region>,
    /// Function instances at once [default: 200]
    #[arg(long, env = "LAMPEJO_MAX_INSTANCES")]
    max_instances: Option<usize>,
    /// Memory of all function instances together, in MiB [default: 60 % of the machine's]
    #[arg(long, env = "LAMPEJO_MEMORY_BUDGET_MIB", value_parser = clap::value_parser!(u64).range(1..))]
    memory_budget_mib: Option<u64>,
    /// Invocations of an account at once in a region [default: 1000]
    #[arg(long, env = "LAMPEJO_ACCOUNT_CONCURRENCY")]
    account_concurrency: Option<u32>,
    /// Serve a runtime by the nearest version that the machine has
    #[arg(long, env = "LAMPEJO_NEAREST_RUNTIME")]
    nearest_runtime: bool,
    /// Let installed runtimes go before interpreters of the machine
    #[arg(long, env = "LAMPEJO_PREFER_INSTALLED_RUNTIMES")]
    prefer_installed_runtimes: bool,
    /// Let functions run out of this machine's folders, as `open` mode does anyway
    #[arg(long, env = "LAMPEJO_HOT_RELOAD")]
    hot_reload: bool,
    /// Let POST /_lampejo/clock?advance=SECONDS move time, for tests
    #[arg(long, env = "LAMPEJO_TEST_CLOCK", hide = true)]
    test_clock: bool,
    /// What functions reach: none, egress (the internet) or host (all that this machine reaches, its own
    /// services included) [default: egress where the machine can do it, else none]
    #[arg(long, env = "LAMPEJO_NETWORK")]
    network: Option<Mode>,
    /// The most that a function may ask for by its tag lampejo:network [default: egress]
    #[arg(long, env = "LAMPEJO_NETWORK_MOST")]
    network_most: Option<Mode>,
    /// Addresses and ranges that egress leads to besides the internet: 10.0.0.0/8,192.168.1.20
    #[arg(long, env = "LAMPEJO_NETWORK_ALLOW", value_delimiter = ',')]
    network_allow: Vec<Range>,
    /// Settings file [default: lampejo.toml, if it is there]
    #[arg(long, env = "LAMPEJO_CONFIG")]
    config: Option<PathBuf>,
}

/// `lampejo.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    auth: Option<Auth>,
    isolation: Option<Isolation>,
    region: Option<Region>,
    max_instances: Option<usize>,
    memory_budget_mib: Option<u64>,
    account_concurrency: Option<u32>,
    nearest_runtime: Option<bool>,
    prefer_installed_runtimes: Option<bool>,
    hot_reload: Option<bool>,
    domains: Option<Vec<String>>,
    #[serde(default)]
    cost: CostFile,
    images: Option<Images>,
    #[serde(default)]
    network: NetworkFile,
}

/// `[network]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NetworkFile {
    mode: Option<String>,
    most: Option<String>,
    allow: Vec<String>,
}

/// `[cost]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostFile {
    prices: Option<PathBuf>,
}

/// `[images]` of `lampejo.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Images {
    ecr: Option<String>,
    insecure_registries: Vec<String>,
    credentials: BTreeMap<String, Credentials>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    username: String,
    password: String,
}

impl From<Images> for images::Settings {
    fn from(file: Images) -> images::Settings {
        let given =
            |it: Credentials| images::Credentials { username: it.username, password: it.password };
        let credentials = file.credentials.into_iter();
        images::Settings {
            ecr: file.ecr,
            insecure_registries: file.insecure_registries,
            credentials: credentials.map(|(registry, it)| (registry, given(it))).collect(),
        }
    }
}

impl Flags {
    /// Of commands that go by the data folder and the settings file only.
    pub(crate) fn of(data: Option<PathBuf>, config: Option<PathBuf>) -> Flags {
        Flags { data, config, ..Flags::default() }
    }
}

impl Config {
    /// Puts the sources together and checks what must fit.
    pub(crate) fn load(flags: Flags) -> anyhow::Result<Config> {
        let file = read_file(flags.config.as_deref())?;
        let auth = flags.auth.or(file.auth).unwrap_or(Auth::Open);
        let network = Network::load(&flags, file.network)?;
        let config = Config {
            auth,
            listen: flags.listen.or(file.listen).unwrap_or(([127, 0, 0, 1], 4566).into()),
            data: flags.data.or(file.data).unwrap_or_else(|| PathBuf::from(".lampejo")),
            isolation: flags.isolation.or(file.isolation).unwrap_or(Isolation::Sandbox),
            region: flags.region.or(file.region).unwrap_or_default(),
            max_instances: flags.max_instances.or(file.max_instances).unwrap_or(200),
            memory_budget_mib: flags.memory_budget_mib.or(file.memory_budget_mib),
            account_concurrency: flags
                .account_concurrency
                .or(file.account_concurrency)
                .unwrap_or(lambda::ACCOUNT_CONCURRENCY),
            nearest_runtime: flags.nearest_runtime || file.nearest_runtime.unwrap_or(false),
            prefer_installed_runtimes: flags.prefer_installed_runtimes
                || file.prefer_installed_runtimes.unwrap_or(false),
            // Whoever may do anything may do this.
            hot_reload: flags.hot_reload || file.hot_reload.unwrap_or(auth == Auth::Open),
            domains: file.domains.unwrap_or_else(default_domains),
            prices: file.cost.prices,
            network,
            images: file.images.unwrap_or_default().into(),
            test_clock: flags.test_clock,
        };
        if config.auth != Auth::Enforce && !config.listen.ip().is_loopback() {
            bail!(
                "--auth open and audit take any credentials and are for loopback only, not for {}.\n\
                 Use --auth enforce to listen there, or --listen 127.0.0.1:{}.",
                config.listen.ip(),
                config.listen.port()
            );
        }
        Ok(config)
    }
}

impl Config {
    /// The prices that are built in, with those of the file that the settings name, or of
    /// `prices.toml` in the data folder if it is there, before them.
    pub(crate) fn load_prices(&self) -> anyhow::Result<Prices> {
        let beside = self.data.join(PRICES_FILE);
        let path = self.prices.clone().or_else(|| beside.exists().then_some(beside));
        let Some(path) = path else { return Ok(Prices::load(None)?) };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Prices::load(Some(&text)).with_context(|| format!("{} is not valid", path.display()))
    }
}

impl Network {
    /// The flags and variables, over the file.
    fn load(flags: &Flags, file: NetworkFile) -> anyhow::Result<Network> {
        let mode = |word: Option<String>| word.map(|word| word.parse::<Mode>()).transpose();
        let allow = match flags.network_allow.as_slice() {
            [] => file.allow.iter().map(|range| range.parse()).collect::<Result<_, _>>()?,
            given => given.to_vec(),
        };
        Ok(Network {
            mode: flags.network.or(mode(file.mode)?),
            most: flags.network_most.or(mode(file.most)?).unwrap_or(Mode::Egress),
            allow,
        })
    }
}

fn default_domains() -> Vec<String> {
    ["localhost", "localhost.localstack.cloud", "lampejo.internal"].map(str::to_owned).to_vec()
}

fn read_file(named: Option<&Path>) -> anyhow::Result<File> {
    let path = named.unwrap_or(Path::new(FILE));
    if named.is_none() && !path.exists() {
        return Ok(File::default());
    }
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_mode_refuses_to_listen_beyond_loopback() {
        let flags = |auth| Flags {
            listen: Some(([0, 0, 0, 0], 4566).into()),
            auth: Some(auth),
            ..Flags::default()
        };
        assert!(Config::load(flags(Auth::Open)).is_err());
        assert!(Config::load(flags(Auth::Audit)).is_err());
        assert!(Config::load(flags(Auth::Enforce)).is_ok());
    }

    #[test]
    fn hot_reload_is_for_open_mode_unless_it_is_set() {
        let loaded = |auth, hot_reload| {
            let flags = Flags { auth: Some(auth), hot_reload, ..Flags::default() };
            Config::load(flags).unwrap().hot_reload
        };
        assert!(loaded(Auth::Open, false));
        assert!(!loaded(Auth::Enforce, false));
        assert!(loaded(Auth::Enforce, true));
    }

    #[test]
    fn registries_have_a_table_of_their_own() {
        let file = toml::from_str::<File>(
            "[images]\necr = \"127.0.0.1:5000\"\ninsecure_registries = [\"a:80\"]\n\
             [images.credentials.\"a:80\"]\nusername = \"u\"\npassword = \"p\"\n",
        );
        let settings = images::Settings::from(file.unwrap().images.unwrap());
        assert_eq!(settings.ecr.as_deref(), Some("127.0.0.1:5000"));
        assert_eq!(settings.insecure_registries, ["a:80"]);
        assert_eq!(settings.credentials["a:80"].password, "p");
        assert!(toml::from_str::<File>("[images]\necrs = 1").is_err());
    }

    #[test]
    fn networks_have_a_table_of_their_own() {
        let text = "mode = \"none\"\nmost = \"host\"\nallow = [\"10.0.0.0/8\"]\n";
        let load = |flags: &Flags, text: &str| {
            Network::load(flags, toml::from_str::<NetworkFile>(text).unwrap())
        };
        let network = load(&Flags::default(), text).unwrap();
        assert_eq!((network.mode, network.most), (Some(Mode::None), Mode::Host));
        assert_eq!(network.allow, ["10.0.0.0/8".parse().unwrap()]);
        let flags = Flags { network: Some(Mode::Egress), ..Flags::default() };
        assert_eq!(load(&flags, text).unwrap().mode, Some(Mode::Egress));
        let network = load(&Flags::default(), "").unwrap();
        assert_eq!((network.mode, network.most), (None, Mode::Egress));
        assert!(load(&Flags::default(), "mode = \"all\"").is_err());
        assert!(load(&Flags::default(), "allow = [\"lan\"]").is_err());
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(toml::from_str::<File>("port = 1").is_err());
        assert_eq!(toml::from_str::<File>("auth = \"enforce\"").unwrap().auth, Some(Auth::Enforce));
    }
}
