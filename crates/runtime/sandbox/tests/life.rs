//! How instances start and end, and what is left of them.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
    time::timeout,
};

use super::{PATIENCE, Trial, skipped};
use crate::sandbox::{Isolation, View};

#[tokio::test]
async fn an_instance_leaves_no_descriptor_and_no_group_behind() {
    if std::env::var_os(SERVER).is_none() {
        let name = "an_instance_leaves_no_descriptor_and_no_group_behind";
        // Alone in a process: other tests open and close descriptors too.
        let alone = server(name).stdout(Stdio::null()).status();
        assert!(timeout(PATIENCE, alone).await.unwrap().unwrap().success());
        return;
    }
    let trial = Trial::new("leave");
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    trial.shell(":").await;
    let before = open();
    for _ in 0..5 {
        trial.shell(":").await;
        let failed = trial.sandboxer.start(trial.spec.clone(), |_| Trial::program(&["/none"]));
        assert!(failed.await.is_err());
    }
    assert_eq!(open(), before);
    assert_eq!(groups_of(&trial), 0);
}

/// Groups named after this trial.
fn groups_of(trial: &Trial) -> usize {
    let suffix = format!("-{}", trial.spec.id);
    let count = |root: &Path| {
        walk(root, 4, &|name| name.ends_with(&suffix) && name.starts_with("lampejo-"))
    };
    count(Path::new("/sys/fs/cgroup"))
}

fn walk(folder: &Path, depth: u32, wanted: &dyn Fn(&str) -> bool) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let folders = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    folders
        .map(|e| {
            let here = usize::from(e.file_name().to_str().is_some_and(wanted));
            here + if depth > 0 { walk(&e.path(), depth - 1, wanted) } else { 0 }
        })
        .sum()
}

