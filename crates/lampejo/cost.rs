//! `lampejo cost`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::Value;

use crate::client::Server;

/// Whose cost, of when, and how it is put together.
#[derive(Args)]
pub(crate) struct Flags {
    /// One function's only
    #[arg(long)]
    function: Option<String>,
    /// What a line is
    #[arg(long, value_enum, default_value_t = By::Function)]
    by: By,
    /// First day, or a moment of the last fifteen days: 2026-11-01, 2026-11-23T14:05:00Z [default: the
    /// month's first day]
    #[arg(long)]
    from: Option<String>,
    /// Last day, or a moment [default: today]
    #[arg(long)]
    to: Option<String>,
    /// Print the server's answer, with exact amounts and all metrics
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// What a line is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// A function
    Function,
    /// An alias, or a version that was called by its number
    Alias,
    /// A day
    Day,
    /// The invocations that one request has caused, of the last 24 hours
    Chain,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            By::Function => "function",
            By::Alias => "alias",
            By::Day => "day",
            By::Chain => "chain",
        }
    }

    /// The members that tell lines apart.
    fn columns(self) -> &'static [&'static str] {
        match self {
            By::Function => &["region", "function"],
            By::Alias => &["region", "function", "alias"],
            By::Day => &["day"],
            By::Chain => &["began", "trace", "functions"],
        }
    }
}

/// The columns behind those: title, and where the value is.
const NUMBERS: [(&str, &str); 8] = [
    ("requests", "/requests"),
    ("errors", "/errors"),
    ("billed ms", "/billedMs"),
    ("GB-s", "/gbSeconds"),
    ("requests $", "/cost/requests"),
    ("duration $", "/cost/duration"),
    ("/tmp $", "/cost/ephemeralStorage"),
    ("total $", "/cost/total"),
];
/// Decimals of what a table shows; the JSON has all.
const DECIMALS: usize = 8;

/// Prints a table, or the server's answer.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let mut path = format!("/_lampejo/cost?by={}", flags.by.as_str());
    let given = [("function", &flags.function), ("from", &flags.from), ("to", &flags.to)];
    for (name, value) in given {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", value.replace('+', "%2B")));
        }
    }
    let answer = flags.server.send("lampejo", Method::GET, &path, &[], "").await?;
    let report: Value = serde_json::from_str(&answer.text()?)?;
    if flags.json {
        println!("{report:#}");
        return Ok(ExitCode::SUCCESS);
    }
    print!("{}", table(&report, flags.by));
    Ok(ExitCode::SUCCESS)
}

fn table(report: &Value, by: By) -> String {
    let titles = by.columns().iter().copied().chain(NUMBERS.map(|(title, _)| title));
    let mut lines: Vec<Vec<String>> = vec![titles.map(str::to_owned).collect()];
    for row in report["rows"].as_array().into_iter().flatten() {
        let labels = by.columns().iter().map(|column| cell(&row[column]));
        lines.push(labels.chain(numbers(row)).collect());
    }
    let mut total = vec![String::new(); by.columns().len()];
    total[0] = "total".to_owned();
    total.extend(numbers(&report["total"]));
    lines.push(total);
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!(
        "{} to {}, {}\n\n",
        cell(&report["from"]),
        cell(&report["to"]),
        cell(&report["note"])
    );
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < by.columns().len() {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn numbers(row: &Value) -> impl Iterator<Item = String> + '_ {
    NUMBERS.iter().map(|(_, path)| short(&cell(row.pointer(path).unwrap_or(&Value::Null))))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" > "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A decimal number without what is behind the last decimal that a table shows.
fn short(number: &str) -> String {
    match number.split_once('.') {
        Some((whole, decimals)) if decimals.len() > DECIMALS => {
            format!("{whole}.{}", &decimals[..DECIMALS])
        }
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_has_a_line_for_each_row_and_one_for_all() {
        let numbers = json!({
            "requests": 2, "errors": 0, "billedMs": 3, "gbSeconds": "0.000375",
            "cost": {
                "requests": "0.0000004", "duration": "0.0000000062500125",
                "ephemeralStorage": "0", "total": "0.0000004062500125",
            },
        });
        let mut row = numbers.clone();
        row["region"] = "us-east-1".into();
        row["function"] = "f".into();
        let report =
            json!({ "from": "a", "to": "b", "note": "c", "rows": [row], "total": numbers });
        assert_eq!(
            table(&report, By::Function),
            "a to b, c\n\n\
             region     function  requests  errors  billed ms      GB-s  requests $  duration $  \
             /tmp $     total $\n\
             us-east-1  f                2       0          3  0.000375   0.0000004  0.00000000       \
             0  0.00000040\n\
             total                       2       0          3  0.000375   0.0000004  0.00000000       \
             0  0.00000040\n"
        );
    }
}
