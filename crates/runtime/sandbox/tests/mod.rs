//! Real instances: what they see (`sight`), what they may do (`power`), how they live (`life`),
//! and further programs in them (`programs`).

mod life;
mod power;
mod programs;
mod sight;
mod zygote;

use std::{ffi::OsString, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use tokio::{io::AsyncReadExt, net::unix::pipe, time::timeout};

use network::Mode;

use super::{Exit, HostId, Isolation, Program, Sandboxed, Sandboxer, Spec};

/// No test's instance takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

const PYTHON: &str = "/usr/bin/python3";

/// Code folder and spec of one test.
struct Trial {
    sandboxer: Sandboxer,
    spec: Spec,
    folder: tempfile::TempDir,
}

/// What a program printed, and how it ended.
#[derive(Debug)]
struct Ended {
    out: String,
    err: String,
    exit: Exit,
    peak_mib: u32,
}

impl Trial {
    fn new(id: &str) -> Trial {
        Trial::with(id, Isolation::Sandbox)
    }

    fn with(id: &str, isolation: Isolation) -> Trial {
        let folder = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let spec = Spec {
            id: id.into(),
            code: folder.path().to_owned(),
            opt: Vec::new(),
            image: None,
            binds: Vec::new(),
            memory_mib: 128,
            pids: 64,
            tmp_mib: 16,
            host_id: HostId { uid: 100_993, gid: 100_990 },
            hostname: "169-254-1-1".into(),
            network: Mode::None,
            zygote: false,
        };
        Trial { sandboxer: Sandboxer::new(isolation).unwrap(), spec, folder }
    }

    fn program(argv: &[&str]) -> Program {
        let environment = [("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8")];
        Program {
            argv: argv.iter().map(OsString::from).collect(),
            environment: environment.map(|(n, v)| (n.into(), v.into())).to_vec(),
        }
    }

    async fn start(&self, argv: &[&str]) -> Sandboxed {
        self.sandboxer.start(self.spec.clone(), |_| Trial::program(argv)).await.unwrap()
    }

    async fn run(&self, argv: &[&str]) -> Ended {
        let mut instance = self.start(argv).await;
        let (mut out, mut err) = (String::new(), String::new());
        let all = async {
            let mut stdout = std::mem::replace(&mut instance.stdout, nothing());
            let mut stderr = std::mem::replace(&mut instance.stderr, nothing());
            let reads = (stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
            // Its end is what ends others that may have the pipes open.
            let (a, b, exit) = tokio::join!(reads.0, reads.1, instance.wait());
            a.and(b).unwrap();
            exit.unwrap()
        };
        let exit = timeout(PATIENCE, all).await.expect("the program ends");
        let peak_mib = instance.peak_memory_mib();
        Ended { out, err, exit, peak_mib }
    }

    async fn shell(&self, script: &str) -> Ended {
        self.run(&["/bin/sh", "-c", script]).await
    }

    async fn python(&self, script: &str) -> Ended {
        self.run(&[PYTHON, "-I", "-c", script]).await
    }
}

/// A pipe that is at its end.
fn nothing() -> pipe::Receiver {
    let (reader, _) = rustix::pipe::pipe().unwrap();
    pipe::Receiver::from_owned_fd(reader).unwrap()
}

/// Names what a test did not do, for want of it on this machine.
fn skipped(what: &str, why: &str) {
    println!("skipped: {what}: {why}");
}

fn has_python() -> bool {
    let there = Path::new(PYTHON).exists();
    if !there {
        skipped("what needs python", PYTHON);
    }
    there
}
