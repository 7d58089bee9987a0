//! Compiles `init`, the first process of every sandbox, to be carried along by the server.

use std::{env, error::Error, path::PathBuf, process::Command};

/// No library of the system, no start-up code, fixed addresses: a few pages that need no loader.
const FLAGS: [&str; 11] = [
    "--edition=2024",
    "--crate-type=bin",
    "--crate-name=init",
    "-Cpanic=abort",
    "-Copt-level=s",
    "-Clto=fat",
    "-Cstrip=symbols",
    "-Crelocation-model=static",
    "-Clink-arg=-nostartfiles",
    "-Clink-arg=-nostdlib",
    "-Clink-arg=-static",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=init");
    let out = PathBuf::from(env::var("OUT_DIR")?).join("init");
    let mut rustc = Command::new(env::var("RUSTC")?);
    rustc.args(FLAGS).arg("--target").arg(env::var("TARGET")?).arg("-o").arg(out);
    // What links the server for this target links init too.
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    match rustc.arg("init/main.rs").status()?.success() {
        true => Ok(()),
        false => Err("init does not compile".into()),
    }
}
