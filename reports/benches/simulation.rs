//! The long form of the simulation: false alarms, coverage and power of the verdict's statistics as the Markdown tables of `docs/verdict.md`.
//! It calls the code under `src` on made-up runs and asserts nothing. `-- --runs N` makes another number of runs than 2,000, `-- --only WORD`
//! only the tables with this word in their titles.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "what fails ends the bench")]

#[path = "../tests/reports/support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::questions::{KINDS, Question, Tally, ask};
use support::worlds::WORLDS;

/// Blocks of 5 s in which most questions are asked.
const BLOCKS: [u32; 3] = [4, 8, 24];
/// Requests a second with which recovery is asked for, in 60 s.
const RATES: [u32; 3] = [6, 12, 60];

/// One column: what it says, what is asked at each of three sizes, and which answer is counted.
struct Column {
    heading: String,
    asked: [(Question, u32); 3],
    what: String,
}

struct Table {
    title: String,
    columns: Vec<Column>,
}

fn column(heading: &str, question: Question, what: String) -> Column {
    Column { heading: heading.to_owned(), asked: BLOCKS.map(|blocks| (question, blocks)), what }
}

fn absolute(kind: &str) -> Table {
    let column = |heading: &str, what: &str| column(heading, Question::Aims, format!("{kind} {what}"));
    let columns = vec![
        column("at the bound: broken", "at the bound: broken"),
        column("the same, but kept in these seconds", "at the bound: broken, but not here"),
        column("at the bound: holds, but missed in these seconds", "at the bound: holds, but not here"),
        column("twice as bad: holds", "twice as bad: holds"),
        column("the same, but missed in these seconds", "twice as bad: holds, but not here"),
        column("twice as bad: broken", "twice as bad: broken"),
        column("11 % worse: holds", "11 % worse: holds"),
        column("11 % worse: broken", "11 % worse: broken"),
        column("11 % better: broken", "11 % better: broken"),
        column("11 % better: holds", "11 % better: holds"),
        column("twice as good: broken", "twice as good: broken"),
        column("twice as good: holds", "twice as good: holds"),
        column("interval covers the long run", "covers the long run"),
        column("interval covers these seconds", "covers these seconds"),
    ];
    Table { title: format!("Absolute aims: {kind}"), columns }
}

fn effects(times: f64, title: &str) -> Table {
    let whats = ["p50 alone", "p90 alone", "p99 alone", "p50 after Holm", "p90 after Holm", "p99 after Holm", "any"];
    let whats = whats.into_iter().filter(|what| !(times > 1.0 && what.ends_with("alone")));
    Table { title: title.to_owned(), columns: whats.map(|what| column(what, Question::Effect(times), what.to_owned())).collect() }
}

fn recovery() -> Table {
    let column = |heading: &str, truth, bad_s, what: &str| Column {
        heading: heading.to_owned(),
        asked: RATES.map(|per_second| (Question::Recovery { per_second, truth, bad_s, fails: false }, 12)),
        what: what.to_owned(),
    };
    let columns = vec![
        column("well, at its bounds: broken", 1.0, 0, "broken"),
        column("well, twice as good: broken", 0.5, 0, "broken"),
        column("well, twice as good: holds", 0.5, 0, "holds"),
        column("bad for 10 s: broken", 0.5, 10, "broken"),
        column("never recovers: broken", 0.5, 60, "broken"),
    ];
    Table { title: "Recovery within 5 s, at 6 / 12 / 60 requests a second".into(), columns }
}

