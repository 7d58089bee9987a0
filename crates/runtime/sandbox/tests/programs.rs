//! What the sandbox's init is for: programs that live and die as programs do, and several of them.

use std::path::Path;

use rustix::process::Signal;
use tokio::{io::AsyncReadExt, time::timeout};

use super::{PATIENCE, Trial, has_python};
use crate::sandbox::{Exit, Isolation, Running, Status, protocol::PROGRAMS};

const TASK: &str = "/var/task";

/// A further program's output and end.
async fn end_of(mut running: Running) -> (String, Status) {
    let mut out = String::new();
    timeout(PATIENCE, running.stdout.read_to_string(&mut out)).await.unwrap().unwrap();
    (out, timeout(PATIENCE, running.wait()).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_program_ends_by_its_own_signals_and_statuses() {
    let trial = Trial::new("ends");
    let signalled = |signal| Exit { code: None, signal: Some(signal), oom_killed: false };
    let exited = |code| Exit { code: Some(code), signal: None, oom_killed: false };
    let ends = [
        ("kill -TERM $$", signalled(libc::SIGTERM)),
        ("kill -ABRT $$", signalled(libc::SIGABRT)),
        ("kill -SEGV $$", signalled(libc::SIGSEGV)),
        ("kill -KILL $$", signalled(libc::SIGKILL)),
        ("kill -USR1 $$", signalled(libc::SIGUSR1)),
        ("exit 0", exited(0)),
        ("exit 143", exited(143)),
        // The first process's id: a signal to it is for nobody.
        ("kill -KILL 1; kill -TERM 1; exit 7", exited(7)),
    ];
    for (script, exit) in ends {
        let ended = trial.shell(script).await;
        assert_eq!(ended.exit, exit, "{script}: {ended:?}");
    }
}

#[tokio::test]
async fn abort_is_an_abort() {
    if !has_python() {
        return;
    }
    let ended = Trial::new("abort").python("import os; os.abort()").await;
    assert_eq!(ended.exit.signal, Some(libc::SIGABRT), "{ended:?}");
}

#[tokio::test]
async fn orphans_are_reaped() {
    // Each subshell leaves a child behind and ends; then no process may be left as a zombie.
    let script = "for n in 1 2 3 4 5 6 7 8; do ( : & ) ; done; tries=0; \
        while grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null && [ $tries -lt 1000 ]; \
        do tries=$((tries + 1)); done > /tmp/zombies; [ $tries -lt 1000 ] && echo none";
    let ended = Trial::new("orphans").shell(script).await;
    assert_eq!(ended.out, "none\n", "{ended:?}");
}

#[tokio::test]
async fn the_init_cannot_be_looked_into_or_harmed() {
    if !has_python() {
        return;
    }
    let script = r#"
import ctypes, errno, os, platform, signal
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
def call(name, *args):
    ctypes.set_errno(0)
    r = libc.syscall(*args)
    print(name, errno.errorcode[ctypes.get_errno()] if r == -1 else 'done')
call('attach', 101 if x86 else 117, 16, 1, 0, 0)
call('seize', 101 if x86 else 117, 0x4206, 1, 0, 0)
call('read', 310 if x86 else 270, 1, 0, 0, 0, 0, 0)
call('write', 311 if x86 else 271, 1, 0, 0, 0, 0, 0)
call('getfd', 438, os.pidfd_open(1), 1, 0)
call('kcmp', 312 if x86 else 272, 1, os.getpid(), 0, 0, 0)
for name in ('mem', 'maps', 'environ', 'auxv', 'syscall', 'stack', 'pagemap', 'io', 'smaps'):
    try: open('/proc/1/' + name, 'rb').read(1); print(name, 'read')
    except OSError as e: pass
for name in ('oom_score_adj', 'clear_refs', 'comm', 'timerslack_ns', 'coredump_filter'):
    try: open('/proc/1/' + name, 'wb', buffering=0).write(b'1'); print(name, 'written')
    except OSError as e: pass
for name in ('fd', 'map_files', 'task/1/fd'):
    try: print(name, os.listdir('/proc/1/' + name))
    except OSError as e: pass
for name in ('exe', 'cwd', 'root', 'fd/1', 'fd/0', 'ns/pid', 'ns/user'):
    try: print(name, os.readlink('/proc/1/' + name))
    except OSError as e: pass
for number in range(1, 65):
    try: os.kill(1, number)
    except OSError: pass
print(open('/proc/1/comm').read().strip(), os.getppid())
"#;
    let ended = Trial::new("init").python(script).await;
    let expected = "attach EPERM\nseize EPERM\nread EPERM\nwrite EPERM\ngetfd EPERM\nkcmp EPERM\n\
                    init 1\n";
    assert_eq!(ended.out, expected, "{ended:?}");
    assert_eq!(ended.exit.code, Some(0));
}

#[tokio::test]
async fn an_init_is_small() {
    let trial = Trial::new("small");
    let instance = trial.start(&["/bin/sleep", "987"]).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", instance.pid)).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    let Ok(smaps) = std::fs::read_to_string(format!("/proc/{parent}/smaps_rollup")) else {
        return super::skipped("memory of an init", "only root may look at it");
    };
    let field = |name| {
        let line = smaps.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u32>().unwrap()
    };
    let private = field("Private_Clean:") + field("Private_Dirty:");
    println!("an init: {private} KiB private, {} KiB resident", field("Rss:"));
    assert!(private <= 64, "{smaps}");
}

#[tokio::test]
async fn further_programs_share_the_instance() {
    for isolation in [Isolation::Sandbox, Isolation::Process] {
        let trial = Trial::with("further", isolation);
        let first = trial.start(&["/bin/sleep", "987"]).await;
        let script = |text: &str| Trial::program(&["/bin/sh", "-c", text]);
        let spawn = async |text: &str| first.spawn(script(text), Path::new("/tmp")).await.unwrap();
        let one = spawn("pwd; ls /proc/self/fd | wc -l; exit 3").await;
        let status = Status { code: Some(3), signal: None };
        assert_eq!(end_of(one).await, ("/tmp\n4\n".into(), status), "{isolation:?}");

        let two =
            spawn("trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.01; done").await;
        let mut two = two;
        let mut up = [0; 3];
        timeout(PATIENCE, two.stdout.read_exact(&mut up)).await.unwrap().unwrap();
        two.signal(Signal::TERM).unwrap();
        assert_eq!(end_of(two).await, ("term\n".into(), Status { code: Some(0), signal: None }));

        let three = spawn("kill -ABRT $$").await;
        let aborted = Status { code: None, signal: Some(libc::SIGABRT) };
        assert_eq!(end_of(three).await, (String::new(), aborted));
        // The first is as it was.
        assert!(timeout(PATIENCE, first.spawn(script(":"), Path::new("/"))).await.is_ok());
        first.signal(Signal::TERM).unwrap();
        let exit = timeout(PATIENCE, first.wait()).await.unwrap().unwrap();
        assert_eq!(exit.signal, Some(libc::SIGTERM));
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_names_its_step() {
    for isolation in [Isolation::Sandbox, Isolation::Process] {
        let trial = Trial::with("cannot", isolation);
        let first = trial.start(&["/bin/sleep", "987"]).await;
        let error = first.spawn(Trial::program(&["/none"]), Path::new("/")).await.err().unwrap();
        assert_eq!((error.step, error.source.kind()), ("exec", std::io::ErrorKind::NotFound));
        assert!(error.to_string().contains("/none"), "{error}");
        let ls = Trial::program(&["/bin/ls"]);
        let error = first.spawn(ls, Path::new("/none")).await.err().unwrap();
        assert_eq!(error.step, crate::sandbox::ENTER_FOLDER);
        let mut long = Trial::program(&["/bin/ls"]);
        long.environment.push(("LONG".into(), "x".repeat(1 << 20).into()));
        assert!(first.spawn(long, Path::new("/")).await.is_err());
        // None of them has left anything in the way of the next.
        let next = first.spawn(Trial::program(&["/bin/echo", "hello"]), Path::new("/")).await;
        assert_eq!(end_of(next.unwrap()).await.0, "hello\n");
    }
}

#[tokio::test]
async fn a_dropped_program_ends_and_makes_room() {
    let trial = Trial::new("room");
    let first = trial.start(&["/bin/sleep", "987"]).await;
    let sleep = || first.spawn(Trial::program(&["/bin/sleep", "987"]), Path::new(TASK));
    let mut running = Vec::new();
    while running.len() < PROGRAMS - 1 {
        running.push(sleep().await.unwrap());
    }
    assert_eq!(sleep().await.err().unwrap().source.kind(), std::io::ErrorKind::ResourceBusy);
    let pid = running.pop().unwrap().pid;
    let gone = async {
        while Path::new(&format!("/proc/{pid}")).exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("dropping it kills it");
    assert!(sleep().await.is_ok());
    drop(running);
    first.kill();
    first.wait().await.unwrap();
}

#[tokio::test]
async fn further_programs_end_with_the_instance() {
    let trial = Trial::new("together");
    let first = trial.start(&["/bin/sh", "-c", "read line"]).await;
    let more = first.spawn(Trial::program(&["/bin/sleep", "987"]), Path::new(TASK)).await.unwrap();
    // Its standard input is at its end at once.
    timeout(PATIENCE, first.program_ended()).await.unwrap().unwrap();
    assert!(Path::new(&format!("/proc/{}", more.pid)).exists(), "it is left alone");
    let after = first.spawn(Trial::program(&["/bin/echo", "after"]), Path::new(TASK)).await;
    assert_eq!(end_of(after.unwrap()).await.0, "after\n");
    assert_eq!(timeout(PATIENCE, first.wait()).await.unwrap().unwrap().code, Some(1));
    assert!(!Path::new(&format!("/proc/{}", more.pid)).exists());
    assert!(timeout(PATIENCE, more.wait()).await.unwrap().is_err(), "nobody knows how it ended");
    let late = first.spawn(Trial::program(&["/bin/echo"]), Path::new(TASK)).await;
    assert_eq!(late.err().unwrap().step, "handshake");
}

#[tokio::test]
async fn further_programs_wear_what_the_first_one_does() {
    let trial = Trial::new("wear");
    let look = "grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups|Sig(Blk|Ign|Cgt))' \
                /proc/self/status; cat /proc/self/limits; umask; ( : > /var/task/x ) || \
                echo x > /tmp/place; stat -c %a /tmp/place; readlink /proc/self/fd/0";
    let first = trial.shell(look).await;
    let host = trial.start(&["/bin/sleep", "987"]).await;
    let program = Trial::program(&["/bin/sh", "-c", look]);
    let further = host.spawn(program, Path::new(TASK)).await.unwrap();
    let (out, status) = end_of(further).await;
    assert_eq!((out, status.code), (first.out, Some(0)));
    let program = Trial::program(&["/bin/mount", "-t", "tmpfs", "none", "/tmp"]);
    let mut further = host.spawn(program, Path::new(TASK)).await.unwrap();
    let mut err = String::new();
    timeout(PATIENCE, further.stderr.read_to_string(&mut err)).await.unwrap().unwrap();
    assert!(!err.is_empty() && further.wait().await.unwrap().code != Some(0));
}
