//! Forks of a zygote: what they are, and what they cannot reach.

use std::sync::Arc;

use tokio::{io::AsyncReadExt, time::timeout};

use super::{PATIENCE, PYTHON, Sandboxed, Trial, has_python};
use crate::sandbox::{Channel, Zygote};

/// What our bootstrap does, in few lines: says that it is ready, forks when told, takes what it is
/// given. A fork runs `script`.
const BEGIN: &str = r#"
import _socket, ctypes, errno, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
channel, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
secret = 'the zygote knows'
def receive(socket):
    data, ancillary, _, _ = socket.recvmsg(65536, _socket.CMSG_SPACE(8))
    fds = ancillary[0][2] if ancillary else b''
    return data, [int.from_bytes(fds[i:i + 4], sys.byteorder) for i in range(0, len(fds), 4)]
def reap(*_):
    while True:
        try: pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError: return
        if not pid: return
        channel.send(b'X%d %d' % (pid, status))
signal.signal(signal.SIGCHLD, reap)
BEFORE
print(channel.fileno(), theirs.fileno(), flush=True)
receive(channel)
theirs.close()
channel.send(b'R')
while True:
    data, fds = receive(channel)
    if not data: os._exit(0)
    if os.fork() == 0: break
    os.close(fds[0])
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
channel.close()
own = _socket.socket(fileno=fds[0])
own.send(b'H')
data, fds = receive(own)
os.environ.update(json.loads(data[1:]))
for number, fd in enumerate(fds, 1):
    os.dup2(fd, number); os.close(fd)
own.close()
"#;

struct Born {
    zygote: Arc<Zygote>,
    trial: Trial,
    _first: Sandboxed,
}

impl Born {
    async fn new(id: &str, before: &str, script: &str) -> Result<Born, String> {
        let mut trial = Trial::new(id);
        trial.spec.zygote = true;
        let script = BEGIN.replace("BEFORE", before) + script;
        let mut first = trial.start(&[PYTHON, "-I", "-c", &script]).await;
        trial.spec.zygote = false;
        let mut offered = [0; 64];
        let length = timeout(PATIENCE, first.stdout.read(&mut offered)).await.unwrap().unwrap();
        let offered = String::from_utf8_lossy(&offered[..length]).into_owned();
        let numbers: Vec<i32> = offered.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let channel = Channel::take(first.pid, [numbers[0], numbers[1]]).unwrap();
        let ready = timeout(PATIENCE, channel.ready()).await.unwrap();
        if ready.is_err() {
            let mut err = String::new();
            first.stderr.read_to_string(&mut err).await.unwrap();
            panic!("{ready:?}: {err}");
        }
        let zygote = Arc::new(Zygote::inspect(first.pid, channel).unwrap()?);
        Ok(Born { zygote, trial, _first: first })
    }

    async fn fork(&self, id: &str) -> Sandboxed {
        let mut spec = self.trial.spec.clone();
        spec.id = id.to_owned();
        let variables = [("MY_NAME".to_owned(), id.to_owned())].into();
        self.trial.sandboxer.fork(self.zygote.clone(), spec, &variables).await.unwrap()
    }
}

async fn output(instance: &mut Sandboxed) -> String {
    let (mut out, mut err) = (String::new(), String::new());
    let read = async {
        let reads =
            (instance.stdout.read_to_string(&mut out), instance.stderr.read_to_string(&mut err));
        let (a, b) = tokio::join!(reads.0, reads.1);
        a.and(b).unwrap();
    };
    timeout(PATIENCE, read).await.expect("it ends");
    out + &err
}

#[tokio::test]
async fn a_fork_is_caged_and_remembers() {
    if !has_python() {
        return;
    }
    let script = r#"
status = {l.split(':')[0]: l.split(':')[1].strip() for l in open('/proc/self/status')}
print(secret, os.environ['MY_NAME'], os.getpid(), os.getuid(), os.getgid(), os.getcwd())
print(*(status[s] for s in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'NoNewPrivs', 'Seccomp')))
print(sorted(p for p in os.listdir('/proc') if p.isdigit()))
print(sorted(int(f) for f in os.listdir('/proc/self/fd'))[:4])
def refused(name, *call):
    ctypes.set_errno(0); libc.syscall(*call); print(name, errno.errorcode.get(ctypes.get_errno(), 'done'))
refused('mount', 165, b'none', b'/tmp', b'tmpfs', 0, 0)
refused('unshare', 272, 0x10000000)
refused('setns', 308, 0, 0)
refused('ptrace', 101, 0, 0, 0, 0)
refused('umount', 166, b'/tmp', 2)
for path in ('/x', '/var/task/x', '/dev/x'):
    try: open(path, 'w'); print(path, 'written')
    except OSError as e: print(path, errno.errorcode[e.errno])
