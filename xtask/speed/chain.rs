//! The whole chain: an object goes up, a function reads it and tells a queue, a second function
//! writes the result back to S3.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use kit::Clock;
use serde_json::json;

use super::{
    aws::{self, Code},
    bench::{Bench, CLIENTS, ROUND, median, middle, millis},
    floors::{APPEND_BYTES, BareRuntime, synced_appends},
    functions::{Interpreter, python},
    http::Connection,
    table::{Line, Number, Table},
};

/// Objects sent through one after the other.
const ONE_BY_ONE: usize = 200;
/// Of these the first ones start instances.
const WARM_UP: usize = 20;
/// What went up comes out within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Adds its lines to the table.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let python = python()?;
    set_up(bench, &python).await?;
    let append = 1000.0 / synced_appends(&bench.folder, 1, APPEND_BYTES).await?;
    let runtime = median(BareRuntime::start(&python.program).await?).await?;
    table.add(Line {
        workload: "the chain, one at a time, p50",
        reached: Number::Millis(one_by_one(bench).await?),
        aim: Number::Millis(5.0),
        floor: Number::Millis(3.0 * append + 2.0 * runtime),
        floor_is: "3 synced appends and 2 bare Runtime APIs",
    });
    let appends = synced_appends(&bench.folder, CLIENTS, APPEND_BYTES).await?;
    table.add(Line {
        workload: "the chain, sustained, 8 clients",
        reached: Number::PerSecond(sustained(bench).await?),
        aim: Number::PerSecond(1_000.0),
        floor: Number::PerSecond(appends / 3.0),
        floor_is: "a third of the synced appends",
    });
    Ok(())
}

async fn set_up(bench: &Bench, python: &Interpreter) -> anyhow::Result<()> {
    bench.once(&aws::request("s3", "PUT /chain", &[], b"")).await?;
    bench.once(&aws::sqs("CreateQueue", &json!({ "QueueName": "chain" }))).await?;
    // As functions see the server: at their own loopback address.
    let queue_url = "http://127.0.0.1:4566/000000000000/chain".to_owned();
    for (name, text) in [
        ("chain-summarize", include_str!("functions/summarize.py")),
        ("chain-record", include_str!("functions/record.py")),
    ] {
        let code = Code { file: "index.py", text, queue_url: queue_url.clone() };
        bench.function(name, &aws::create_function(name, &python.runtime, &code)?).await?;
    }
    let json_type = [("content-type", "application/json")];
    let allow = json!({
        "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::chain",
    });
    let path = "POST /2015-03-31/functions/chain-summarize/policy";
    bench.once(&aws::request("lambda", path, &json_type, allow.to_string().as_bytes())).await?;
    let notify = "<NotificationConfiguration><CloudFunctionConfiguration>\
         <CloudFunction>arn:aws:lambda:us-east-1:000000000000:function:chain-summarize\
         </CloudFunction><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule>\
         <Name>prefix</Name><Value>in/</Value></FilterRule></S3Key></Filter>\
         </CloudFunctionConfiguration></NotificationConfiguration>";
    bench.once(&aws::request("s3", "PUT /chain?notification", &[], notify.as_bytes())).await?;
    let mapping = json!({
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:chain",
        "FunctionName": "chain-record",
    });
    let path = "POST /2015-03-31/event-source-mappings";
    bench.once(&aws::request("lambda", path, &json_type, mapping.to_string().as_bytes())).await?;
    Ok(())
}

async fn one_by_one(bench: &Bench) -> anyhow::Result<f64> {
    let (mut connection, mut times) = (bench.connect().await?, Vec::new());
    for number in 0..ONE_BY_ONE {
        let began = Instant::now();
        put(&mut connection, &format!("one-{number}")).await?;
        let look = aws::request("s3", &format!("HEAD /chain/out/one-{number}"), &[], b"");
        while look_for(&mut connection, &look).await?.is_none() {
            ensure!(began.elapsed() < PATIENCE, "the result of one-{number} did not come");
            // Often enough to see it, seldom enough to leave the processors to the server.
            Clock::default().sleep(Duration::from_millis(1)).await;
        }
        if number >= WARM_UP {
            times.push(millis(began));
        }
    }
    middle(times)
}

async fn look_for(connection: &mut Connection, look: &[u8]) -> anyhow::Result<Option<()>> {
    match connection.head(look).await? {
        200 => Ok(Some(())),
        404 => Ok(None),
        status => bail!("HEAD answered {status}"),
    }
}

async fn put(connection: &mut Connection, name: &str) -> anyhow::Result<()> {
    let request = aws::request("s3", &format!("PUT /chain/in/{name}"), &[], &[7; 1024]);
    connection.done(&request).await.map(drop)
}

/// Results per second from the first object that goes up to the last result.
async fn sustained(bench: &Bench) -> anyhow::Result<f64> {
    let began = Instant::now();
    let senders = (0..CLIENTS).map(|client| async move {
        let mut connection = bench.connect().await?;
        let mut sent = 0;
        while began.elapsed() < ROUND {
            put(&mut connection, &format!("many-{client}-{sent}")).await?;
            sent += 1;
        }
        anyhow::Ok(sent)
    });
    let sent: usize = try_join_all(senders).await?.into_iter().sum();
    let mut connection = bench.connect().await?;
    while began.elapsed() < ROUND + PATIENCE {
        let came = results(&mut connection).await?;
        if came >= sent {
            return Ok(sent as f64 / began.elapsed().as_secs_f64());
        }
        Clock::default().sleep(Duration::from_millis(50)).await;
    }
    let came = results(&mut connection).await?;
    println!("the chain, sustained: {came} of {sent} results came in time");
    Ok(came as f64 / began.elapsed().as_secs_f64())
}

/// How many results there are, page by page.
async fn results(connection: &mut Connection) -> anyhow::Result<usize> {
    let (mut count, mut after) = (0, String::new());
    loop {
        let path = format!("GET /chain?list-type=2&prefix=out/many-&start-after={after}");
        let page = connection.done(&aws::request("s3", &path, &[], b"")).await?;
        let page = std::str::from_utf8(page)?;
        count += page.matches("<Key>").count();
        if !page.contains("<IsTruncated>true") {
            return Ok(count);
        }
        let last = page.rsplit("<Key>").next().and_then(|it| it.split('<').next());
        after = last.context("a page without keys")?.to_owned();
    }
}
