//! Deployments of one API side by side: how much of each fails with one of its functions, how often
//! it starts cold, how long its answers take. Everything is counted from the run's requests; the
//! caller says which routes belong to which deployment.

use crate::deployment_row::{Counted, DeploymentRow, P99, RouteRow};
use crate::implied::margin;
use crate::intervals::{order_statistic, samples_needed};
use crate::latencies::{Latencies, Phase, Tag, is_failure};
use crate::measurements::{Deployment, Injections, Measurements, Route};
use crate::report::Answer;
use crate::rolls::ArmTag;
use crate::tables::served;
use crate::words::{count, percent};

fn p99(latencies: &Latencies, wanted: impl Fn(&Tag) -> bool) -> P99 {
    let counts = served(latencies, |tag| !tag.cold && wanted(tag));
    let interval = order_statistic(&counts, 0.99, 1.0);
    P99 {
        requests: counts.total(),
        us: counts.quantile(0.99).filter(|us| interval.is_some() && !is_failure(*us)),
        interval,
        needs: samples_needed(0.99).saturating_sub(counts.total()),
    }
}

/// The measurements of every deployment; empty if there are not two to compare.
pub fn compare(measured: &Measurements) -> Vec<DeploymentRow> {
    if measured.deployments.len() < 2 {
        return Vec::new();
    }
    measured.deployments.iter().map(|one| row(one, &measured.latencies, &measured.injections)).collect()
}

fn row(deployment: &Deployment, latencies: &Latencies, injections: &[Injections]) -> DeploymentRow {
    let routes: Vec<RouteRow> = deployment.routes.iter().map(|one| route(one, latencies)).collect();
    let mut functions: Vec<&str> = deployment.routes.iter().map(|route| route.function.as_str()).collect();
    functions.sort_unstable();
    functions.dedup();
    let is_struck = |function: &&str| injections.iter().any(|row| row.struck > 0 && row.place == *function);
    let sum = |of: fn(&RouteRow) -> u64| routes.iter().map(of).sum();
    let ours = |tag: &Tag| tag.ended() && routes.iter().any(|route| route.endpoint == tag.endpoint);
    let (requests, cold) = (latencies.count(ours), latencies.count(|tag| ours(tag) && tag.cold));
    let answered = |wanted: &[Answer]| routes.iter().filter(|route| wanted.contains(&route.goes_on)).count() as u64;
    DeploymentRow {
        name: deployment.name.clone(),
        functions: functions.len() as u64,
        struck: functions.into_iter().filter(is_struck).map(str::to_owned).collect(),
        blast_radius: Counted { hits: answered(&[Answer::Broken]), of: answered(&[Answer::Broken, Answer::Holds]), interval: None },
        failed: Counted::sample(sum(|route| route.fault.hits), sum(|route| route.fault.of)),
        cold: Counted::sample(cold, requests),
        routes,
    }
}

fn route(route: &Route, latencies: &Latencies) -> RouteRow {
    let ours = |tag: &Tag, phase: Phase| tag.endpoint == route.endpoint && tag.phase == phase;
    let errors = |phase: Phase| {
        let ended = |tag: &Tag| ours(tag, phase) && tag.ended();
        Counted::sample(latencies.count(|tag| ended(tag) && tag.is_error()), latencies.count(ended))
    };
    let (baseline, fault) = (errors(Phase::Baseline), errors(Phase::Fault));
    RouteRow {
        route: route.route.clone(),
        endpoint: route.endpoint.clone(),
        function: route.function.clone(),
        goes_on: goes_on(baseline, fault),
        baseline,
        fault,
        p99_baseline: p99(latencies, |tag| ours(tag, Phase::Baseline)),
        p99_not_struck: p99(latencies, |tag| ours(tag, Phase::Fault) && tag.arm() != ArmTag::Treatment),
    }
}

fn goes_on(before: Counted, under: Counted) -> Answer {
    let (Some(was), Some(is)) = (before.interval, under.interval) else { return Answer::NotShown };
    if is.low > was.high {
        Answer::Broken
    } else if is.high <= before.hits as f64 / before.of as f64 + margin(under.of) {
        Answer::Holds
    } else {
        Answer::NotShown
    }
}

