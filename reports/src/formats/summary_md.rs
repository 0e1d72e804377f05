//! `summary.md`: a page for a pull request or a job's summary. Every text from outside is escaped.

use std::fmt::Write as _;

use crate::deployments::{MEANING, side_by_side};
use crate::measurements::RunKind;
use crate::report::{MethodCheck, Report, Source};
use crate::words::{count, percent};

/// Text from outside, in a table's cell.
pub(crate) fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

/// The report as Markdown.
pub fn write(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}: {}\n", cell(&report.experiment.name), report.verdict.name().replace('-', " "));
    let _ = writeln!(out, "{}\n\n> {}\n", cell(&report.sentence), cell(&report.experiment.question));
    if !report.experiment.compressed_time.is_empty() {
        let _ = writeln!(out, "Compressed time: {}.\n", cell(&report.experiment.compressed_time));
    }
    for reason in &report.reasons {
        let _ = writeln!(out, "- {}", cell(reason));
    }
    deployments(&mut out, report);
    if !report.aims.is_empty() {
        let _ = writeln!(out, "\n| Of | Asked | Whose requests | Found | 95 % interval | Answer |\n|---|---|---|---|---|---|");
        for aim in &report.aims {
            let answer = if aim.why.is_empty() { aim.answer.words().to_owned() } else { format!("{} ({})", aim.answer.words(), aim.why) };
            let asked = if aim.source == Source::Implied { format!("{} (implied)", aim.asked) } else { aim.asked.clone() };
            let row = [&aim.expectation.of, &asked, &aim.whose(), &aim.found, &aim.interval, &answer].map(|text| cell(text)).join(" | ");
            let _ = writeln!(out, "| {row} |");
        }
    }
    if !report.invariants.is_empty() {
        let _ = writeln!(out, "\n| Invariant | Rule | Checked | Broken |\n|---|---|---|---|");
        for rule in &report.invariants {
            let _ = writeln!(out, "| {} | {} | {} | {} |", cell(&rule.id), cell(&rule.rule), count(rule.checked), count(rule.broken));
        }
    }
    for table in &report.dispositions {
        let _ = writeln!(out, "\n| {} | Struck | Control | Neither | All |\n|---|---|---|---|---|", cell(&table.of));
        let of_these = table.of_these.iter().map(|row| (format!("of these: {}", row.what), row));
        for (what, row) in table.ends.iter().map(|row| (row.what.clone(), row)).chain(of_these) {
            let [struck, control, neither, all] = [row.struck, row.control, row.neither, row.total()].map(count);
            let _ = writeln!(out, "| {} | {struck} | {control} | {neither} | {all} |", cell(&what));
        }
        let _ = writeln!(out, "| taken in | | | | {} |", count(table.taken));
    }
    injections(&mut out, report);
    let is_alone = report.experiment.kind == RunKind::Load;
    if !is_alone {
        let _ = writeln!(out, "\nThe method's check on itself: {}.", cell(&method(&report.method)));
    }
    let books = report.books;
    let _ = writeln!(
        out,
        "\n{} requests sent: {} answered, {} failed, {} timed out, {} cancelled.",
        count(books.sent),
        count(books.answered),
        count(books.failed),
        count(books.timed_out),
        count(books.cancelled)
    );
    let same = if is_alone { "" } else { ", with the same faults for the same requests" };
    let _ = writeln!(out, "\nAgain{same}:\n\n    {}", report.experiment.command.replace(['\n', '\r'], " "));
    out
}

fn injections(out: &mut String, report: &Report) {
    if report.injections.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n| Fault | At | Struck | Of eligible | Asked share |\n|---|---|---|---|---|");
    for row in &report.injections {
        let books = &row.books;
        let (fault, place) = (cell(&books.fault), cell(&books.place));
        let _ = writeln!(out, "| {fault} | {place} | {} | {} | {} |", count(books.struck), count(books.eligible), percent(row.share));
    }
}

fn method(check: &MethodCheck) -> String {
    match check {
        MethodCheck::Passed(comparisons) => format!("the control arm agrees with itself in {comparisons} comparisons"),
        MethodCheck::NotMade(why) => format!("not made, because {why}"),
        MethodCheck::Failed(why) => format!("failed: {why}"),
    }
}

fn deployments(out: &mut String, report: &Report) {
    if report.deployments.is_empty() {
        return;
    }
    let row = |cells: &[String]| format!("| {} |", cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(" | "));
    let names: Vec<String> = std::iter::once(String::new()).chain(report.deployments.iter().map(|one| one.name.clone())).collect();
    let _ = writeln!(out, "\n{}\n|{}", row(&names), "---|".repeat(names.len()));
    for line in side_by_side(&report.deployments) {
        let _ = writeln!(out, "{}", row(&line));
    }
    let _ = writeln!(out, "\n{MEANING}");
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn the_summary_says_what_matters() {
        let text = write(&crate::judge::judge(&crate::sample::healthy()));
        for line in [
            "# slow-authorizer: held",
            "Every aim and every rule that was exercised held while the faults struck 448 of 900 eligible invocations.",
            "| clinic GET /appointment/{id} | p99 at most 1s | struck | 484 ms over 475 requests | 0 % to 0.77 % missed it | holds |",
            "| thermostat shadow | errors at most 2 % (implied) | not struck | 0 % (0 of 900) | 0 % to 0.41 % | holds |",
            "| slow-authorizer | authorizer | 448 | 900 | 50 % |",
            "Compressed time: queues 30 times faster.",
            "| delivered to all readers | 448 | 452 | 890 | 1,790 |",
            "| of these: delivered twice | 3 | 0 | 0 | 3 |",
            "| taken in | | | | 1,800 |",
            "|  | clinic | thermostat |",
            "| of these struck | authorizer | none |",
            "| the one: failed under fault | ✓ 0 % (0 of 900) | ✓ 0.11 % (1 of 900) |",
            "| the one: p99, baseline → not struck | 29.6 ms → 28.1 ms | 36.0 ms → 34.6 ms |",
            "| A-1 | Nobody does what the policies forbid. | 2,700 | 0 |",
            "    brownout run scenarios/experiments/slow-authorizer.toml --seed 7",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is missing in\n{text}");
        }
    }

    #[test]
    fn a_check_of_the_method_that_was_not_made_is_shown_with_the_reason() {
        let mut measured = crate::sample::healthy();
        assert!(write(&crate::judge(&measured)).contains("\nThe method's check on itself: the control arm agrees with itself in "));
        measured.phases.retain(|span| span.phase != crate::Phase::Fault);
        assert!(write(&crate::judge(&measured)).contains("\nThe method's check on itself: not made, because there was no control arm.\n"));
    }

    #[test]
    fn a_text_from_outside_cannot_break_a_table() {
        assert_eq!(super::cell("a|b\n<script>"), "a\\|b &lt;script>");
    }
}