fn tables() -> Vec<Table> {
    let two = |heading: &str, about_all| column(heading, Question::TwoFaults { about_all }, "any".into());
    let ratio = |heading: &str, ratio, what: &str| column(heading, Question::Ratio(ratio), what.into());
    let reached = |heading: &str, times| column(heading, Question::Interference(times), "named".into());
    let baseline = |heading: &str, truth, what: &str| column(heading, Question::Baseline(truth), what.into());
    let mut tables: Vec<Table> = KINDS.map(absolute).into();
    tables.extend([
        recovery(),
        Table {
            title: "Interference: control against its baseline is named".into(),
            columns: vec![reached("as before", 1.0), reached("30 % slower, by drift", 1.3), reached("2.7 times", 2.7)],
        },
        Table {
            title: "Baseline: a missed aim is noticed".into(),
            columns: vec![
                baseline("twice as good", 0.5, "noticed"),
                baseline("at the bound", 1.0, "noticed"),
                baseline("the same, but kept in these seconds", 1.0, "noticed, but not here"),
                baseline("twice as bad", 2.0, "noticed"),
            ],
        },
        effects(1.0, "Effects between arms: no effect in truth"),
        effects(1.1, "Effects between arms: 10 % slower in truth"),
        effects(1.5, "Effects between arms: 50 % slower in truth"),
        Table {
            title: "Two faults that do nothing: any differs".into(),
            columns: vec![two("both about all requests", true), two("the second about the slow half", false)],
        },
        Table {
            title: "p99 ratio of at most 2".into(),
            columns: vec![
                ratio("1 in truth: holds", 1.0, "holds"),
                ratio("1 in truth: broken", 1.0, "broken"),
                ratio("2 in truth: holds", 2.0, "holds"),
                ratio("2 in truth: broken", 2.0, "broken"),
                ratio("4 in truth: holds", 4.0, "holds"),
                ratio("4 in truth: broken", 4.0, "broken"),
            ],
        },
    ]);
    tables
}

/// Fewer where many sets of weights are drawn, or where power is asked for, which is known well enough by an eighth of the runs.
fn runs(question: Question, runs: u64) -> u64 {
    match question {
        Question::Aims | Question::Baseline(..=1.0) | Question::Recovery { bad_s: 0, .. } => runs,
        Question::Interference(1.0..2.0) => runs / 2,
        Question::Effect(1.0) => runs / 4,
        Question::TwoFaults { .. }
        | Question::Effect(_)
        | Question::Ratio(_)
        | Question::Interference(_)
        | Question::Baseline(_)
        | Question::Recovery { .. } => runs / 8,
    }
}

/// Which question in how many blocks of which world, with its answers.
type Answered = (Question, u32, usize, Tally);

/// Asks every question of a table in every world, on all processors, unless it was asked before.
fn answer(table: &Table, of: u64, answered: &mut Vec<Answered>) {
    let mut wanted: Vec<(Question, u32, usize)> = Vec::new();
    for (question, blocks) in table.columns.iter().flat_map(|column| column.asked) {
        for world in 0..WORLDS.len() {
            let one = (question, blocks, world);
            if !wanted.contains(&one) && !answered.iter().any(|(q, b, w, _)| (*q, *b, *w) == one) {
                wanted.push(one);
            }
        }
    }
    let (next, found) = (AtomicUsize::new(0), Mutex::new(answered));
    let work = || {
        while let Some((question, blocks, world)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let tally = ask(question, WORLDS[world], blocks, runs(question, of), 1);
            found.lock().unwrap().push((question, blocks, world, tally));
        }
    };
    std::thread::scope(|scope| (0..std::thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(scope.spawn(work))));
}

fn print(table: &Table, answered: &[Answered]) {
    let tally = |(question, blocks): (Question, u32), world: usize| {
        answered.iter().find(|(q, b, w, _)| (*q, *b, *w) == (question, blocks, world)).map(|(.., tally)| tally).unwrap()
    };
    let headings: Vec<String> =
        table.columns.iter().map(|column| format!("{} ({})", column.heading, tally(column.asked[0], 0).runs)).collect();
    println!("\n### {}\n\n| World | {} |\n|---|{}", table.title, headings.join(" | "), "---|".repeat(headings.len()));
    for (index, world) in WORLDS.iter().enumerate() {
        let cell = |column: &Column| {
            let share = |asked| format!("{:.1}", 100.0 * tally(asked, index).share(&column.what));
            column.asked.map(share).join(" / ")
        };
        println!("| {} | {} |", world.name, table.columns.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
}

/// What follows a flag on the command line.
fn after(flag: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != flag).nth(1)
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let of = after("--runs").map_or(2_000, |runs| runs.parse().unwrap());
    let only = after("--only").unwrap_or_default();
    println!("Each cell is in percent of the runs in brackets, at 4, 8 and 24 blocks of 5 s with 60 requests a block and arm.");
    let mut answered = Vec::new();
    for table in tables().iter().filter(|table| table.title.contains(&only)) {
        answer(table, of, &mut answered);
        print(table, &answered);
    }
}