/// What the numbers mean, for people.
pub const MEANING: &str = "A request fails where its answer is not one that it calls right, or does not come. A route fails where the 95 % interval of its \
share of failed requests in the fault phase lies wholly above that of its baseline, and goes on where it lies within the baseline's share and a margin; \
the share of failing routes, of those for which one or the other is shown, is the blast radius. A cold start is a request in \
whose way a new environment stood, in any phase. p99 is of warm requests, in the \
baseline and of those in the fault phase that no fault struck; fewer than 368 of them give none.";

/// The comparison as a table: the first column names the row, the others are the deployments.
pub fn side_by_side(rows: &[DeploymentRow]) -> Vec<Vec<String>> {
    let line = |what: &str, cell: &dyn Fn(&DeploymentRow) -> String| -> Vec<String> {
        std::iter::once(what.to_owned()).chain(rows.iter().map(cell)).collect()
    };
    let struck = |row: &DeploymentRow| if row.struck.is_empty() { "none".to_owned() } else { row.struck.join(", ") };
    let mut table = vec![
        line("functions", &|row| count(row.functions)),
        line("of these struck", &struck),
        line("routes that fail (blast radius)", &|row| routes_that_fail(row.blast_radius)),
        line("requests that fail under fault", &|row| row.failed.words()),
        line("cold starts", &|row| row.cold.words()),
    ];
    let mut names: Vec<&str> = Vec::new();
    for route in rows.iter().flat_map(|row| &row.routes) {
        if !names.contains(&route.route.as_str()) {
            names.push(&route.route);
        }
    }
    let of = |row: &DeploymentRow, name: &str, cell: fn(&RouteRow) -> String| {
        row.routes.iter().find(|route| route.route == name).map_or_else(|| "no such route".to_owned(), cell)
    };
    for name in &names {
        table.push(line(&format!("{name}: failed under fault"), &|row| of(row, name, failed)));
    }
    for name in &names {
        let p99 = |route: &RouteRow| format!("{} → {}", route.p99_baseline.words(), route.p99_not_struck.words());
        table.push(line(&format!("{name}: p99, baseline → not struck"), &|row| of(row, name, p99)));
    }
    table
}

fn routes_that_fail(routes: Counted) -> String {
    if routes.of == 0 {
        return "not shown".to_owned();
    }
    format!("{} of {} ({})", routes.hits, routes.of, percent(routes.hits as f64 / routes.of as f64))
}

