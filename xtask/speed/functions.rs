//! Invocations: warm, cold, and many at once.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use futures::future::try_join_all;

use super::{
    aws::{self, Code},
    bench::{Bench, CLIENTS, Same, median, middle, millis, rate},
    floors::BareRuntime,
    start::exec,
    table::{Line, Number, Table},
};
use crate::program::quiet;

/// Functions whose first invocation is measured.
const COLD: usize = 15;
/// First invocations of one function at once.
const AT_ONCE: usize = 50;
/// First invocations at once, each of a function of its own.
const FUNCTIONS_AT_ONCE: usize = 200;

/// An interpreter of this machine.
pub(super) struct Interpreter {
    /// Lambda's name of it.
    pub(super) runtime: String,
    /// Where it is: not the shim of a version manager, whose own start would count as the floor's.
    pub(super) program: PathBuf,
}

/// The Python that functions run on.
pub(super) fn python() -> anyhow::Result<Interpreter> {
    let ask = "import sys; print('python%d.%d' % sys.version_info[:2]); print(sys.executable)";
    interpreter("python3", &["-c", ask])
}

fn node() -> anyhow::Result<Interpreter> {
    let ask = "process.stdout.write(`nodejs${process.versions.node.split('.')[0]}.x\\n`+process.execPath)";
    interpreter("node", &["-e", ask])
}

fn interpreter(program: &str, ask: &[&str]) -> anyhow::Result<Interpreter> {
    let said = quiet(Command::new(program).args(ask))?;
    let (runtime, program) = said.trim().split_once('\n').unwrap_or_default();
    Ok(Interpreter { runtime: runtime.to_owned(), program: PathBuf::from(program) })
}

/// Adds its lines to the table.
pub(super) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let python = python()?;
    let hello = Code::plain("index.py", include_str!("functions/hello.py"));
    warm(bench, &python, &hello, table).await?;
    table.add(Line {
        workload: "cold Python invoke, p50",
        reached: Number::Millis(cold(bench, &python, &hello).await?),
        aim: Number::Millis(35.0),
        floor: Number::Millis(exec(&python.program, &["-S", "-c", "pass"])?),
        floor_is: "`python3 -S -c pass`",
    });
    match node() {
        Ok(node) => {
            let hello = Code::plain("index.js", include_str!("functions/hello.js"));
            table.add(Line {
                workload: "cold Node.js invoke, p50",
                reached: Number::Millis(cold(bench, &node, &hello).await?),
                aim: Number::Millis(45.0),
                floor: Number::Millis(exec(&node.program, &["-e", "0"])?),
                floor_is: "`node -e 0`",
            });
        }
        Err(error) => println!("skipped: cold Node.js invoke: {error:#}"),
    }
    burst(bench, &python, table).await?;
    crowd(bench, &python, &hello, table).await
}

async fn warm(
    bench: &Bench,
    python: &Interpreter,
    code: &Code,
    table: &mut Table,
) -> anyhow::Result<()> {
    bench.function("warm", &aws::create_function("warm", &python.runtime, code)?).await?;
    let client = async || {
        let request = aws::invoke("warm", "{}");
        anyhow::Ok(Same { connection: bench.connect().await?, request })
    };
    table.add(Line {
        workload: "warm Python invoke, 1 client, p50",
        reached: Number::Millis(median(client().await?).await?),
        aim: Number::Millis(0.35),
        floor: Number::Millis(median(BareRuntime::start(&python.program).await?).await?),
        floor_is: "a bare Runtime API over loopback",
    });
    let clients = try_join_all((0..CLIENTS).map(|_| client())).await?;
    table.add(Line {
        workload: "warm Python invoke, 8 clients",
        reached: Number::PerSecond(rate(clients).await?),
        aim: Number::PerSecond(8_000.0),
        floor: Number::PerSecond(rate(BareRuntime::several(&python.program).await?).await?),
        floor_is: "8 bare Runtime APIs",
    });
    Ok(())
}

/// The first invocation of each of several functions, one after the other.
async fn cold(bench: &Bench, on: &Interpreter, code: &Code) -> anyhow::Result<f64> {
    let names: Vec<String> =
        (0..COLD).map(|n| format!("cold-{}-{n}", code.file.replace('.', "-"))).collect();
    for name in &names {
        bench.function(name, &aws::create_function(name, &on.runtime, code)?).await?;
    }
    let (mut connection, mut times) = (bench.connect().await?, Vec::new());
    for name in &names {
        let began = Instant::now();
        connection.done(&aws::invoke(name, "{}")).await?;
        times.push(millis(began));
    }
    middle(times)
}

async fn burst(bench: &Bench, python: &Interpreter, table: &mut Table) -> anyhow::Result<()> {
    let nap = Code::plain("index.py", include_str!("functions/nap.py"));
    bench.function("nap", &aws::create_function("nap", &python.runtime, &nap)?).await?;
    let mut clients = Vec::new();
    for _ in 0..AT_ONCE {
        clients.push(bench.connect().await?);
    }
    let request = aws::invoke("nap", "{}");
    let began = Instant::now();
    try_join_all(clients.iter_mut().map(|client| client.done(&request))).await?;
    table.add(Line {
        workload: "50 first invokes at once, of 200 ms each",
        reached: Number::Millis(millis(began)),
        aim: Number::Millis(600.0),
        floor: Number::Millis(bare_burst(
            &python.program,
            AT_ONCE,
            "import time; time.sleep(0.2)",
        )?),
        floor_is: "50 interpreters at once that sleep for 200 ms",
    });
    Ok(())
}

/// Many functions that nobody has invoked, all invoked at once.
async fn crowd(
    bench: &Bench,
    python: &Interpreter,
    code: &Code,
    table: &mut Table,
) -> anyhow::Result<()> {
    let names: Vec<String> = (0..FUNCTIONS_AT_ONCE).map(|n| format!("crowd-{n}")).collect();
    for name in &names {
        bench.function(name, &aws::create_function(name, &python.runtime, code)?).await?;
    }
    let mut clients = Vec::new();
    for name in &names {
        clients.push((bench.connect().await?, aws::invoke(name, "{}")));
    }
    let began = Instant::now();
    try_join_all(clients.iter_mut().map(|(client, invoke)| client.done(invoke))).await?;
    table.add(Line {
        workload: "200 functions' first invokes at once",
        reached: Number::Millis(millis(began)),
        aim: Number::Millis(2_000.0),
        floor: Number::Millis(bare_burst(&python.program, FUNCTIONS_AT_ONCE, "pass")?),
        floor_is: "200 interpreters at once",
    });
    Ok(())
}

fn bare_burst(python: &Path, interpreters: usize, code: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut all = Vec::new();
    for _ in 0..interpreters {
        let mut command = Command::new(python);
        command.args(["-S", "-c", code]).stdin(Stdio::null());
        all.push(command.spawn()?);
    }
    for mut one in all {
        one.wait()?;
    }
    Ok(millis(began))
}
