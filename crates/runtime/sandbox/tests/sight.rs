//! What an instance sees.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{PATIENCE, PYTHON, Trial, has_python};
use crate::sandbox::{Bind, ImageRoot, Isolation, View};

#[tokio::test]
async fn an_instance_is_the_child_of_its_init_and_nobody() {
    let trial = Trial::new("nobody");
    let ended = trial
        .shell(
            "echo $$ $PPID; id -u; id -g; hostname 2>/dev/null || uname -n; pwd; \
             grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp|Groups):' /proc/self/status; \
             ls -d /proc/[0-9]* | wc -l; ulimit -n; umask",
        )
        .await;
    let none = "0000000000000000";
    let groups = if rustix::process::geteuid().is_root() { "Groups:\t \n" } else { "" };
    let expected = format!(
        "2 1\n993\n990\n169-254-1-1\n/var/task\n{groups}CapInh:\t{none}\nCapPrm:\t{none}\n\
         CapEff:\t{none}\nCapBnd:\t{none}\nCapAmb:\t{none}\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    );
    let out = if groups.is_empty() {
        ended.out.lines().filter(|l| !l.starts_with("Groups")).map(|l| format!("{l}\n")).collect()
    } else {
        ended.out.clone()
    };
    assert!(out.starts_with(&expected), "{ended:?}");
    let rest: Vec<_> = out[expected.len()..].split_whitespace().collect();
    // Init, the shell, `ls` and `wc`: no process of the host.
    let processes: u32 = rest[0].parse().unwrap();
    assert!(processes <= 5, "{processes} processes");
    assert_eq!(rest[1..], ["1024", "0022"]);
}

#[tokio::test]
async fn only_tmp_is_writable_and_it_is_as_large_as_said() {
    let trial = Trial::new("tmp");
    std::fs::write(trial.folder.path().join("app"), "code").unwrap();
    let places = "/ /usr /etc /opt /var/task /var/runtime /dev /var /proc";
    let ended = trial
        .shell(&format!(
            "for d in {places}; do ( : > $d/x ) 2>/dev/null && echo wrote $d; done; \
             ( : > /var/task/app ) 2>/dev/null && echo wrote code; cat /var/task/app; \
             : > /tmp/x && echo x > /dev/shm/y && : > /dev/null && echo tmp; \
             dd if=/dev/zero of=/tmp/big bs=1M count=64 2>/dev/null || stat -c %s /tmp/big"
        ))
        .await;
    assert_eq!(ended.out, "codetmp\n16777216\n", "{ended:?}");
}

#[tokio::test]
async fn files_move_between_folders_of_tmp() {
    let trial = Trial::new("move");
    let script = "mkdir /tmp/a /tmp/b && : > /tmp/a/f && mv /tmp/a/f /tmp/b/g && ls /tmp/b";
    assert_eq!(trial.shell(script).await.out, "g\n");
}

#[tokio::test]
async fn nothing_secret_of_the_host_is_there() {
    let trial = Trial::new("secret");
    let ended = trial
        .shell(
            "for f in /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh /home /run /sys \
             /boot /srv /mnt; do [ -e $f ] && echo $f; done; cat /etc/passwd | wc -l; \
             cut -d' ' -f5 /proc/self/mountinfo | sort | head -3; ls -A /var",
        )
        .await;
    assert_eq!(ended.out, "2\n/\n/dev/full\n/dev/null\nruntime\ntask\n", "{ended:?}");
}

#[tokio::test]
async fn a_port_inside_is_reached_and_the_hosts_is_not() {
    if !has_python() {
        return;
    }
    let trial = Trial::new("dial");
    let script = "import socket; s = socket.create_server(('127.0.0.1', 7777)); \
        print('listens', flush=True); s.accept()[0].sendall(b'inside')";
    let mut instance = trial.start(&[PYTHON, "-I", "-c", script]).await;
    let mut line = [0; 8];
    timeout(PATIENCE, instance.stdout.read_exact(&mut line)).await.unwrap().unwrap();
    let dialer = instance.dialer().unwrap();
    let mut said = String::new();
    let mut stream = dialer.dial(7777).await.unwrap();
    timeout(PATIENCE, stream.read_to_string(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, "inside");
    let host = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = dialer.dial(host.local_addr().unwrap().port()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    instance.kill();
    instance.wait().await.unwrap();
    assert!(dialer.dial(7777).await.is_err(), "it is gone");
}

#[tokio::test]
async fn the_hosts_loopback_is_another() {
    if !has_python() {
        return;
    }
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let script = format!(
        "import socket\ntry: socket.create_connection(('127.0.0.1', {port})); print('reached')\n\
         except OSError as e: print(e.strerror)\n\
         try: socket.create_connection(('192.0.2.1', 80), 2); print('reached')\n\
         except OSError as e: print(e.strerror)\n"
    );
    let ended = Trial::new("loopback").python(&script).await;
    assert_eq!(ended.out, "Connection refused\nNetwork is unreachable\n", "{ended:?}");
}

async fn answer_one(isolation: Isolation) {
    let trial = Trial::with("answer", isolation);
    let script = "import socket, sys\nfor port in sys.argv[1:]:\n \
        s = socket.create_connection(('127.0.0.1', int(port))); s.sendall(b'ping'); print(s.recv(9))";
    let program = |view: &View| {
        let ports = [view.runtime_api.port().to_string(), view.aws_endpoint.port().to_string()];
        Trial::program(&[PYTHON, "-I", "-c", script, &ports[0], &ports[1]])
    };
    let mut instance = trial.sandboxer.start(trial.spec.clone(), program).await.unwrap();
    for (listener, word) in [(&instance.runtime_api, b"api"), (&instance.aws_endpoint, b"aws")] {
        let (mut connection, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let mut ping = [0; 4];
        connection.read_exact(&mut ping).await.unwrap();
        connection.write_all(word).await.unwrap();
    }
    let mut out = String::new();
    timeout(PATIENCE, instance.stdout.read_to_string(&mut out)).await.unwrap().unwrap();
    assert_eq!(out, "b'api'\nb'aws'\n");
    assert_eq!(instance.wait().await.unwrap().code, Some(0));
}

#[tokio::test]
async fn the_host_answers_on_the_instances_loopback() {
    if has_python() {
        answer_one(Isolation::Sandbox).await;
    }
}

#[tokio::test]
async fn the_host_answers_a_plain_process() {
    if has_python() {
        answer_one(Isolation::Process).await;
    }
}

#[tokio::test]
async fn no_descriptor_of_the_server_is_inherited() {
    let trial = Trial::new("descriptors");
    // One without the flag that closes it at exec.
    let leak = rustix::io::dup(std::fs::File::open("/dev/null").unwrap()).unwrap();
    let ended = trial.shell("ls -l /proc/$$/fd").await;
    drop(leak);
    let links = ended.out.lines().filter_map(|line| line.split_once(" -> "));
    let links: Vec<_> = links.map(|(_, target)| target).collect();
    assert_eq!(links.len(), 3, "{ended:?}");
    assert_eq!(links[0], "/dev/null");
    assert!(links[1].starts_with("pipe:") && links[2].starts_with("pipe:"), "{links:?}");
}

#[tokio::test]
async fn layers_are_merged_and_binds_are_where_they_should_be() {
    let mut trial = Trial::new("layers");
    let host = tempfile::tempdir().unwrap();
    let folder = |name: &str, content: &str| {
        let path = host.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("same"), content).unwrap();
        std::fs::write(path.join(format!("only-{name}")), content).unwrap();
        path
    };
    // Closed to everybody else, as a home is: what is bound is reached all the same.
    let mode = if rustix::process::geteuid().is_root() { 0o700 } else { 0o755 };
    std::fs::set_permissions(host.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    trial.spec.opt = vec![folder("one", "first"), folder("two", "second")];
    let (deep, bootstrap) = (folder("deep", "deep"), folder("bootstrap", "boot"));
    trial.spec.binds = vec![
        Bind { host: deep.join("same"), inside: "/home/tool/versions/1/file".into() },
        Bind { host: bootstrap, inside: "/var/runtime".into() },
    ];
    let ended = trial
        .shell("ls /opt; cat /opt/same /home/tool/versions/1/file /var/runtime/same; : > /opt/x")
        .await;
    assert_eq!(ended.out, "only-one\nonly-two\nsame\nseconddeepboot", "{ended:?}");
    assert!(ended.err.contains("Read-only"), "{ended:?}");
}

#[tokio::test]
async fn five_layers_may_have_long_paths_and_odd_names() {
    let mut trial = Trial::new("long");
    let host = tempfile::tempdir().unwrap();
    std::fs::set_permissions(host.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for number in 1..=5 {
        let path = host.path().join(format!("{}, {number}:\\", "layer".repeat(40)));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("top"), number.to_string()).unwrap();
        std::fs::write(path.join(format!("own-{number}")), "").unwrap();
        trial.spec.opt.push(path);
    }
    let ended = trial.shell("ls /opt; cat /opt/top").await;
    assert_eq!(ended.out, "own-1\nown-2\nown-3\nown-4\nown-5\ntop\n5", "{ended:?}");
}

#[tokio::test]
async fn an_image_is_all_that_an_instance_of_it_sees() {
    let mut trial = Trial::new("image");
    let tree = trial.folder.path().join("tree");
    for folder in ["dev", "proc", "tmp", "app"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    copy_shell(&tree);
    fs::write(tree.join("app/mine"), "x").unwrap();
    trial.spec.code = PathBuf::new();
    trial.spec.image = Some(ImageRoot { tree, folder: "/app".into() });
    let script = "echo *; cd /; echo dev/*; : > /tmp/w; : > /dev/null; echo /usr/* /etc/* /var/*; \
                  : > /app/w";
    // Found by PATH, in the image.
    let ended = trial.run(&["sh", "-c", script]).await;
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!((lines[0], lines[2]), ("mine", "/usr/* /etc/* /var/*"), "{ended:?}");
    assert!(lines[1].starts_with("dev/fd dev/full dev/null"), "{ended:?}");
    assert!(ended.err.contains("Read-only file system"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_and_layers_lie_in_an_image_that_has_places_for_them() {
    let mut trial = Trial::new("base");
    let tree = trial.folder.path().join("tree");
    for folder in ["dev", "proc", "tmp", "var/task", "opt", "opt/hidden"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    copy_shell(&tree);
    trial.spec.code = trial.folder.path().join("code");
    fs::create_dir(&trial.spec.code).unwrap();
    fs::write(trial.spec.code.join("mine"), "x").unwrap();
    let layers = ["one", "two"].map(|name| trial.folder.path().join(name));
    for (layer, name) in layers.iter().zip(["a", "b"]) {
        fs::create_dir_all(layer).unwrap();
        fs::write(layer.join(name), "x").unwrap();
    }
    trial.spec.opt = layers.to_vec();
    trial.spec.image = Some(ImageRoot { tree, folder: "/var/task".into() });
    let script = "echo *; echo /opt/*; (: > /var/task/w); (: > /opt/w)";
    let ended = trial.run(&["sh", "-c", script]).await;
    assert_eq!(ended.out, "mine\n/opt/a /opt/b\n", "{ended:?}");
    assert_eq!(ended.err.matches("Read-only file system").count(), 2, "{ended:?}");
}

#[tokio::test]
async fn an_image_finds_the_names_that_all_find() {
    let mut trial = Trial::new("image-names");
    let tree = trial.folder.path().join("tree");
    for folder in ["dev", "proc", "tmp", "etc"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    copy_shell(&tree);
    fs::write(tree.join("etc/resolv.conf"), "nameserver 192.0.2.1\n").unwrap();
    trial.spec.code = Default::default();
    trial.spec.image = Some(ImageRoot { tree: tree.clone(), folder: "/".into() });
    let script = "read line < /etc/resolv.conf; echo $line; echo etc/*; : > /etc/resolv.conf";
    let ended = trial.run(&["sh", "-c", script]).await;
    assert_eq!(ended.out, "nameserver 127.0.0.1\netc/resolv.conf\n", "{ended:?}");
    assert!(ended.err.contains("Read-only file system"), "{ended:?}");
    assert_eq!(fs::read(tree.join("etc/resolv.conf")).unwrap(), b"nameserver 192.0.2.1\n");
}

/// The host's shell with the libraries that it needs, and nothing else.
fn copy_shell(tree: &Path) {
    let needed = std::process::Command::new("ldd").arg("/bin/sh").output().unwrap();
    let needed = String::from_utf8(needed.stdout).unwrap();
    for file in needed.split_whitespace().filter(|word| word.starts_with('/')).chain(["/bin/sh"]) {
        let place = tree.join(&file[1..]);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}
