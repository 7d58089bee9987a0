//! `lampejo status`.

use std::process::ExitCode;

use http::Method;

use crate::client::Flags;

/// Prints what the server says of itself and of its function instances.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    for path in ["/_lampejo/health", "/_lampejo/status"] {
        let answer = flags.send("lampejo", Method::GET, path, &[], "").await?;
        let value: serde_json::Value = serde_json::from_str(&answer.text()?)?;
        println!("{value:#}");
    }
    Ok(ExitCode::SUCCESS)
}
