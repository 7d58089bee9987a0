//! What an instance may do, and how much of it.

use tokio::{io::AsyncReadExt, time::timeout};

use super::{PATIENCE, PYTHON, Trial, has_python, skipped};

#[tokio::test]
async fn forbidden_calls_are_refused() {
    if !has_python() {
        return;
    }
    let trial = Trial::new("calls");
    let script = r#"
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    r = libc.syscall(*args)
    print(name, errno.errorcode.get(ctypes.get_errno(), r))
import platform
x86 = platform.machine() == 'x86_64'
call('unshare', 272 if x86 else 97, 0x10000000)
call('mount', 165 if x86 else 40, b'none', b'/tmp', b'tmpfs', 0, 0)
call('bpf', 321 if x86 else 280, 0, 0, 0)
call('io_uring', 425, 1, 0)
call('fsopen', 430, b'tmpfs', 0)
call('clone3', 435, 0, 0)
call('clone', 56 if x86 else 220, 0x10000000 | 17, 0, 0, 0, 0)
call('ptrace', 101 if x86 else 117, 0, 0, 0, 0)
call('keyctl', 250 if x86 else 219, 0, 0)
for family in ('AF_PACKET', 'AF_ALG', 'AF_VSOCK'):
    try: socket.socket(getattr(socket, family), socket.SOCK_DGRAM); print(family, 'opened')
    except OSError as e: print(family, errno.errorcode[e.errno])
try: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9); print('audit opened')
except OSError as e: print('audit', errno.errorcode[e.errno])
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
import threading, subprocess
t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()
print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout, end='')
print(socket.getaddrinfo('localhost', 80, socket.AF_INET)[0][4])
"#;
    let ended = trial.python(script).await;
    let expected = "unshare EPERM\nmount EPERM\nbpf EPERM\nio_uring EPERM\nfsopen EPERM\n\
        clone3 ENOSYS\nclone EPERM\nptrace EPERM\nkeyctl EPERM\nAF_PACKET EAFNOSUPPORT\n\
        AF_ALG EAFNOSUPPORT\nAF_VSOCK EAFNOSUPPORT\naudit EAFNOSUPPORT\nthread\nchild\n\
        ('127.0.0.1', 80)\n";
    assert_eq!(ended.out, expected, "{ended:?}");
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn calls_of_another_abi_kill() {
    if !has_python() {
        return;
    }
    let script = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39); print('alive')";
    let ended = Trial::new("x32").python(script).await;
    assert_eq!((ended.out.as_str(), ended.exit.signal), ("", Some(libc::SIGSYS)), "{ended:?}");
}

#[tokio::test]
async fn memory_beyond_the_limit_kills_and_says_so() {
    let trial = Trial::new("memory");
    if !has_python() || !bounds_memory(&trial) {
        return skipped("memory limit", "no memory cgroup");
    }
    let ended = trial.python("x = bytearray(400 << 20); print(len(x))").await;
    assert_eq!((ended.out.as_str(), ended.exit.signal), ("", Some(libc::SIGKILL)), "{ended:?}");
    assert!(ended.exit.oom_killed);
    assert_eq!(ended.peak_mib, 128);
    let fine = trial.python("x = bytearray(50 << 20); print(len(x))").await;
    assert_eq!((fine.out.as_str(), fine.exit.oom_killed), ("52428800\n", false));
    assert!((50..128).contains(&fine.peak_mib), "{} MiB", fine.peak_mib);
}

fn bounds_memory(trial: &Trial) -> bool {
    trial.sandboxer.machine.cgroups.as_ref().is_ok_and(|c| c.bounds_memory())
}

#[tokio::test]
async fn processes_are_bounded() {
    if !has_python() {
        return;
    }
    let script = "import os\nn = 0\ntry:\n  while True:\n    if os.fork() == 0:\n      \
                  import time; time.sleep(60)\n    n += 1\nexcept OSError as e: print(n < 64, e.strerror)";
    let ended = Trial::new("fork").python(script).await;
    assert_eq!(ended.out, "True Resource temporarily unavailable\n", "{ended:?}");
    assert_eq!(ended.exit.code, Some(0), "the end of the first is the end of all");
}

#[tokio::test]
async fn throttled_time_is_the_share_of_memory() {
    let trial = Trial::new("throttle");
    let has_cpu = trial.sandboxer.machine.cgroups.as_ref().is_ok_and(|c| c.complete());
    if !has_python() || !has_cpu {
        return skipped("processor share", "no cpu cgroup");
    }
    let script = "import sys, time\nsys.stdin.read()\nprint('up', flush=True)\n\
        a, b = time.monotonic(), time.process_time()\nwhile time.monotonic() - a < 0.5: pass\n\
        print((time.process_time() - b) / (time.monotonic() - a))";
    let mut instance = trial.start(&[PYTHON, "-I", "-c", script]).await;
    instance.begin_throttle().unwrap();
    let mut out = String::new();
    timeout(PATIENCE, instance.stdout.read_to_string(&mut out)).await.unwrap().unwrap();
    let share: f64 = out.lines().nth(1).unwrap().parse().unwrap();
    // 128 of 1,769 MiB is 0.07; the kernel hands time out in slices.
    assert!(share < 0.2, "{share}");
}
