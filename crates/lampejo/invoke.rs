//! `lampejo invoke FUNCTION [PAYLOAD]`.

use std::{io::Read, process::ExitCode};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use http::Method;

use crate::client;

/// What to run with what.
#[derive(Args)]
pub(crate) struct Flags {
    /// Name or ARN
    function: String,
    /// JSON; `-` reads standard input
    #[arg(default_value = "{}")]
    payload: String,
    /// Version or alias
    #[arg(long)]
    qualifier: Option<String>,
    /// Do not print the log to standard error
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    server: client::Server,
}

/// Prints the answer to standard output and the log to standard error; fails if the function did.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let mut payload = flags.payload;
    if payload == "-" {
        payload.clear();
        std::io::stdin().read_to_string(&mut payload).context("cannot read standard input")?;
    }
    let name = flags.function.replace('/', "%2F").replace(':', "%3A");
    let query = flags.qualifier.map_or_else(String::new, |it| format!("?Qualifier={it}"));
    let path = format!("/2015-03-31/functions/{name}/invocations{query}");
    let headers = [("x-amz-log-type", "Tail"), ("content-type", "application/json")];
    let answer = flags.server.send("lambda", Method::POST, &path, &headers, payload).await?;
    if !flags.quiet
        && let Some(tail) = answer.headers.get("x-amz-log-result")
    {
        eprint!("{}", String::from_utf8_lossy(&STANDARD.decode(tail.as_bytes())?));
    }
    let failed = answer.headers.contains_key("x-amz-function-error");
    println!("{}", answer.text()?);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
