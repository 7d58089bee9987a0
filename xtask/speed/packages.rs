//! Packages: how long a new version of a large one takes.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    aws::{self, Code},
    bench::{Bench, millis},
    floors, functions,
    table::{Line, Number, Table},
};

/// What is in the package, just below the greatest zip that a request may carry.
const PACKAGE_BYTES: usize = 50 << 20;
/// The best of a few counts, as the disk has moods.
const ROUNDS: u8 = 3;

/// Adds its line to the table.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let python = functions::python()?;
    let hello = Code::plain("index.py", include_str!("functions/hello.py"));
    bench.function("large", &aws::create_function("large", &python.runtime, &hello)?).await?;
    let (mut reached, mut floor) = (f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        let body = json!({ "ZipFile": STANDARD.encode(package(round)?), "Publish": true });
        let request = aws::request(
            "lambda",
            "PUT /2015-03-31/functions/large/code",
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        );
        let began = Instant::now();
        bench.once(&request).await?;
        reached = reached.min(millis(began));
        // The zip and what is in it.
        let began = Instant::now();
        floors::file(&bench.folder, 2 * PACKAGE_BYTES)?;
        floor = floor.min(millis(began));
    }
    table.add(Line {
        workload: "publish of a 50 MB package",
        reached: Number::Millis(reached),
        aim: Number::Millis(600.0),
        floor: Number::Millis(floor),
        floor_is: "a file of twice the size written and synced",
    });
    Ok(())
}

/// A zip that nothing makes smaller; each round has its own.
fn package(round: u8) -> anyhow::Result<Vec<u8>> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("index.py", stored)?;
    zip.write_all(include_bytes!("functions/hello.py"))?;
    zip.start_file("data", stored)?;
    zip.write_all(&vec![round; PACKAGE_BYTES - (64 << 10)])?;
    Ok(zip.finish()?.into_inner())
}
