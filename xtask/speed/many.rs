//! Many functions: whether an invocation takes longer because there are a thousand others.

use std::time::Instant;

use super::{
    aws::{self, Code},
    bench::{Bench, Same, Work, middle, millis},
    floors::BareRuntime,
    functions,
    table::{Line, Number, Table},
};

/// Functions, each with an instance of its own.
pub(super) const FUNCTIONS: usize = 1000;
/// Invocations of each function.
const ROUNDS: usize = 100;

/// Adds its line to the table. The server must have room for an instance of each function.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let python = functions::python()?;
    let mut runtimes = Vec::new();
    for _ in 0..FUNCTIONS {
        runtimes.push(BareRuntime::start(&python.program).await?);
    }
    let floor = in_turn(&mut runtimes).await?;
    drop(runtimes);

    let hello = Code::plain("index.py", include_str!("functions/hello.py"));
    let mut clients = Vec::new();
    for number in 0..FUNCTIONS {
        let name = format!("many-{number}");
        bench.once(&aws::create_function(&name, &python.runtime, &hello)?).await?;
        let request = aws::invoke(&name, "{}");
        let mut client = Same { connection: bench.connect().await?, request };
        client.step().await?;
        clients.push(client);
    }
    table.add(Line {
        workload: "warm Python invoke, 1,000 functions in turn, p50",
        reached: Number::Millis(in_turn(&mut clients).await?),
        aim: Number::Millis(0.5),
        floor: Number::Millis(floor),
        floor_is: "1,000 bare Runtime APIs in turn",
    });
    Ok(())
}

/// The median time of a step, when each takes its turn.
async fn in_turn<W: Work>(all: &mut [W]) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(ROUNDS * all.len());
    for _ in 0..ROUNDS {
        for one in &mut *all {
            let began = Instant::now();
            one.step().await?;
            times.push(millis(began));
        }
    }
    middle(times)
}
