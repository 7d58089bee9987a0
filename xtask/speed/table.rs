//! What is printed.

/// The lines so far.
#[derive(Default)]
pub(super) struct Table {
    lines: Vec<Line>,
}

/// One workload.
pub(super) struct Line {
    /// What was done.
    pub(super) workload: &'static str,
    /// What was reached.
    pub(super) reached: Number,
    /// What is aimed at.
    pub(super) aim: Number,
    /// What the machine allows without us.
    pub(super) floor: Number,
    /// What the floor is.
    pub(super) floor_is: &'static str,
}

/// A measured number.
#[derive(Clone, Copy)]
pub(super) enum Number {
    /// Less is better.
    Millis(f64),
    /// More is better.
    PerSecond(f64),
    /// Megabytes per second; more is better.
    MegabytesPerSecond(f64),
    /// Memory; less is better.
    Megabytes(f64),
}

impl Table {
    /// Adds a line, and shows it at once.
    pub(super) fn add(&mut self, line: Line) {
        eprintln!("  {}: {}", line.workload, line.reached.text());
        self.lines.push(line);
    }

    /// Prints all of it.
    pub(super) fn print(&self) {
        println!();
        println!("| workload | reached | aim | | floor | of floor | the floor is |");
        println!("| --- | ---: | ---: | --- | ---: | ---: | --- |");
        for line in &self.lines {
            println!(
                "| {} | {} | {} | {} | {} | {:.2} | {} |",
                line.workload,
                line.reached.text(),
                line.aim.text(),
                if line.reached.meets(line.aim) { "met" } else { "missed" },
                line.floor.text(),
                line.reached.value() / line.floor.value(),
                line.floor_is,
            );
        }
    }
}

impl Number {
    fn value(self) -> f64 {
        match self {
            Number::Millis(it)
            | Number::PerSecond(it)
            | Number::MegabytesPerSecond(it)
            | Number::Megabytes(it) => it,
        }
    }

    fn meets(self, aim: Number) -> bool {
        match self {
            Number::Millis(_) | Number::Megabytes(_) => self.value() <= aim.value(),
            Number::PerSecond(_) | Number::MegabytesPerSecond(_) => self.value() >= aim.value(),
        }
    }

    fn text(self) -> String {
        match self {
            Number::Millis(it) if it < 10.0 => format!("{it:.2} ms"),
            Number::Millis(it) => format!("{it:.0} ms"),
            Number::PerSecond(it) => format!("{it:.0}/s"),
            Number::MegabytesPerSecond(it) => format!("{it:.0} MB/s"),
            Number::Megabytes(it) => format!("{it:.1} MB"),
        }
    }
}
