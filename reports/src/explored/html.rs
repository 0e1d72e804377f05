//! `explore.html`: the matrix of places and ways, the findings and the journeys. No script, no network
//! request; every text from outside is escaped.

use std::fmt::Write as _;

use super::model::{Cell, Coverage, Done, End, Exploration, Finding, Journey, Outcome, Pair, Pairs, Place, Step};
use crate::formats::html::{escape, prose};

const STYLE: [&str; 2] = [include_str!("../formats/report.css"), include_str!("explore.css")];

/// The page.
pub fn write(exploration: &Exploration) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let verdict = exploration.verdict().name();
    let [style, more] = STYLE;
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>explore {name}: {verdict}</title><style>{style}{more}</style></head><body><main>\n\
         <header class=\"{verdict}\"><p class=\"verdict\">{verdict}</p><h1>{headline}</h1><p class=\"question\"><code>{command}</code></p></header>\n",
        name = escape(&exploration.name),
        headline = headline(exploration),
        command = escape(&exploration.command),
    );
    chips(&mut page, &exploration.coverage(), exploration);
    findings(&mut page, &exploration.findings);
    matrix(&mut page, exploration);
    pairs(&mut page, exploration);
    page.push_str(
        "<h2>What follows from each request</h2><p class=\"lead\">As most fault-free requests showed it. These are the places.</p>\n",
    );
    exploration.journeys.iter().for_each(|journey| tree(&mut page, journey));
    notes(&mut page, exploration);
    let _ = writeln!(
        page,
        "<footer>brownout {}, seed {}, {} fault-free arrivals followed, {} runs</footer></main></body></html>",
        escape(&exploration.version),
        exploration.seed,
        exploration.followed,
        exploration.waves
    );
    page
}

fn headline(exploration: &Exploration) -> String {
    let open = exploration.open().count();
    match (&exploration.end, open) {
        (End::BrokenWithoutFault, _) => "The journeys break rules without any fault".to_owned(),
        (End::NotShown(why), 0) => escape(why),
        (_, 0) if exploration.coverage().tried == 0 => "Nothing was tried, so nothing is shown".to_owned(),
        (_, 0) => "No rule was broken by what was tried".to_owned(),
        (_, 1) => "1 finding".to_owned(),
        (_, many) => format!("{many} findings"),
    }
}

fn chips(page: &mut String, covered: &Coverage, exploration: &Exploration) {
    let chip = |page: &mut String, number: String, what: &str| {
        let _ = write!(page, "<li><b>{number}</b><span>{what}</span></li>");
    };
    page.push_str("<ul class=\"chips\">");
    chip(page, format!("{} of {}", covered.tried, covered.possible), "cases tried of those that can happen");
    chip(page, format!("{} of {}", covered.places_tried, covered.places_seen), "places tried of those seen");
    chip(page, format!("{} held, {} degraded, {} broken", covered.held, covered.degraded, covered.broken), "of the cases tried");
    chip(page, covered.unclear.to_string(), "unclear: did not strike, or not followed to the end; not tried");
    let pairs = covered.pairs;
    chip(page, format!("{} of {}", pairs.tried, pairs.possible), "pairs of faults tried of those that single ones leave");
    let how = match exploration.end {
        End::Complete if pairs.tried + pairs.unclear < pairs.possible => "all single faults that can be tried here, and some pairs",
        End::Complete => "everything that can be tried here",
        End::Budget => "the budget was used up",
        End::Interrupted => "stopped as asked",
        End::BrokenWithoutFault | End::NotShown(_) => "ended early",
    };
    chip(page, format!("{:.0} s", exploration.took_s), how);
    page.push_str("</ul>\n");
}

fn findings(page: &mut String, findings: &[Finding]) {
    page.push_str("<h2>Findings</h2>");
    if findings.is_empty() {
        page.push_str("<p class=\"lead\">None of the cases that were tried broke a rule.</p>\n");
    }
    for found in findings {
        let class = if found.accepted.is_some() { "found known" } else { "found" };
        let place = found.place.as_deref().unwrap_or("No case explains it");
        let _ = write!(
            page,
            "<div class=\"{class}\" id=\"f{n}\"><h3>{n}. {place}</h3><p><b>{rule}</b> {text}. {ways}</p><dl>",
            n = found.number,
            place = escape(place),
            rule = escape(&found.rule),
            text = prose(&found.text),
            ways = escape(&ways(found)),
        );
        let experiment = found.experiment.as_ref().map_or_else(|why| escape(why), |file| format!("<code>{}</code>", escape(file)));
        let rows = [
            ("Requested", escape(&found.asked)),
            ("Found", escape(&found.answered)),
            ("Expected", escape(&found.expected)),
            ("Trace", format!("<code>{}</code>", escape(&found.root))),
            ("Experiment", experiment),
        ];
        for (name, value) in rows {
            let _ = write!(page, "<dt>{name}</dt><dd>{value}</dd>");
        }
        if let Some(accepted) = &found.accepted {
            let _ = write!(page, "<dt>Accepted</dt><dd>{}, {}</dd>", escape(&accepted.date), escape(&accepted.reason));
        }
        let _ = writeln!(page, "</dl><pre>{}</pre></div>", escape(&found.command));
    }
}

fn ways(found: &Finding) -> String {
    if found.ways.is_empty() { String::new() } else { format!("By: {}.", found.ways.join(", ")) }
}

