"""What a function may do: compute. Nothing that changes the machine, or that has been a way out."""

import platform

import pytest

X86 = platform.machine() == "x86_64"

# Name: (number on x86_64, number on others, arguments). The arguments would do no harm if a call
# went through.
CALLS = {
    "mount": (165, 40, ["none", "/tmp", "tmpfs", 0, 0]),
    "umount2": (166, 39, ["/tmp", 0]),
    "pivot_root": (155, 41, ["/tmp", "/tmp"]),
    "chroot": (161, 51, ["/tmp"]),
    "unshare a user namespace": (272, 97, [0x10000000]),
    "unshare a network namespace": (272, 97, [0x40000000]),
    "setns": (308, 268, [0, 0]),
    "open_tree": (428, 428, [-100, "/", 1]),
    "fsopen": (430, 430, ["tmpfs", 0]),
    "mount_setattr": (442, 442, [-100, "/", 0, 0, 0]),
    "open_by_handle_at": (304, 265, [-100, 0, 0]),
    "bpf": (321, 280, [0, 0, 0]),
    "perf_event_open": (298, 241, [0, 0, -1, -1, 0]),
    "io_uring_setup": (425, 425, [1, 0]),
    "userfaultfd": (323, 282, [0]),
    "add_key": (248, 217, ["user", "k", "v", 1, -2]),
    "keyctl": (250, 219, [0, -3, 0]),
    "ptrace": (101, 117, [0, 0, 0, 0]),
    "process_vm_readv": (310, 270, [1, 0, 0, 0, 0, 0]),
    "process_vm_writev": (311, 271, [1, 0, 0, 0, 0, 0]),
    "pidfd_getfd": (438, 438, [0, 0, 0]),
    "init_module": (175, 105, [0, 0, ""]),
    "kexec_load": (246, 104, [0, 0, 0, 0]),
    "swapon": (167, 224, ["/tmp/none", 0]),
    "clock_settime": (227, 112, [0, 0]),
    "syslog": (103, 116, [3, 0, 0]),
    "personality": (135, 92, [0x0040000]),
    "sethostname": (170, 161, ["x", 1]),
    "clone a user namespace": (56, 220, [0x10000000 | 17, 0, 0, 0, 0]),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_system_call_is_refused(run_inside, call):
    def attack(number, arguments):
        import ctypes, errno

        libc = ctypes.CDLL(None, use_errno=True)
        given = [it.encode() if isinstance(it, str) else ctypes.c_long(it) for it in arguments]
        outcome = libc.syscall(ctypes.c_long(number), *given)
        return errno.errorcode[ctypes.get_errno()] if outcome == -1 else "done"

    on_x86, elsewhere, arguments = CALLS[call]
    assert run_inside(attack, on_x86 if X86 else elsewhere, arguments) == "EPERM"


def test_only_sockets_of_ordinary_programs_can_be_opened(run_inside):
    def attack():
        import errno, socket

        kinds = {
            "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0),
            "raw": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP),
            "ping": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            "crypto": (socket.AF_ALG, socket.SOCK_SEQPACKET, 0),
            "virtual machine": (socket.AF_VSOCK, socket.SOCK_STREAM, 0),
            "bluetooth": (31, socket.SOCK_RAW, 1),
            "audit": (socket.AF_NETLINK, socket.SOCK_RAW, 9),
            "netfilter": (socket.AF_NETLINK, socket.SOCK_RAW, 12),
            "stream": (socket.AF_INET, socket.SOCK_STREAM, 0),
            "datagram": (socket.AF_INET6, socket.SOCK_DGRAM, 0),
            "local": (socket.AF_UNIX, socket.SOCK_STREAM, 0),
        }
        opened = []
        for name, kind in kinds.items():
            try:
                socket.socket(*kind).close()
                opened.append(name)
            except OSError as error:
                assert error.errno in (errno.EPERM, errno.EAFNOSUPPORT), (name, error)
        return opened

    assert run_inside(attack) == ["stream", "datagram", "local"]


