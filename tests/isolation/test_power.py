"""What a function may do: compute. Nothing that changes the machine, or that has been a way out."""

import contextlib
import fcntl
import os
import platform
import sys
import threading

import pytest

from lampejo_server import eventually

NS_GET_OWNER_UID = 0xB704
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
    "setdomainname": (171, 162, ["x", 1]),
    "clone a user namespace": (56, 220, [0x10000000 | 17, 0, 0, 0, 0]),
    "clone a mount namespace": (56, 220, [0x00020000 | 17, 0, 0, 0, 0]),
    "clone a network namespace": (56, 220, [0x40000000 | 17, 0, 0, 0, 0]),
    "clone a process namespace": (56, 220, [0x20000000 | 17, 0, 0, 0, 0]),
    "clone with flags in the upper half": (56, 220, [(1 << 32) | 0x10000000 | 17, 0, 0, 0, 0]),
    "unshare a mount namespace": (272, 97, [0x00020000]),
    "unshare a cgroup namespace": (272, 97, [0x02000000]),
    "unshare a time namespace": (272, 97, [0x00000080]),
    "unshare descriptors only": (272, 97, [0x00000400]),
    "move_mount": (429, 429, [-100, "/tmp", -100, "/tmp", 0]),
    "fsconfig": (431, 431, [0, 0, 0, 0, 0]),
    "fsmount": (432, 432, [0, 0, 0]),
    "fspick": (433, 433, [-100, "/tmp", 0]),
    "open_tree_attr": (467, 467, [-100, "/", 0, 0, 0]),
    "name_to_handle_at": (303, 264, [-100, "/tmp", 0, 0, 0]),
    "bind mount": (165, 40, ["/tmp", "/tmp", 0, 4096, 0]),
    "remount": (165, 40, [0, "/", 0, 32, 0]),
    "make shared": (165, 40, [0, "/", 0, 1 << 20, 0]),
    "process_vm_writev": (311, 271, [1, 0, 0, 0, 0, 0]),
    "process_madvise": (440, 440, [0, 0, 0, 0, 0]),
    "kcmp": (312, 272, [1, 1, 0, 0, 0]),
    "move_pages": (279, 239, [0, 0, 0, 0, 0, 0]),
    "migrate_pages": (256, 238, [0, 0, 0, 0]),
    "mbind": (237, 235, [0, 0, 0, 0, 0, 0]),
    "set_mempolicy": (238, 237, [0, 0, 0]),
    "trace oneself": (101, 117, [0, 0, 0, 0]),
    "request_key": (249, 218, ["user", "k", 0, -3]),
    "read a keyring": (250, 219, [11, -4, 0, 0, 0]),
    "fanotify_init": (300, 262, [0, 0]),
    "io_uring_enter": (426, 426, [0, 0, 0, 0, 0, 0]),
    "io_uring_register": (427, 427, [0, 0, 0, 0]),
    "io_setup": (206, 0, [60_000, "x" * 8]),
    "finit_module": (313, 273, [0, "", 0]),
    "delete_module": (176, 106, ["none", 0]),
    "kexec_file_load": (320, 294, [0, 0, 0, 0, 0]),
    "reboot": (169, 142, [0xFEE1DEAD, 672274793, 0x89ABCDEF, 0]),
    "swapoff": (168, 225, ["/tmp/none"]),
    "quotactl": (179, 60, [0, 0, 0, 0]),
    "quotactl_fd": (443, 443, [0, 0, 0, 0]),
    "acct": (163, 89, [0]),
    "settimeofday": (164, 170, [0, 0]),
    "clock_adjtime": (305, 266, [0, 0]),
    "adjtimex": (159, 171, [0]),
    "vhangup": (153, 58, []),
    "type into a terminal": (16, 29, [0, 0x5412, "x"]),
    "type into a terminal, upper half set": (16, 29, [0, (1 << 32) | 0x5412, "x"]),
    "paste into a console": (16, 29, [0, 0x541C, "x"]),
}
if X86:
    # What only the older architecture has.
    CALLS |= {
        "iopl": (172, 0, [3]),
        "ioperm": (173, 0, [0, 8, 1]),
        "modify_ldt": (154, 0, [0, 0, 0]),
        "sysfs": (139, 0, [3]),
    }


