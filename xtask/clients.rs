//! The real AWS clients: boto3 and the AWS CLI in a virtual environment, the JavaScript SDK in a
//! folder of node modules. Made once in the cache folder and named by what they hold, so that a
//! newer pin makes its own.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    function_clients::FunctionClients,
    program::{exists, install, quiet},
};

/// Its presence says that a folder is complete.
const MARK: &str = "complete";

/// A virtual environment.
pub(crate) struct Python {
    folder: PathBuf,
}

/// A folder with `node_modules`.
pub(crate) struct Node {
    folder: PathBuf,
}

/// What the tests against the real binary are done with.
pub(crate) struct Clients {
    pub(crate) python: Python,
    pub(crate) node: Node,
    /// A registry of container images; none: the tests that need it are skipped.
    pub(crate) registry: Option<PathBuf>,
    /// What functions are made with.
    pub(crate) functions: FunctionClients,
}

/// Where the commands keep what they download: `LAMPEJO_CACHE`, else `~/.cache/lampejo`.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    if let Some(folder) = env::var_os("LAMPEJO_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    let home = env::var_os("HOME").context("neither LAMPEJO_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/lampejo"))
}

impl Python {
    /// The environment with what `tests/requirements.txt` pins.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Python> {
        if !exists("python3") {
            install(&["python3", "python3-venv"])?;
        }
        let version = quiet(Command::new("python3").arg("--version"))?;
        let pins = fs::read_to_string(root.join("tests/requirements.txt"))?;
        let folder = cache()?.join(format!("python-{}", fingerprint(&[&version, &pins])));
        let python = Python { folder };
        if python.folder.join(MARK).exists() {
            return Ok(python);
        }
        println!("installing boto3, the AWS CLI and pytest into {}", python.folder.display());
        start_over(&python.folder)?;
        if environment(&python.folder).is_err() {
            // Debian keeps what makes virtual environments in a package of its own.
            install(&["python3-venv"])?;
            start_over(&python.folder)?;
            environment(&python.folder)?;
        }
        let mut pip = Command::new(python.program("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        quiet(pip.arg(root.join("tests/requirements.txt")))?;
        fs::write(python.folder.join(MARK), "")?;
        Ok(python)
    }

    /// One of its programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The PATH with its programs first.
    pub(crate) fn path(&self) -> anyhow::Result<std::ffi::OsString> {
        let old = env::var_os("PATH").unwrap_or_default();
        let folders = [self.folder.join("bin")].into_iter().chain(env::split_paths(&old));
        Ok(env::join_paths(folders)?)
    }
}

impl Node {
    /// The modules that `tests/package.json` pins.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Node> {
        if !exists("node") || !exists("npm") {
            install(&["nodejs", "npm"])?;
        }
        let version = quiet(Command::new("node").arg("--version"))?;
        let pins = fs::read_to_string(root.join("tests/package.json"))?;
        let folder = cache()?.join(format!("node-{}", fingerprint(&[&version, &pins])));
        let node = Node { folder };
        if node.folder.join(MARK).exists() {
            return Ok(node);
        }
        println!("installing the AWS SDK for JavaScript into {}", node.folder.display());
        start_over(&node.folder)?;
        fs::write(node.folder.join("package.json"), pins)?;
        let mut npm = Command::new("npm");
        npm.current_dir(&node.folder);
        quiet(npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"]))?;
        fs::write(node.folder.join(MARK), "")?;
        Ok(node)
    }

    /// What `NODE_PATH` must be for `require` to find the modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.folder.join("node_modules")
    }
}

/// What an outside is made of for the tests of networks, which only root can make. Without it those
/// tests say so.
pub(crate) fn outside() {
    if rustix::process::geteuid().is_root() && quiet(Command::new("ip").arg("-V")).is_err() {
        let _ = install(&["iproute2"]);
    }
}

/// Debian's registry of container images, of its package's files: installed it would be a service.
/// Without it the tests that need it say so, and in continuous integration it is an error.
pub(crate) fn image_registry() -> anyhow::Result<Option<PathBuf>> {
    const NAME: &str = "docker-registry";
    if exists(NAME) {
        return Ok(Some(NAME.into()));
    }
    let folder = cache()?.join(NAME);
    let program = folder.join("usr/bin").join(NAME);
    match program.exists() || fetch_package(NAME, &folder).is_ok() {
        true => Ok(Some(program)),
        false if env::var_os("CI").is_some() => bail!("cannot fetch Debian's {NAME}"),
        false => Ok(None),
    }
}

/// Debian's Ruby, for functions. Without it the tests that need one say so.
pub(crate) fn ruby() -> anyhow::Result<()> {
    match exists("ruby") || install(&["ruby"]).is_ok() {
        false if env::var_os("CI").is_some() => bail!("cannot install Ruby"),
        _ => Ok(()),
    }
}

/// Unpacks a Debian package into a folder. Needs no rights.
fn fetch_package(name: &str, folder: &Path) -> anyhow::Result<()> {
    start_over(folder)?;
    quiet(Command::new("apt-get").current_dir(folder).args(["download", "-qq", name]))?;
    let files = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let package = files.first().context("apt-get left no package")?.path();
    quiet(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
    Ok(())
}

fn environment(folder: &Path) -> anyhow::Result<String> {
    quiet(Command::new("python3").args(["-m", "venv"]).arg(folder))
}

/// An empty folder in place of one that was left unfinished.
pub(crate) fn start_over(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    if let Err(error) = fs::create_dir_all(folder) {
        bail!("cannot make {}: {error}. LAMPEJO_CACHE chooses another", folder.display());
    }
    Ok(())
}

pub(crate) fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