fn matrix(page: &mut String, exploration: &Exploration) {
    page.push_str("<h2>Places and ways</h2><ul class=\"legend\">");
    for outcome in Outcome::ALL {
        let _ = write!(page, "<li class=\"matrix\"><abbr class=\"{}\">{}</abbr> {}</li>", class(outcome), outcome.letter(), outcome.name());
    }
    page.push_str("<li>- cannot happen there</li><li>. not tried</li></ul><div class=\"wide\"><table class=\"matrix\"><tr><th>Place</th>");
    for way in &exploration.ways {
        let _ = write!(page, "<th><abbr title=\"{}\">{}</abbr></th>", escape(&way.title), way.letter);
    }
    page.push_str("</tr>\n");
    let mut of = "";
    for place in &exploration.places {
        if place.endpoint != of {
            of = &place.endpoint;
            let _ = writeln!(page, "<tr class=\"of\"><td colspan=\"{}\">{}</td></tr>", exploration.ways.len() + 1, escape(of));
        }
        row(page, place);
    }
    page.push_str("</table></div><dl>");
    for way in &exploration.ways {
        let _ = write!(page, "<dt>{} {}</dt><dd>{}</dd>", way.letter, escape(&way.title), escape(&way.about));
    }
    page.push_str("</dl>\n");
}

fn row(page: &mut String, place: &Place) {
    let spot = place.place.strip_prefix(&place.endpoint).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&place.place);
    let _ = write!(page, "<tr><td>{}", escape(spot));
    if let Some(under) = &place.under {
        let _ = write!(page, "<br><small>only under {}</small>", escape(&under.to_string()));
    }
    page.push_str("</td>");
    for cell in &place.cells {
        let _ = match cell {
            Cell::Impossible(why) => write!(page, "<td><abbr title=\"{}\">-</abbr></td>", escape(why)),
            Cell::NotTried(why) => write!(page, "<td><abbr title=\"not tried: {}\">.</abbr></td>", escape(why)),
            Cell::Done(done) => write!(page, "<td>{}</td>", letter(done)),
        };
    }
    page.push_str("</tr>\n");
}

/// What came of a case, which leads to its finding.
fn letter(done: &Done) -> String {
    let (class, letter) = (class(done.outcome), done.outcome.letter());
    let title = format!("{}: {}", done.outcome.name(), escape(&done.why));
    match done.finding {
        Some(number) => format!("<a class=\"{class}\" href=\"#f{number}\" title=\"{title}\">{letter}</a>"),
        None => format!("<abbr class=\"{class}\" title=\"{title}\">{letter}</abbr>"),
    }
}

fn pairs(page: &mut String, exploration: &Exploration) {
    let Pairs { possible, done } = &exploration.pairs;
    let _ = writeln!(
        page,
        "<h2>Pairs of faults</h2><p class=\"lead\">{} of {possible} tried, the most promising first.</p>",
        exploration.coverage().pairs.tried
    );
    if done.is_empty() {
        return;
    }
    page.push_str("<div class=\"wide\"><table class=\"matrix pairs\"><tr><th>First</th><th>Second</th><th>Why</th><th></th></tr>\n");
    for pair in done {
        let Pair { first, second, why, done } = pair;
        let (first, second) = (escape(&first.to_string()), escape(&second.to_string()));
        let _ = writeln!(page, "<tr><td>{first}</td><td>{second}</td><td>{}</td><td>{}</td></tr>", why.about(), letter(done));
    }
    page.push_str("</table></div>\n");
}

const fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "h",
        Outcome::Degraded => "d",
        Outcome::Broken => "b",
        Outcome::Unclear => "q",
    }
}

fn tree(page: &mut String, journey: &Journey) {
    let _ = write!(page, "<h3>{} <small>({} followed)</small></h3><ul class=\"tree\">", escape(&journey.endpoint), journey.seen);
    let mut is_open = false;
    for step in &journey.steps {
        match step {
            Step::Invoked(function) => {
                let _ = write!(page, "{}<li><b>{}</b><ul class=\"tree\">", if is_open { "</ul></li>" } else { "" }, escape(function));
                is_open = true;
            }
            Step::Called(call) => {
                let _ = write!(page, "<li>{}</li>", escape(call));
            }
        }
    }
    page.push_str(if is_open { "</ul></li></ul>" } else { "</ul>" });
    if !journey.effects.is_empty() {
        let _ = write!(page, "<p>Leaves behind: {}</p>", escape(&journey.effects.join(", ")));
    }
    page.push('\n');
}

fn notes(page: &mut String, exploration: &Exploration) {
    if exploration.notes.is_empty() {
        return;
    }
    page.push_str("<h2>Notes</h2><ul class=\"why\">");
    for note in &exploration.notes {
        let _ = write!(page, "<li>{}</li>", prose(note));
    }
    page.push_str("</ul>\n");
}

#[cfg(test)]
mod tests {
    use super::super::sample::exploration;
    use super::*;

    #[test]
    fn a_cell_has_a_letter_besides_its_colour_and_leads_to_its_finding() {
        let page = write(&exploration());
        for part in [
            "<a class=\"b\" href=\"#f1\" title=\"broken: it was broken\">B</a>",
            "<abbr class=\"h\" title=\"held: it was held\">h</abbr>",
            "<abbr class=\"q\" title=\"unclear: it was unclear\">?</abbr>",
            "<abbr title=\"it happens to invocations only\">-</abbr>",
            "<abbr title=\"not tried: budget\">.</abbr>",
            "id=\"f1\"",
            "3 of 5",
            "1 of 2",
            "2 of 7",
            "<small>only under buy place: place &gt; dynamodb:PutItem, outage</small>",
            "<td>buy place: late, error</td><td>the first opens the place of the second</td><td><a class=\"b\" href=\"#f2\"",
            "name=\"viewport\"",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn text_from_outside_is_escaped_and_nothing_is_loaded() {
        let page = write(&exploration());
        assert!(page.contains("worker &gt; dynamodb:PutItem") && !page.contains("curl <http"), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "{page}");
    }
}
