//! S3: small objects by many clients, large ones by one.

use std::time::Instant;

use super::{
    aws,
    bench::{Bench, CLIENTS, Same, Work, rate},
    floors::{answer_all, file, synced_appends},
    http::Connection,
    table::{Line, Number, Table},
};

const SMALL_BYTES: usize = 4 << 10;
const LARGE_BYTES: usize = 64 << 20;
/// Large objects in a row; the best counts, as the disk has moods.
const LARGE_ROUNDS: usize = 4;

/// Adds its lines to the table.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    bench.once(&aws::request("s3", "PUT /speed", &[], b"")).await?;
    small(bench, table).await?;
    large(bench, table).await
}

async fn small(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let mut puts = Vec::new();
    for client in 0..CLIENTS {
        puts.push(Put { connection: bench.connect().await?, client, number: 0 });
    }
    let before = synced_appends(&bench.folder, CLIENTS, SMALL_BYTES).await?;
    let reached = rate(puts).await?;
    // The disk has moods: the better of two looks, before and after.
    let floor = before.max(synced_appends(&bench.folder, CLIENTS, SMALL_BYTES).await?);
    table.add(Line {
        workload: "S3 put of 4 KiB, 8 clients, durable",
        reached: Number::PerSecond(reached),
        aim: Number::PerSecond(5_000.0),
        floor: Number::PerSecond(floor),
        floor_is: "synced appends of 4 KiB in groups, 8 clients",
    });
    let bare = answer_all(SMALL_BYTES)?;
    let (mut gets, mut floor) = (Vec::new(), Vec::new());
    for client in 0..CLIENTS {
        let request = aws::request("s3", &format!("GET /speed/small/{client}/0"), &[], b"");
        gets.push(Same { connection: bench.connect().await?, request: request.clone() });
        floor.push(Same { connection: Connection::open(bare).await?, request });
    }
    table.add(Line {
        workload: "S3 get of 4 KiB, 8 clients",
        reached: Number::PerSecond(rate(gets).await?),
        aim: Number::PerSecond(20_000.0),
        floor: Number::PerSecond(rate(floor).await?),
        floor_is: "an HTTP server that answers with a constant",
    });
    Ok(())
}

/// A client that puts one new small object after another.
struct Put {
    connection: Connection,
    client: usize,
    number: usize,
}

impl Work for Put {
    async fn step(&mut self) -> anyhow::Result<()> {
        let path = format!("PUT /speed/small/{}/{}", self.client, self.number);
        self.number += 1;
        self.connection.done(&aws::request("s3", &path, &[], &[7; SMALL_BYTES])).await.map(drop)
    }
}

async fn large(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let data = vec![7; LARGE_BYTES];
    let put = aws::request("s3", "PUT /speed/large", &[], &data);
    let get = aws::request("s3", "GET /speed/large", &[], b"");
    let bare = answer_all(LARGE_BYTES)?;
    let (mut wrote, mut read, mut file_wrote, mut echoed) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    let (mut connection, mut echo) = (bench.connect().await?, Connection::open(bare).await?);
    for _ in 0..LARGE_ROUNDS {
        wrote = wrote.max(megabytes_per_second(&mut connection, &put).await?);
        read = read.max(megabytes_per_second(&mut connection, &get).await?);
        file_wrote = file_wrote.max(file(&bench.folder, LARGE_BYTES)?);
        echoed = echoed.max(megabytes_per_second(&mut echo, &get).await?);
    }
    table.add(Line {
        workload: "S3 put of 64 MiB, durable",
        reached: Number::MegabytesPerSecond(wrote),
        aim: Number::MegabytesPerSecond(400.0),
        floor: Number::MegabytesPerSecond(file_wrote),
        floor_is: "a file written and synced",
    });
    table.add(Line {
        workload: "S3 get of 64 MiB",
        reached: Number::MegabytesPerSecond(read),
        aim: Number::MegabytesPerSecond(2_000.0),
        floor: Number::MegabytesPerSecond(echoed),
        floor_is: "an HTTP server that answers with a constant",
    });
    Ok(())
}

async fn megabytes_per_second(connection: &mut Connection, request: &[u8]) -> anyhow::Result<f64> {
    let began = Instant::now();
    connection.done(request).await?;
    Ok(LARGE_BYTES as f64 / 1e6 / began.elapsed().as_secs_f64())
}
