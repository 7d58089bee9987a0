//! What is said of a runtime that is missing: the ways to get it, of which one is right. Pure.

use super::finder;

/// Why functions of the runtime cannot be made, and the ways out.
pub(super) fn missing(runtime: &str) -> String {
    let ways = ways(runtime);
    if finder(runtime).is_some() {
        return format!(
            "there is no interpreter for {runtime} on this machine: {ways}; or set nearest_runtime to \
             run it with the nearest version"
        );
    }
    format!("lampejo does not run {runtime} on what this machine has: {ways}")
}

/// How the runtime gets onto this machine, or how its functions run without it.
pub(super) fn ways(runtime: &str) -> String {
    let install = format!("`lampejo runtime install {runtime}` (AWS's own)");
    if let Some((finder, version)) = finder(runtime) {
        return format!("{} or {install}", (finder.advice)(version));
    }
    if runtime.starts_with("dotnet") {
        return format!(
            "{install}; or publish the function self-contained or with Native AOT for \
             provided.al2023; or package it as a container image"
        );
    }
    install
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_named() {
        let text = missing("python3.13");
        for way in ["uv python install 3.13", "lampejo runtime install python3.13", "nearest"] {
            assert!(text.contains(way), "{text}");
        }
        let text = missing("dotnet8");
        for way in ["lampejo runtime install dotnet8", "Native AOT", "provided.al2023", "image"] {
            assert!(text.contains(way), "{text}");
        }
        assert!(!text.contains("nearest"), "{text}");
    }
}
