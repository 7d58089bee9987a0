//! `lampejo status`.

use std::process::ExitCode;

use http::Method;

use crate::client::Server;

/// Prints what the server says of itself and of its function instances.
pub(crate) async fn run(server: Server) -> anyhow::Result<ExitCode> {
    for path in ["/_lampejo/health", "/_lampejo/status"] {
        let answer = server.send("lampejo", Method::GET, path, &[], "").await?;
        let value: serde_json::Value = serde_json::from_str(&answer.text()?)?;
        println!("{value:#}");
    }
    Ok(ExitCode::SUCCESS)
}
