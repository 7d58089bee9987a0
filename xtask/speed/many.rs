//! Many functions: whether an invocation takes longer because there are a thousand others, and how
//! many invocations a second go through a hundred.

use std::time::Instant;

use super::{
    aws::{self, Code},
    bench::{Bench, CLIENTS, Same, Work, middle, millis, rate},
    floors::BareRuntime,
    functions, memory,
    table::{Line, Number, Table},
};

/// Functions, each with an instance of its own.
pub(super) const FUNCTIONS: usize = 1000;
/// Invocations of each function.
const ROUNDS: usize = 100;
/// Functions whose invocations are counted together.
const SPREAD: usize = 96;

/// Adds its line to the table. The server must have room for an instance of each function.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let python = functions::python()?;
    let mut runtimes = Vec::new();
    for _ in 0..FUNCTIONS {
        runtimes.push(BareRuntime::start(&python.program).await?);
    }
    let floor = in_turn(&mut runtimes).await?;
    let bare = runtimes.iter().map(BareRuntime::process);
    let bare_mib = memory::held_mib(bare)?;
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
    table.add(Line {
        workload: "memory of 1,000 idle Python instances",
        reached: Number::Megabytes(memory::held_mib(memory::descendants(bench.server)?)?),
        aim: Number::Megabytes(4096.0),
        floor: Number::Megabytes(bare_mib),
        floor_is: "1,000 bare interpreters",
    });
    clients.truncate(SPREAD);
    let mut runtimes = Vec::new();
    for _ in 0..SPREAD {
        runtimes.push(BareRuntime::start(&python.program).await?);
    }
    table.add(Line {
        workload: "warm Python invoke, 96 functions, 8 clients",
        reached: Number::PerSecond(rate(InTurn::dealt(clients)).await?),
        aim: Number::PerSecond(8_000.0),
        floor: Number::PerSecond(rate(InTurn::dealt(runtimes)).await?),
        floor_is: "96 bare Runtime APIs, 8 clients",
    });
    Ok(())
}

/// A client that does one of several things after the other.
struct InTurn<W> {
    all: Vec<W>,
    next: usize,
}

impl<W: Work> InTurn<W> {
    /// As many as there are clients, each with its part.
    fn dealt(all: Vec<W>) -> Vec<InTurn<W>> {
        let mut clients: Vec<_> =
            (0..CLIENTS).map(|_| InTurn { all: Vec::new(), next: 0 }).collect();
        for (number, one) in all.into_iter().enumerate() {
            clients[number % CLIENTS].all.push(one);
        }
        clients
    }
}

impl<W: Work> Work for InTurn<W> {
    async fn step(&mut self) -> anyhow::Result<()> {
        self.next = (self.next + 1) % self.all.len();
        self.all[self.next].step().await
    }
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
