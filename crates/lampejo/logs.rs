//! `lampejo logs FUNCTION [-f]`.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use http::Method;
use kit::{Clock, Millis};
use serde::Deserialize;
use serde_json::json;

use crate::client;

/// Whose log, from when, and whether to stay.
#[derive(Args)]
pub(crate) struct Flags {
    /// The function's name
    function: String,
    /// Print new lines as they come
    #[arg(short, long)]
    follow: bool,
    /// Minutes to look back
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// CloudWatch Logs filter pattern
    #[arg(long, default_value = "")]
    filter: String,
    #[command(flatten)]
    server: client::Server,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_id: String,
    timestamp: u64,
    message: String,
}

/// How often new lines are asked for.
const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let clock = Clock::default();
    let mut since = Millis(clock.now().0.saturating_sub(flags.minutes * 60_000));
    // Ids of lines printed at the latest moment: the next look begins with that moment again.
    let mut printed: Vec<String> = Vec::new();
    loop {
        for event in events(&flags, since).await? {
            if printed.contains(&event.event_id) {
                continue;
            }
            if event.timestamp > since.0 {
                since = Millis(event.timestamp);
                printed.clear();
            }
            printed.push(event.event_id);
            println!("{} {}", Millis(event.timestamp).iso8601(), event.message.trim_end());
        }
        if !flags.follow {
            return Ok(ExitCode::SUCCESS);
        }
        clock.sleep(POLL).await;
    }
}

/// All lines from `since` on.
async fn events(flags: &Flags, since: Millis) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut body = json!({
            "logGroupName": format!("/aws/lambda/{}", flags.function),
            "startTime": since.0,
            "filterPattern": flags.filter,
        });
        if let Some(token) = token {
            body["nextToken"] = token.into();
        }
        let headers = [
            ("x-amz-target", "Logs_20140328.FilterLogEvents"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let answer =
            flags.server.send("logs", Method::POST, "/", &headers, body.to_string()).await?;
        let page: Page = serde_json::from_str(&answer.text()?)?;
        events.extend(page.events);
        token = page.next_token;
        if token.is_none() {
            return Ok(events);
        }
    }
}