#[tokio::test]
async fn kill_ends_all_of_an_instance() {
    for isolation in [Isolation::Sandbox, Isolation::Process] {
        let trial = Trial::with("kill", isolation);
        let mut instance = trial.start(&["/bin/sh", "-c", "sleep 987 & sleep 987"]).await;
        instance.kill();
        let exit = timeout(PATIENCE, instance.wait()).await.unwrap().unwrap();
        assert_eq!(exit.signal, Some(libc::SIGKILL));
        assert_eq!(instance.wait().await.unwrap(), exit, "the same once more");
        let mut rest = Vec::new();
        // Ends only when nobody holds the pipe any more.
        timeout(PATIENCE, instance.stdout.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert_eq!(groups_of(&trial), 0);
    }
}

#[tokio::test]
async fn dropping_an_instance_ends_it() {
    let trial = Trial::new("drop");
    let instance = trial.start(&["/bin/sleep", "987"]).await;
    let process = format!("/proc/{}", instance.pid);
    assert!(Path::new(&process).exists());
    drop(instance);
    let gone = async {
        while Path::new(&process).exists() || groups_of(&trial) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the reaper removes it");
}

#[tokio::test]
async fn a_failed_start_names_its_step_and_leaves_nothing() {
    let mut trial = Trial::new("failed");
    let program = |_: &View| Trial::program(&["/var/task/bootstrap"]);
    let error = trial.sandboxer.start(trial.spec.clone(), program).await.err().unwrap();
    assert_eq!(error.step, "exec");
    assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/var/task/bootstrap"), "{error}");
    trial.spec.code = "/no/such/folder".into();
    let error = trial.sandboxer.start(trial.spec.clone(), program).await.err().unwrap();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
    assert_eq!(groups_of(&trial), 0);
}

#[tokio::test]
async fn a_killed_servers_groups_are_removed() {
    let trial = Trial::new("sweep");
    let Ok(cgroups) = &trial.sandboxer.machine.cgroups else {
        return skipped("sweep", "no cgroups");
    };
    let left = cgroups.leave_behind("sweep").unwrap();
    // Sandboxers of other tests sweep too.
    assert!(left > 0);
    cgroups.sweep();
    assert_eq!(groups_of(&trial), 0);
}

#[tokio::test]
async fn the_doctor_says_whether_instances_start() {
    let trial = Trial::new("unused");
    let findings = trial.sandboxer.doctor().await;
    let sandbox = findings.iter().find(|f| f.what == "sandbox").unwrap();
    assert!(sandbox.ok, "{findings:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_start_at_once() {
    let trial = Trial::new("many");
    let starts = (0..32).map(|n| {
        let mut spec = trial.spec.clone();
        spec.id = format!("many-{n}");
        let sandboxer = trial.sandboxer.clone();
        tokio::spawn(async move {
            let program = Trial::program(&["/bin/echo", "hello"]);
            let mut instance = sandboxer.start(spec, |_| program).await.unwrap();
            let mut out = String::new();
            instance.stdout.read_to_string(&mut out).await.unwrap();
            (out, instance.wait().await.unwrap().code)
        })
    });
    for start in starts.collect::<Vec<_>>() {
        assert_eq!(timeout(PATIENCE, start).await.unwrap().unwrap(), ("hello\n".into(), Some(0)));
    }
}

/// Prints how long a start takes, from the call to a running program. Asserts nothing: machines
/// differ.
#[tokio::test]
async fn the_time_of_a_start_is_printed() {
    const STARTS: usize = 100;
    let trial = Trial::new("time");
    let mut micros = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let before = std::time::Instant::now();
        let instance = trial.start(&["/bin/true"]).await;
        micros.push(before.elapsed().as_micros());
        instance.wait().await.unwrap();
    }
    micros.sort_unstable();
    println!("start: p50 {} µs, p90 {} µs", micros[STARTS / 2], micros[STARTS * 9 / 10]);
}

/// Names the child process that plays the server, in its environment.
const SERVER: &str = "LAMPEJO_TEST_PLAYS_SERVER";

/// One test of this file in a process of its own.
fn server(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = format!("sandbox::tests::life::{test}");
    command.args(["--exact", &name, "--nocapture"]).env(SERVER, "1").kill_on_drop(true);
    command
}

/// Not a test of its own: the server of the next one, in a process of its own.
#[tokio::test]
async fn plays_server() {
    if std::env::var_os(SERVER).is_none() {
        return;
    }
    let trial = Trial::new("orphan");
    let instance = trial.start(&["/bin/sleep", "987"]).await;
    println!("instance {}", instance.pid);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn instances_die_with_the_server() {
    let mut server = server("plays_server").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let pid = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        if let Some((_, pid)) = line.split_once("instance ") {
            break pid.to_owned();
        }
    };
    let process = format!("/proc/{pid}");
    assert!(Path::new(&process).exists());
    server.kill().await.unwrap();
    // Its new parent reaps it, or does not: dead is enough.
    let alive = || {
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
    };
    let dead = async {
        while alive() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, dead).await.expect("the instance dies with its server");
    // The next server removes what it left.
    let next = Trial::new("orphan");
    assert_eq!(groups_of(&next), 0);
}

/// Not a test of its own: a server that starts instances without end, several at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn plays_busy_server() {
    if std::env::var_os(SERVER).is_none() {
        return;
    }
    let trial = Trial::new("busy");
    let starters = (0..8).map(|n| {
        let (sandboxer, mut spec) = (trial.sandboxer.clone(), trial.spec.clone());
        tokio::spawn(async move {
            for turn in 0.. {
                spec.id = format!("busy-{n}-{turn}");
                let program = Trial::program(&["/bin/true"]);
                sandboxer.start(spec.clone(), |_| program).await.unwrap();
                println!("instance");
            }
        })
    });
    futures::future::join_all(starters).await;
}

#[tokio::test]
async fn a_server_killed_amid_starts_leaves_nobody_behind() {
    // Each kill strikes another moment of a start.
    for lines in 1..=24 {
        let mut server = server("plays_busy_server").stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
        for _ in 0..lines {
            timeout(PATIENCE, output.next_line()).await.unwrap().unwrap().unwrap();
        }
        server.kill().await.unwrap();
        // A child that is not yet at exec has the server's own output open: the end of it is the
        // end of them all.
        let rest = async { while output.next_line().await.unwrap().is_some() {} };
        timeout(PATIENCE, rest).await.expect("children die with the server");
    }
    // The next server removes what was left.
    let next = Trial::new("unused");
    let left = walk(Path::new("/sys/fs/cgroup"), 4, &|name| name.contains("-busy-"));
    drop(next);
    assert_eq!(left, 0);
}