def test_system_calls_are_refused(run_inside):
    def attack(calls):
        import ctypes, errno

        libc = ctypes.CDLL(None, use_errno=True)
        outcomes = {}
        for name, (number, arguments) in calls.items():
            given = [it.encode() if isinstance(it, str) else ctypes.c_long(it) for it in arguments]
            ctypes.set_errno(0)
            outcome = libc.syscall(ctypes.c_long(number), *given)
            outcomes[name] = errno.errorcode[ctypes.get_errno()] if outcome == -1 else "done"
        return outcomes

    calls = {name: (x86 if X86 else arm, given) for name, (x86, arm, given) in CALLS.items()}
    outcomes = run_inside(attack, calls)
    assert outcomes == dict.fromkeys(CALLS, "EPERM")


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


def test_nobody_is_more_urgent_than_others(run_inside):
    def attack():
        import ctypes, os

        libc = ctypes.CDLL(None, use_errno=True)
        changes = {
            "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -1),
            "in turn": lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
            "first": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99)),
        }
        done = []
        for name, change in changes.items():
            try:
                change()
                done.append(name)
            except PermissionError:
                pass
        # Before all others at the disk.
        ioprio_set = 251 if os.uname().machine == "x86_64" else 30
        if libc.syscall(ioprio_set, 1, 0, 1 << 13) == 0:
            done.append("disk")
        return done

    assert run_inside(attack) == []