fn failed(route: &RouteRow) -> String {
    let answer = match route.goes_on {
        Answer::Broken => "✗ fails",
        Answer::Holds => "✓",
        Answer::NotShown => "? not shown",
    };
    format!("{answer} {}", route.fault.words())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latencies::Outcome;
    use crate::rolls::Rolls;
    use crate::sample::healthy;

    /// Records requests to an endpoint in a phase and an arm, some of them failed.
    fn record(latencies: &mut Latencies, endpoint: &str, phase: Phase, rolls: Rolls, requests: u64, failed: u64) {
        for n in 0..requests {
            let outcome = if n < failed { Outcome::Failed } else { Outcome::Answered };
            let tag = Tag { endpoint: endpoint.into(), phase, rolls, cold: phase == Phase::Recovery, outcome };
            latencies.record(n as u32 % 9, &tag, 1_000 + n, false);
        }
    }

    const STRUCK: Rolls = Rolls::one(0, true);
    const CONTROL: Rolls = Rolls::one(0, false);

    fn deployment(name: &str, functions: [&str; 2]) -> Deployment {
        let routes = ["GET /a", "PUT /a"].into_iter().zip(functions);
        let route =
            |(route, function): (&str, &str)| Route { route: route.into(), endpoint: format!("{name} {route}"), function: function.into() };
        Deployment { name: name.into(), routes: routes.map(route).collect() }
    }

    /// One deployment with two functions, one of which fails half of the time, and one with a
    /// single function that fails half of the time.
    fn measured() -> Measurements {
        let mut measured = healthy();
        measured.deployments = vec![deployment("two", ["reads", "writes"]), deployment("one", ["all", "all"])];
        let row = |place: &str, struck| Injections { fault: place.into(), place: place.into(), struck, ..measured.injections[0].clone() };
        measured.injections = vec![row("reads", 200), row("all", 400), row("dynamodb:GetItem", 9)];
        let latencies = &mut measured.latencies;
        for name in ["two", "one"] {
            for route in ["GET /a", "PUT /a"] {
                let endpoint = format!("{name} {route}");
                let fails = name == "one" || route == "GET /a";
                record(latencies, &endpoint, Phase::Baseline, Rolls::NONE, 400, 1);
                record(latencies, &endpoint, Phase::Fault, STRUCK, 200, if fails { 200 } else { 0 });
                record(latencies, &endpoint, Phase::Fault, CONTROL, 200, 1);
            }
        }
        record(latencies, "two PUT /a", Phase::Recovery, Rolls::NONE, 100, 0);
        measured
    }

    #[test]
    fn how_much_fails_is_counted_by_routes_and_by_requests() {
        let rows = compare(&measured());
        let [two, one] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((two.functions, one.functions), (2, 1));
        assert_eq!((two.struck.as_slice(), one.struck.as_slice()), (&["reads".to_owned()][..], &["all".to_owned()][..]));
        let counted = |counted: Counted| (counted.hits, counted.of);
        assert_eq!((counted(two.blast_radius), counted(one.blast_radius)), ((1, 2), (2, 2)));
        assert_eq!((counted(two.failed), counted(one.failed)), ((202, 800), (402, 800)));
        assert_eq!((counted(two.cold), counted(one.cold)), ((100, 1_700), (0, 1_600)));
    }

    #[test]
    fn a_route_fails_only_if_its_errors_are_entirely_above_those_of_its_baseline() {
        let (fails, goes_on, open) = (Answer::Broken, Answer::Holds, Answer::NotShown);
        for (before, under, expected) in
            [(0, 0, goes_on), (0, 4, open), (0, 10, fails), (40, 60, open), (40, 100, fails), (100, 40, goes_on)]
        {
            let mut latencies = Latencies::default();
            record(&mut latencies, "two GET /a", Phase::Baseline, Rolls::NONE, 400, before);
            record(&mut latencies, "two GET /a", Phase::Fault, CONTROL, 400, under);
            let row = row(&deployment("two", ["reads", "writes"]), &latencies, &[]);
            assert_eq!(row.routes[0].goes_on, expected, "{before} and {under} of 400");
            assert_eq!(row.routes[1].goes_on, open, "it had no request");
            let radius = (u64::from(expected == fails), u64::from(expected != open));
            assert_eq!((row.blast_radius.hits, row.blast_radius.of), radius, "what is not shown is no part of it");
        }
    }

    #[test]
    fn a_p99_of_too_few_requests_is_not_a_number() {
        let rows = compare(&measured());
        let route = &rows[0].routes[0];
        assert_eq!((route.p99_baseline.us.is_some(), route.p99_baseline.needs), (true, 0));
        assert_eq!((route.p99_not_struck.us, route.p99_not_struck.requests, route.p99_not_struck.needs), (None, 200, 168));
        let table = side_by_side(&rows);
        let line = |what: &str| table.iter().find(|line| line[0] == what).unwrap()[1..].to_vec();
        assert_eq!(line("GET /a: p99, baseline → not struck"), ["1.4 ms → – (needs 168 more)", "1.4 ms → – (needs 168 more)"]);
        assert_eq!(line("routes that fail (blast radius)"), ["1 of 2 (50 %)", "2 of 2 (100 %)"]);
        assert_eq!(line("PUT /a: failed under fault"), ["✓ 0.25 % (1 of 400)", "✗ fails 50 % (201 of 400)"]);
        assert_eq!(line("cold starts"), ["5.88 % (100 of 1,700)", "0 % (0 of 1,600)"]);
    }

    #[test]
    fn a_single_deployment_is_not_compared() {
        let mut measured = measured();
        measured.deployments.pop();
        assert_eq!(compare(&measured), []);
    }
}
