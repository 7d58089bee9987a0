//! What one instance may see and use. Pure values.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use network::Mode;

/// How instances are kept from the host and from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Own namespaces, read-only root, no capabilities, system call filter, limits.
    Sandbox,
    /// None: a plain child process with the server's own rights. For systems without namespaces.
    Process,
}

/// A host path made visible, read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// File or folder on the host.
    pub(crate) host: PathBuf,
    /// Absolute path in the sandbox.
    pub(crate) inside: PathBuf,
}

/// The host's user and group that an instance runs as when the server is root. They should belong
/// to one function alone. A rootless server ignores them: it can only lend its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostId {
    /// What uid 993 of the sandbox is on the host.
    pub(crate) uid: u32,
    /// What gid 990 of the sandbox is on the host.
    pub(crate) gid: u32,
}

/// One instance.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Unique in the server, `[A-Za-z0-9_-]`; names the cgroup.
    pub(crate) id: String,
    /// The function's code: `/var/task`, and the working directory. Empty if an image is all.
    pub(crate) code: PathBuf,
    /// Layers in order, merged into `/opt`; a later one covers an earlier one.
    pub(crate) opt: Vec<PathBuf>,
    /// An image in place of the host's programs. Of the above it shows what there is: an image that
    /// is a function has no code beside it.
    pub(crate) image: Option<ImageRoot>,
    /// What else it sees: interpreter, bootstrap (`/var/runtime`), SDK.
    pub(crate) binds: Vec<Bind>,
    /// Limit of memory; the share of processor time follows it.
    pub(crate) memory_mib: u32,
    /// Limit of processes and threads.
    pub(crate) pids: u32,
    /// Size of `/tmp`.
    pub(crate) tmp_mib: u32,
    /// Who it is on the host.
    pub(crate) host_id: HostId,
    /// What `uname` says.
    pub(crate) hostname: String,
    /// What network it has.
    pub(crate) network: Mode,
    /// Instances are to be forked from its program.
    pub(crate) zygote: bool,
}

/// The root that an image brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageRoot {
    /// Its tree on the host, with folders at `dev`, `proc` and `tmp`; also at `var/task` and `opt` if
    /// code is to lie in it.
    pub(crate) tree: PathBuf,
    /// The working directory in it.
    pub(crate) folder: PathBuf,
}

/// Arguments and environment, as the instance sees paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    /// `argv`; the first is the path of the executable, or a name to be found by the
    /// environment's `PATH`.
    pub(crate) argv: Vec<OsString>,
    /// The whole environment: nothing of the server's is inherited.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Where the instance finds things. In a sandbox the paths of `Spec`'s `inside`; a plain process
/// sees the host's own.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Address of the Runtime API.
    pub(crate) runtime_api: SocketAddr,
    /// Address of the AWS endpoint.
    pub(crate) aws_endpoint: SocketAddr,
    /// Address of the X-Ray daemon.
    pub(crate) xray: SocketAddr,
    pub(super) isolation: Isolation,
    /// Code, layers and binds as (host, inside).
    pub(super) binds: Vec<Bind>,
}

impl View {
    pub(super) fn new(
        isolation: Isolation,
        spec: &Spec,
        [runtime_api, aws_endpoint, xray]: [SocketAddr; 3],
    ) -> View {
        let code = Bind { host: spec.code.clone(), inside: "/var/task".into() };
        let layers = spec.opt.iter().map(|l| Bind { host: l.clone(), inside: "/opt".into() });
        let binds = spec.binds.iter().cloned().chain([code]).chain(layers).collect();
        View { runtime_api, aws_endpoint, xray, isolation, binds }
    }

    /// Whether paths are the host's own: the instance is a plain process.
    pub(crate) fn is_the_hosts(&self) -> bool {
        self.isolation == Isolation::Process
    }

    /// The instance's path of something at or below a bound host path (the code, a layer or a
    /// bind). A path that is not bound, such as `/usr/bin/node`, is the same inside.
    pub(crate) fn path(&self, host: &Path) -> PathBuf {
        if self.is_the_hosts() {
            return host.to_owned();
        }
        let deepest = self
            .binds
            .iter()
            .filter_map(|bind| Some((bind, host.strip_prefix(&bind.host).ok()?)))
            .min_by_key(|(_, rest)| rest.components().count());
        match deepest {
            Some((bind, rest)) if rest.as_os_str().is_empty() => bind.inside.clone(),
            Some((bind, rest)) => bind.inside.join(rest),
            None => host.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(isolation: Isolation) -> View {
        let spec = Spec {
            id: "a".into(),
            code: "/data/code/f".into(),
            opt: vec!["/data/layers/one".into(), "/data/layers/two".into()],
            image: None,
            binds: vec![Bind { host: "/data".into(), inside: "/var/data".into() }],
            memory_mib: 128,
            pids: 1024,
            tmp_mib: 512,
            host_id: HostId { uid: 100_993, gid: 100_990 },
            hostname: "h".into(),
            network: Mode::None,
            zygote: false,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 9001));
        View::new(isolation, &spec, [address; 3])
    }

    #[test]
    fn a_sandbox_sees_bound_paths_where_they_are_bound() {
        let view = view(Isolation::Sandbox);
        assert_eq!(view.path(Path::new("/data/code/f")), Path::new("/var/task"));
        assert_eq!(view.path(Path::new("/data/code/f/app.py")), Path::new("/var/task/app.py"));
        assert_eq!(view.path(Path::new("/data/layers/two/bin/x")), Path::new("/opt/bin/x"));
        assert_eq!(view.path(Path::new("/data/sdk")), Path::new("/var/data/sdk"));
        assert_eq!(view.path(Path::new("/usr/bin/node")), Path::new("/usr/bin/node"));
    }

    #[test]
    fn a_process_sees_the_hosts_paths() {
        let view = view(Isolation::Process);
        assert_eq!(view.path(Path::new("/data/code/f/app.py")), Path::new("/data/code/f/app.py"));
    }
}
