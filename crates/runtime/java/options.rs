//! How a JVM is started: as Lambda does, but for what the function's `JAVA_TOOL_OPTIONS` says
//! itself. The JVM reads that variable before its command line, which would win. Pure.

/// Parts of an instance's memory, in hundredths. Lambda's own command lines show them: of 256 MiB,
/// `-XX:MaxHeapSize=222823k -XX:MaxMetaspaceSize=26214k -XX:ReservedCodeCacheSize=13107k`.
const HEAP: (&str, u32) = ("MaxHeapSize", 85);
const METASPACE: (&str, u32) = ("MaxMetaspaceSize", 10);
const CODE: (&str, u32) = ("ReservedCodeCacheSize", 5);

/// The options before the class path; `own` is the function's `JAVA_TOOL_OPTIONS`.
pub(super) fn options(memory_mib: u32, own: &str) -> Vec<String> {
    let mut options = Vec::new();
    let says = |name: &str| own.split_whitespace().any(|option| option.contains(name));
    for ((name, hundredths), also) in
        [(HEAP, ["-Xmx", "MaxRAMPercentage"]), (METASPACE, [METASPACE.0; 2]), (CODE, [CODE.0; 2])]
    {
        if !says(name) && !also.into_iter().any(says) {
            let kib = u64::from(memory_mib) * 1024 * u64::from(hundredths) / 100;
            options.push(format!("-XX:{name}={kib}k"));
        }
    }
    if !own.split_whitespace().any(|it| it.starts_with("-XX:+Use") && it.ends_with("GC")) {
        options.push("-XX:+UseSerialGC".into());
    }
    if !says("TieredStopAtLevel") && !says("TieredCompilation") {
        // Lambda's default from Java 17 on; it starts faster on all of them.
        options.push("-XX:TieredStopAtLevel=1".into());
    }
    options.push("-Djava.net.preferIPv4Stack=true".into());
    // Before Java 18 it would be the locale's.
    options.push("-Dfile.encoding=UTF-8".into());
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_out_as_on_lambda() {
        let options = options(256, "");
        assert_eq!(
            options[..5],
            [
                "-XX:MaxHeapSize=222822k",
                "-XX:MaxMetaspaceSize=26214k",
                "-XX:ReservedCodeCacheSize=13107k",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1"
            ]
        );
    }

    #[test]
    fn what_the_function_says_itself_is_not_said_again() {
        let own = "-Xmx64m -XX:+UseParallelGC -XX:TieredStopAtLevel=4 -Dx=y";
        let all = options(256, own).join(" ");
        for part in ["MaxHeapSize", "GC", "Tiered"] {
            assert!(!all.contains(part), "{part} in {all}");
        }
        assert!(all.contains("MaxMetaspaceSize"));
        assert!(!options(256, "-XX:MaxRAMPercentage=50").join(" ").contains("MaxHeapSize"));
    }
}
