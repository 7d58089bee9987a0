//! `lampejo iam explain` and `lampejo iam suggest`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use http::Method;
use kit::{Clock, Millis};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::client::Server;

/// What policies decide, and what they should say.
#[derive(Args)]
pub(crate) struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say why calls were allowed or denied
    Explain(Explain),
    /// Print the smallest policy for what a role or user has done
    Suggest(Suggest),
}

#[derive(Args)]
struct Explain {
    /// The request's id, as its answer or error names it; without it the newest calls
    request_id: Option<String>,
    /// So many calls, the newest ones
    #[arg(long, default_value_t = 10)]
    last: usize,
    /// Only calls that policies do not allow
    #[arg(long)]
    denied: bool,
    /// Only calls of this role or user: a name, role/NAME, user/NAME or an ARN
    #[arg(long, value_name = "ROLE_OR_USER")]
    role: Option<String>,
    /// Print the records as JSON, one per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Suggest {
    /// A name, role/NAME, user/NAME or an ARN
    role_or_user: String,
    /// Only what was done since then: 30m, 12h, 7d
    #[arg(long, value_parser = ago)]
    since: Option<Ago>,
    /// Print all that is known as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Milliseconds before now.
#[derive(Clone, Copy)]
struct Ago(u64);

/// What is said of one call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    time: String,
    id: String,
    allowed: bool,
    caller: String,
    action: String,
    explanation: Vec<String>,
}

#[derive(Deserialize)]
struct Records {
    overlooked: u64,
    records: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Suggested {
    identity: String,
    since: String,
    policy: Option<String>,
    beyond: Vec<Beyond>,
}

#[derive(Deserialize)]
struct Beyond {
    policy: String,
    statement: usize,
    sid: Option<String>,
    unused: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    wide: std::collections::BTreeMap<String, Vec<String>>,
}

/// Asks the server and prints what it says.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    match flags.command {
        Command::Explain(flags) => explain(flags).await,
        Command::Suggest(flags) => suggest(flags).await,
    }
}

async fn explain(flags: Explain) -> anyhow::Result<ExitCode> {
    let mut query = vec![("denied", flags.denied.to_string())];
    match &flags.request_id {
        Some(id) => query.push(("id", id.clone())),
        None => query.push(("limit", flags.last.to_string())),
    }
    if let Some(role) = flags.role {
        query.push(("identity", role));
    }
    let text = ask(&flags.server, "records", &query).await?;
    let Records { overlooked, records } = serde_json::from_str(&text)?;
    if overlooked > 0 {
        eprintln!("lampejo: {overlooked} calls are not in the records: there was no room for them");
    }
    if let (Some(id), true) = (flags.request_id, records.is_empty()) {
        bail!("no decision about a request {id} is recorded (they are kept for 7 days)");
    }
    // As in a log, the newest one last.
    for record in records.into_iter().rev() {
        if flags.json {
            println!("{record}");
        } else {
            print_explained(&serde_json::from_value(record)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_explained(call: &Explained) {
    let Explained { time, id, allowed, caller, action, explanation } = call;
    let outcome = if *allowed { "allowed" } else { "DENIED " };
    println!("{time} {outcome} {action} {id} {caller}");
    for sentence in explanation {
        println!("  {sentence}");
    }
}

async fn suggest(flags: Suggest) -> anyhow::Result<ExitCode> {
    let mut query = vec![("identity", flags.role_or_user)];
    if let Some(Ago(millis)) = flags.since {
        let since = Millis(Clock::default().now().0.saturating_sub(millis));
        query.push(("since", since.to_string()));
    }
    let text = ask(&flags.server, "suggestion", &query).await?;
    if flags.json {
        println!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let suggested: Suggested = serde_json::from_str(&text)?;
    let Suggested { identity, since, policy, beyond } = suggested;
    match policy {
        Some(policy) => println!("{policy}"),
        None => eprintln!("lampejo: {identity} has done nothing since {since}"),
    }
    // Apart from the document, which may go into a file.
    for it in &beyond {
        print_beyond(it);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_beyond(beyond: &Beyond) {
    let Beyond { policy, statement, sid, unused, actions, resources, wide } = beyond;
    let sid = sid.as_ref().map_or(String::new(), |sid| format!(" (Sid {sid})"));
    eprintln!("{policy}, statement {statement}{sid}:");
    if *unused {
        eprintln!("  nothing of it was used");
    }
    for action in actions {
        eprintln!("  {action} was not used");
    }
    for resource in resources {
        eprintln!("  {resource} was not used");
    }
    for (pattern, actions) in wide {
        eprintln!("  {pattern} was used for {} only", actions.join(", "));
    }
}

async fn ask(server: &Server, what: &str, query: &[(&str, String)]) -> anyhow::Result<String> {
    let pairs = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let path = format!("/_lampejo/api/iam/{what}?{}", pairs.collect::<Vec<_>>().join("&"));
    server.send("lampejo", Method::GET, &path, &[], "").await?.text()
}

/// `30m`, `12h`, `7d`.
fn ago(text: &str) -> anyhow::Result<Ago> {
    let unit = text.chars().last().context("a number and m, h or d")?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => bail!("a number and m, h or d"),
    };
    let number: u64 = text[..text.len() - 1].parse().context("a number and m, h or d")?;
    Ok(Ago(number.saturating_mul(minutes).saturating_mul(60_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_ages() {
        for (text, millis) in [("30m", 1_800_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            assert_eq!(ago(text).unwrap().0, millis);
        }
        assert!(ago("yesterday").is_err() && ago("").is_err() && ago("-1h").is_err());
    }
}
