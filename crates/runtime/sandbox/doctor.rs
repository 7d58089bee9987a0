//! What the machine has for sandboxes, and how to mend what it lacks.

use network::Mode;

use super::{Exit, HostId, INIT_FILE, Program, Sandboxer, Spec, StartError, wiring::lacks_tun};

/// One thing the machine was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at. The one called `sandbox` says whether instances start at all.
    pub what: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, and if not `ok`, what follows and how to mend it.
    pub detail: String,
}

/// Asks everything. Starts sandboxes to see.
pub(super) async fn examine(sandboxer: &Sandboxer) -> Vec<Finding> {
    let (sandbox, network) = (sandbox(sandboxer).await, network(sandboxer).await);
    vec![sandbox, network, cgroups(sandboxer), landlock(sandboxer)]
}

async fn sandbox(sandboxer: &Sandboxer) -> Finding {
    let what = "sandbox";
    match attempt(sandboxer, Mode::None).await {
        Ok(exit) if exit.code == Some(0) => {
            Finding { what, ok: true, detail: "an instance started and ended".into() }
        }
        Ok(exit) => Finding { what, ok: false, detail: format!("a trial ended with {exit:?}") },
        Err(error) => Finding { what, ok: false, detail: format!("{error}. {}", advice(&error)) },
    }
}

async fn network(sandboxer: &Sandboxer) -> Finding {
    let what = "network";
    if !sandboxer.isolates() {
        return Finding { what, ok: true, detail: "host: functions are plain processes".into() };
    }
    let ended = attempt(sandboxer, Mode::Egress).await;
    match (lacks_tun(), ended) {
        (None, Ok(_)) => {
            let v6 = if sandboxer.machine.ipv6 { "IPv4 and IPv6" } else { "IPv4" };
            Finding { what, ok: true, detail: format!("none, egress ({v6}), host") }
        }
        (Some(lack), _) => Finding { what, ok: false, detail: format!("none, host; {lack}") },
        (None, Err(error)) => {
            Finding { what, ok: false, detail: format!("none, host; no egress: {error}") }
        }
    }
}

/// Starts an instance that does nothing.
async fn attempt(sandboxer: &Sandboxer, network: Mode) -> Result<Exit, StartError> {
    let spec = Spec {
        // Several may ask at once.
        id: format!("doctor-{}", kit::ids::hex::<4>()),
        code: "/usr".into(),
        opt: Vec::new(),
        image: None,
        binds: Vec::new(),
        memory_mib: 128,
        pids: 16,
        tmp_mib: 16,
        host_id: HostId { uid: 65534, gid: 65534 },
        hostname: "doctor".into(),
        network,
        zygote: false,
    };
    let program = Program { argv: vec!["/usr/bin/true".into()], environment: Vec::new() };
    let instance = sandboxer.start(spec, |_| program).await?;
    instance.wait().await.map_err(|source| StartError { step: "wait", source })
}

fn advice(error: &StartError) -> &'static str {
    match error.step {
        "clone into new namespaces" | "write the user map" | "build the root" => {
            "Allow user namespaces: sysctl user.max_user_namespaces=15000, \
             kernel.unprivileged_userns_clone=1 (Debian), \
             kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); in a container, run it \
             privileged. Or set isolation to process, which isolates nothing."
        }
        "mount /proc" => {
            "The container that the server runs in hides parts of /proc: run it with \
             --security-opt systempaths=unconfined. Or set isolation to process, which isolates \
             nothing."
        }
        INIT_FILE => {
            "Allow programs in files without a name: sysctl vm.memfd_noexec=0. Or set isolation to \
             process, which isolates nothing."
        }
        _ => "The sandbox needs Linux 5.12 or newer. Or set isolation to process.",
    }
}

fn cgroups(sandboxer: &Sandboxer) -> Finding {
    let what = "cgroups";
    let mend = "Run the server as root, or as a systemd unit (or user unit) with Delegate=yes.";
    match &sandboxer.machine.cgroups {
        Ok(cgroups) if cgroups.complete() => Finding { what, ok: true, detail: cgroups.describe() },
        Ok(cgroups) => Finding {
            what,
            ok: false,
            detail: format!("{}. What is missing is not limited. {mend}", cgroups.describe()),
        },
        Err(reason) => Finding {
            what,
            ok: false,
            detail: format!(
                "{reason}. Memory is limited only loosely, per process; processor time is not \
                 limited; being killed for want of memory is not told apart. {mend}"
            ),
        },
    }
}

fn landlock(sandboxer: &Sandboxer) -> Finding {
    let what = "landlock";
    match sandboxer.machine.landlock_abi {
        0 => Finding {
            what,
            ok: false,
            detail: "Not there: mounts and seccomp alone keep instances in. Use Linux 5.19 or \
                     newer with landlock in the lsm= list."
                .into(),
        },
        abi => Finding { what, ok: true, detail: format!("version {abi}") },
    }
}