open('/tmp/x', 'w').write(os.environ['MY_NAME']); print(open('/tmp/x').read(), os.listdir('/tmp'))
print(open('/proc/sys/user/max_user_namespaces').read().strip())
s = _socket.socket(); s.connect(('127.0.0.1', 9001)); print('connected')
import subprocess; print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())
sys.stdout.flush()
os._exit(7)
"#;
    let born = Born::new("caged", "open('/tmp/before', 'w').close()", script).await.unwrap();
    for id in ["one", "two"] {
        let mut fork = born.fork(id).await;
        let out = output(&mut fork).await;
        let expected = format!(
            "the zygote knows {id} 1 993 990 /var/task\n\
             0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 2\n\
             ['1']\n[0, 1, 2, 3]\nmount ENOSYS\nunshare ENOSYS\nsetns EPERM\nptrace EPERM\numount EPERM\n\
             /x EROFS\n/var/task/x EROFS\n/dev/x EROFS\n{id} ['x']\n0\nconnected\nchild\n"
        );
        assert_eq!(out, expected);
        let exit = timeout(PATIENCE, fork.wait()).await.unwrap().unwrap();
        assert_eq!((exit.code, exit.signal), (Some(7), None));
    }
}

#[tokio::test]
async fn forks_know_nothing_of_each_other() {
    if !has_python() {
        return;
    }
    let script = r#"
if os.environ['MY_NAME'] == 'first':
    open('/tmp/secret', 'w').close(); open('/dev/shm/secret', 'w').close()
    listener = _socket.socket(); listener.bind(('127.0.0.1', 5000)); listener.listen(1)
    named = _socket.socket(_socket.AF_UNIX); named.bind('\0named'); named.listen(1)
    print('up', flush=True)
    signal.pause()
print(os.listdir('/tmp'), os.listdir('/dev/shm'))
for address in (('127.0.0.1', 5000), '\0named', '\0zygote'):
    s = _socket.socket(_socket.AF_UNIX if isinstance(address, str) else _socket.AF_INET)
    try: s.connect(address); print('connected')
    except OSError as e: print(errno.errorcode[e.errno])
def can_signal(pid):
    try: os.kill(pid, 0); return True
    except ProcessLookupError: return False
print([pid for pid in range(2, 65536) if can_signal(pid)])
print([p for p in os.listdir('/proc') if p.isdigit()])
try: os.listdir('/proc/2'); print('sees')
except OSError as e: print(errno.errorcode[e.errno])
sys.stdout.flush()
os._exit(0)
"#;
    let before = "open('/tmp/zygote', 'w').close()";
    let born = Born::new("alone", before, script).await.unwrap();
    let mut first = born.fork("first").await;
    let mut up = [0; 3];
    timeout(PATIENCE, first.stdout.read_exact(&mut up)).await.unwrap().unwrap();
    let out = output(&mut born.fork("second").await).await;
    assert_eq!(out, "[] []\nECONNREFUSED\nECONNREFUSED\nECONNREFUSED\n[]\n['1']\nENOENT\n");
}

#[tokio::test]
async fn a_zygote_cannot_smuggle_anything_into_a_fork() {
    if !has_python() {
        return;
    }
    // Each replaces what the zygote calls when it is told to fork.
    let cases = [
        (
            "spy",
            "def fork():\n    if real() == 0: signal.pause()\n    return real()",
            "look at the zygote",
        ),
        (
            "orphan",
            "def fork():\n    if real() == 0:\n        if real() == 0: signal.pause()\n        os._exit(0)\n    \
             os.wait(); return real()",
            "look at the zygote",
        ),
        (
            "descriptor",
            "def fork():\n    pid = real()\n    if pid == 0: os.dup(channel.fileno())\n    return pid",
            "look at the fork",
        ),
        (
            "thread",
            "import threading\ndef fork():\n    \
             threading.Thread(target=signal.pause, daemon=True).start()\n    return real()",
            "look at the zygote",
        ),
    ];
    for (id, fork, step) in cases {
        let before = format!(
            "real = os.fork\n{fork}\nos.fork = fork\nsignal.signal(signal.SIGCHLD, signal.SIG_DFL)"
        );
        let born = Born::new(id, &before, "print('runs')").await.unwrap();
        let mut spec = born.trial.spec.clone();
        spec.id = format!("{id}-fork");
        let forked =
            born.trial.sandboxer.fork(born.zygote.clone(), spec, &[].into()).await.map(drop);
        assert_eq!(forked.map_err(|error| error.step), Err(step), "{id}");
    }
}