def test_the_network_cannot_be_changed(run_inside):
    def attack():
        import fcntl, socket, struct

        done = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
            for request in (0x8914, 0x8916, 0x8946, 0x89F0, 0x890B):
                try:
                    fcntl.ioctl(it, request, struct.pack("16sH22x", b"lo", 0))
                    done.append(hex(request))
                except OSError:
                    pass
            for level, option in ((0, 64), (41, 64), (1, 33), (1, 32), (1, 36)):
                try:
                    it.setsockopt(level, option, struct.pack("I", 1))
                    done.append((level, option))
                except OSError:
                    pass
        # A new interface, by netlink.
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as it:
            body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + struct.pack("=HH8s", 12, 3, b"new\0")
            it.send(struct.pack("=IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
            answer = it.recv(4096)
            kind, error = struct.unpack_from("=4xH10xi", answer)
        return done, kind, error

    assert run_inside(attack) == [[], 2, -1]


def test_a_filter_of_its_own_gives_nothing_back(run_inside):
    def attack():
        import ctypes, errno, os

        # What it may call may be less with its own filter, never more.
        libc = ctypes.CDLL(None, use_errno=True)
        allow = (ctypes.c_uint64 * 1)(0x7FFF0000 << 32 | 0x06)

        class Program(ctypes.Structure):
            _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

        program = Program(1, ctypes.addressof(allow))
        number, mount = (317, 165) if os.uname().machine == "x86_64" else (277, 40)
        added = libc.syscall(number, 1, 0, ctypes.byref(program))
        refused = libc.syscall(mount, b"none", b"/tmp", b"tmpfs", 0, 0)
        return added, refused, errno.errorcode[ctypes.get_errno()]

    assert run_inside(attack) == [0, -1, "EPERM"]


def test_capabilities_and_switches_of_processes_stay(run_inside):
    def attack():
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        switches = {
            "drop of the bounding set": (24, 21, 0, 0, 0),
            "ambient": (47, 2, 21, 0, 0),
            "secure bits": (28, 0, 0, 0, 0),
            "new privileges": (38, 0, 0, 0, 0),
            "memory map": (35, 1, 0, 0, 0),
            "no seccomp": (22, 0, 0, 0, 0),
        }
        return [name for name, given in switches.items() if libc.prctl(*given) == 0]

    assert run_inside(attack) == []


def test_links_into_other_processes_lead_nowhere(run_inside):
    def attack():
        import os

        own = ("/dev/", "/tmp", "/proc", "/var")
        found = []
        for pid in ["1", "self", "thread-self", str(os.getppid())]:
            for entry in ("root", "cwd", "exe"):
                path = f"/proc/{pid}/{entry}"
                for beyond in ("/../../../etc/shadow", "/etc/shadow"):
                    if os.path.exists(path + beyond):
                        found.append(path + beyond)
            try:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                    if target.startswith("/") and not target.startswith(own):
                        found.append(target)
            except OSError:
                pass
        return found

    assert run_inside(attack) == []


def test_the_kernels_own_files_tell_and_change_nothing(run_inside):
    def attack(closed, written):
        import os

        found = []
        for path in closed:
            try:
                with open(path, "rb") as file:
                    if file.read(64):
                        found.append(path)
            except OSError:
                pass
        for path in written:
            try:
                with open(os.open(path, os.O_WRONLY), "wb", buffering=0) as file:
                    file.write(b"1")
                found.append(path)
            except OSError:
                pass
        addresses = {line.split()[0] for line in open("/proc/kallsyms")} - {"0" * 16}
        keys = open("/proc/keys").read().splitlines() if os.path.exists("/proc/keys") else []
        return found, len(addresses), [it for it in keys if "_ses" not in it]

    closed = ["kcore", "kmsg", "kpagecount", "kpageflags", "timer_list", "slabinfo", "vmallocinfo"]
    closed += ["sched_debug", "latency_stats", "1/stack", "scsi/scsi", "pagetypeinfo"]
    sys = ["kernel/core_pattern", "kernel/hotplug", "kernel/modprobe", "kernel/sysrq"]
    sys += ["vm/drop_caches"]
    sys += ["kernel/randomize_va_space", "fs/suid_dumpable", "kernel/panic", "kernel/threads-max"]
    sys += ["fs/inotify/max_user_instances", "user/max_inotify_instances", "kernel/ns_last_pid"]
    sys += ["net/ipv4/ip_forward", "kernel/keys/maxkeys", "fs/binfmt_misc/register"]
    sys += ["kernel/shmmax"]
    written = [f"/proc/sys/{it}" for it in sys]
    written += ["/proc/sysrq-trigger", "/proc/irq/0/smp_affinity", "/proc/mtrr", "/proc/1/uid_map"]
    written += ["/proc/1/attr/current", "/proc/1/loginuid", "/proc/1/projid_map"]
    assert run_inside(attack, [f"/proc/{it}" for it in closed], written) == [[], 0, []]


def test_a_function_pays_with_an_account_of_its_own(server, attacker, name):
    """What the kernel limits per user, a function uses up for itself alone."""
    if server.command[0].endswith("setpriv") or os.geteuid() != 0:
        pytest.skip("a rootless server has no users to lend")

    def attack():
        import time

        time.sleep(0.5)

    invoke = attacker(attack, Description=name)
    call = threading.Thread(target=invoke)
    call.start()
    owners = eventually(lambda: owners_of(name), "the function runs")
    call.join()
    assert all(owner >= 1_000_000 for owner in owners), owners


def owners_of(word):
    """The owners of the user namespaces of processes with this word in their environment."""
    owners = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"AWS_LAMBDA_FUNCTION_NAME={word}".encode() not in file.read():
                    continue
            with open(f"/proc/{pid}/ns/user", "rb") as namespace:
                owner = fcntl.ioctl(namespace, NS_GET_OWNER_UID, bytes(4))
                owners.append(int.from_bytes(owner, sys.byteorder))
    return owners
