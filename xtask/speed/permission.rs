//! What permission costs: the same load, signed as AWS's clients sign it, on a server that asks
//! nobody, on one that records what policies say, and on one that checks signatures and lets policies
//! decide.

use std::{ffi::OsString, fs::File, path::Path};

use anyhow::Context;
use aws_credential_types::Credentials;
use futures::future::try_join_all;
use serde_json::json;

use super::{
    aws::{self, Code},
    bench::{Bench, CLIENTS, Same, rate},
    functions::python,
    table::{Line, Number, Table},
};
use crate::server::Server;

/// What must be left of the throughput.
const SHARE: f64 = 0.95;
/// The servers take turns, because the machine has moods: so often. The best turn of each counts.
const TURNS: usize = 7;

/// What the user who sends the load may do.
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:permission"},
    {"Effect": "Allow", "Action": ["lambda:*", "iam:PassRole"], "Resource": "*"}]}"#;
const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
    "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}}"#;

/// One of the servers.
struct Guarded {
    server: Server,
    bench: Bench,
    /// Of the user, or made up where signatures are not checked.
    key: Credentials,
    /// The best of its turns: warm invocations and sends per second.
    best: [f64; 2],
}

/// Adds its lines to the table. `flags` makes a server's flags from its data folder.
pub(super) async fn measure(
    binary: &Path,
    folder: &Path,
    flags: impl Fn(&Path) -> Vec<OsString>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut servers = Vec::new();
    for auth in ["open", "audit", "enforce"] {
        let mut flags = flags(&folder.join(auth));
        flags.extend(["--auth".into(), auth.into()]);
        servers.push(Guarded::start(binary, folder, &flags, auth == "enforce").await?);
    }
    for _ in 0..TURNS {
        for server in &mut servers {
            server.turn().await?;
        }
    }
    let [open, audit, enforce] = &servers[..] else { unreachable!("three were started") };
    for (guarded, workloads) in [
        (audit, ["warm Python invoke, `audit`", "SQS send, `audit`"]),
        (enforce, ["warm Python invoke, `enforce`", "SQS send, `enforce`"]),
    ] {
        for (number, workload) in workloads.into_iter().enumerate() {
            table.add(Line {
                workload,
                reached: Number::PerSecond(guarded.best[number]),
                aim: Number::PerSecond(SHARE * open.best[number]),
                floor: Number::PerSecond(open.best[number]),
                floor_is: "the same in `open` mode",
            });
        }
    }
    for Guarded { server, .. } in servers {
        server.stop().await?;
    }
    Ok(())
}

impl Guarded {
    async fn start(
        binary: &Path,
        folder: &Path,
        flags: &[OsString],
        enforces: bool,
    ) -> anyhow::Result<Guarded> {
        let log = File::create(folder.join("permission.log"))?;
        let mut server = Server::start(binary, flags, log.into()).await?;
        let bench = Bench::of(&server, folder)?;
        let key = match enforces {
            true => user(&bench, server.root_key().await?).await?,
            false => Credentials::new("test", "test", None, None, "anybody"),
        };
        let guarded = Guarded { server, bench, key, best: [0.0; 2] };
        guarded.set_up().await?;
        Ok(guarded)
    }

    async fn set_up(&self) -> anyhow::Result<()> {
        let queue = aws::sqs("CreateQueue", &json!({ "QueueName": "permission" }));
        self.bench.once(&self.by_user(queue, "sqs")?).await?;
        let hello = Code::plain("index.py", include_str!("functions/hello.py"));
        let create = aws::create_function("permission", &python()?.runtime, &hello)?;
        self.bench.once(&self.by_user(create, "lambda")?).await?;
        // Waits until the function is active.
        self.bench.once(&self.invoke()?).await.map(drop)
    }

    async fn turn(&mut self) -> anyhow::Result<()> {
        let url = aws::queue_url(self.bench.address, "permission");
        let send = json!({ "QueueUrl": url, "MessageBody": "x".repeat(100) });
        let send = self.by_user(aws::sqs("SendMessage", &send), "sqs")?;
        for (best, request) in [self.invoke()?, send].into_iter().enumerate() {
            let clients = (0..CLIENTS).map(async |_| {
                let connection = self.bench.connect().await?;
                anyhow::Ok(Same { connection, request: request.clone() })
            });
            let reached = rate(try_join_all(clients).await?).await?;
            self.best[best] = self.best[best].max(reached);
        }
        Ok(())
    }

    fn invoke(&self) -> anyhow::Result<Vec<u8>> {
        self.by_user(aws::invoke("permission", "{}"), "lambda")
    }

    fn by_user(&self, request: Vec<u8>, service: &str) -> anyhow::Result<Vec<u8>> {
        aws::signed(&request, service, &self.key)
    }
}

/// Makes the function's role and a user, and gives the user's key.
async fn user(bench: &Bench, (id, secret): (String, String)) -> anyhow::Result<Credentials> {
    let root = Credentials::new(id, secret, None, None, "root");
    let iam = async |operation: &str, input: &[(&str, &str)]| {
        let answer = bench.once(&aws::signed(&aws::iam(operation, input), "iam", &root)?).await?;
        anyhow::Ok(String::from_utf8(answer)?)
    };
    iam("CreateRole", &[("RoleName", "speed"), ("AssumeRolePolicyDocument", TRUST)]).await?;
    let name = ("UserName", "load");
    iam("CreateUser", &[name]).await?;
    iam("PutUserPolicy", &[name, ("PolicyName", "load"), ("PolicyDocument", POLICY)]).await?;
    let made = iam("CreateAccessKey", &[name]).await?;
    let told = |tag: &str| {
        let (_, rest) = made.split_once(&format!("<{tag}>")).context("no key")?;
        anyhow::Ok(rest.split('<').next().unwrap_or_default().to_owned())
    };
    Ok(Credentials::new(told("AccessKeyId")?, told("SecretAccessKey")?, None, None, "user"))
}
