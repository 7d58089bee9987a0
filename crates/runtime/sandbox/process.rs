//! Isolation `process`: a plain child process.

use std::{io, process::Command};

use rustix::process::{Pid, PidfdFlags};
use tokio::{io::unix::AsyncFd, net::TcpListener, net::unix::pipe};

use super::{Isolation, Program, Sandboxed, Spec, StartError, View};

pub(super) async fn start(
    spec: Spec,
    program: impl FnOnce(&View) -> Program,
) -> Result<Sandboxed, StartError> {
    launch(&spec, program).await.map_err(|source| StartError { step: "start process", source })
}

async fn launch(spec: &Spec, program: impl FnOnce(&View) -> Program) -> io::Result<Sandboxed> {
    use std::os::unix::process::CommandExt;
    let runtime_api = TcpListener::bind(("127.0.0.1", 0)).await?;
    let aws_endpoint = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (api, aws) = (runtime_api.local_addr()?, aws_endpoint.local_addr()?);
    let program = program(&View::new(Isolation::Process, spec, api, aws));
    let (out, stdout) = std::io::pipe()?;
    let (err, stderr) = std::io::pipe()?;
    let child = Command::new(&program.argv[0])
        .args(&program.argv[1..])
        .env_clear()
        .envs(program.environment)
        .current_dir(&spec.code)
        .stdin(std::process::Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()?;
    let pid = Pid::from_child(&child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    Ok(Sandboxed {
        pid: child.id(),
        runtime_api,
        aws_endpoint,
        stdout: receiver(out)?,
        stderr: receiver(err)?,
        pidfd: AsyncFd::new(pidfd)?,
        group: Some(pid),
        exit: None,
    })
}

fn receiver(end: std::io::PipeReader) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(end.into())
}