def test_it_is_nobody_and_stays_nobody(run_inside):
    def attack():
        import errno, os, subprocess

        changes = {
            "setuid": lambda: os.setuid(0),
            "setgid": lambda: os.setgid(0),
            "setgroups": lambda: os.setgroups([0]),
            "setresuid": lambda: os.setresuid(0, 0, 0),
            "chown": lambda: os.chown("/tmp", 0, 0),
            "nice": lambda: os.nice(-5),
            "device": lambda: os.mknod("/tmp/sda", 0o060600, os.makedev(8, 0)),
            "null device": lambda: os.mknod("/tmp/null", 0o020666, os.makedev(1, 3)),
        }
        done = []
        for name, change in changes.items():
            try:
                change()
                done.append(name)
            except OSError as error:
                # There is no other user than itself to become.
                assert error.errno in (errno.EPERM, errno.EINVAL), (name, error)
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        wanted = ["CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"]
        # Programs that become root on the host do not in here.
        raised = subprocess.run(
            "su -c id; mount -t tmpfs none /tmp; unshare -Ur id; id -u",
            shell=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return done, os.getuid(), os.getgid(), [status[it].strip() for it in wanted], raised.stdout

    none = "0" * 16
    expected = [[], 993, 990, [none, none, none, none, "1", "2"], "993\n"]
    assert run_inside(attack) == expected


def test_a_program_made_setuid_in_tmp_gains_nothing(run_inside):
    def attack():
        import os, shutil, subprocess

        shutil.copy("/usr/bin/id", "/tmp/id")
        os.chmod("/tmp/id", 0o6755)
        return subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout

    assert run_inside(attack) == "993\n"


def test_writes_outside_tmp_fail(run_inside):
    def attack(places):
        import os, sys

        code = os.environ["LAMBDA_TASK_ROOT"]
        files = [code + "/index.py", sys.executable, "/etc/passwd", "/var/runtime/bootstrap.py"]
        done = []
        for place in [*places, code, sys.prefix]:
            try:
                open(place + "/written", "w").close()
                done.append(place)
            except OSError:
                pass
        for change in (lambda it: open(it, "a"), os.remove, lambda it: os.chmod(it, 0o777)):
            for file in files:
                try:
                    change(file)
                    done.append(file)
                except OSError:
                    pass
        return done

    places = ["", "/usr", "/etc", "/opt", "/var", "/var/task", "/var/runtime", "/dev", "/proc"]
    assert run_inside(attack, places) == []


def test_switches_of_the_kernel_are_out_of_reach(run_inside):
    def attack(paths):
        import os

        done = []
        for path in paths:
            for flags in (os.O_WRONLY, os.O_RDWR):
                try:
                    with open(os.open(path, flags), "wb", buffering=0) as file:
                        file.write(b"0")
                    done.append(path)
                except OSError:
                    pass
        for path in ("/proc/kcore", "/proc/kmsg", "/proc/1/mem"):
            try:
                # One's own memory can be opened, not read at an address where nothing is.
                open(path, "rb").read(1)
                done.append(path)
            except OSError:
                pass
        return done

    switches = ["kernel/core_pattern", "kernel/modprobe", "vm/overcommit_memory", "fs/file-max"]
    paths = [f"/proc/sys/{it}" for it in [*switches, "user/max_user_namespaces"]]
    others = ["/proc/sysrq-trigger", "/proc/1/uid_map", "/proc/1/setgroups", "/proc/1/gid_map"]
    assert run_inside(attack, [*paths, *others]) == []


def test_it_cannot_escape_the_kernels_choice_of_whom_to_kill(run_inside):
    def attack():
        before = open("/proc/self/oom_score_adj").read()
        try:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("-1000")
            return "it is spared"
        except PermissionError:
            return int(before) >= 0

    assert run_inside(attack) is True


def test_limits_cannot_be_raised(run_inside):
    def attack():
        import resource

        raised = []
        for name in ("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE"):
            limit = getattr(resource, name)
            _, hard = resource.getrlimit(limit)
            try:
                resource.setrlimit(limit, (hard + 1, hard + 1))
                raised.append(name)
            except (ValueError, PermissionError):
                pass
        return raised, resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    assert run_inside(attack) == [[], 1024]


def test_control_groups_are_not_there(run_inside):
    def attack():
        import os

        kinds = [line.split(" - ")[1].split()[0] for line in open("/proc/self/mountinfo")]
        return os.path.exists("/sys/fs/cgroup"), [it for it in kinds if "cgroup" in it]

    assert run_inside(attack) == [False, []]


def test_the_init_of_its_sandbox_is_out_of_reach(run_inside):
    def attack():
        import os

        reached = []
        for name in ("environ", "mem", "maps", "syscall", "auxv", "io", "stack"):
            try:
                open(f"/proc/1/{name}", "rb").read(1)
                reached.append(name)
            except OSError:
                pass
        for name in ("oom_score_adj", "clear_refs", "comm", "setgroups"):
            try:
                open(f"/proc/1/{name}", "wb").close()
                reached.append(name)
            except OSError:
                pass
        for name in ("exe", "cwd", "root", "fd/0", "fd/1", "ns/user"):
            try:
                reached.append(os.readlink(f"/proc/1/{name}"))
            except OSError:
                pass
        try:
            reached += os.listdir("/proc/1/fd")
        except OSError:
            pass
        for number in range(1, 65):
            try:
                os.kill(1, number)
            except OSError:
                pass
        return reached, os.getppid()

    assert run_inside(attack) == [[], 1]
