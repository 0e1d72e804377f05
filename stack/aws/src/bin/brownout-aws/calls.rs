//! The calls of a run in their order, in words: those of brownout, and those of FIS and of its
//! document if FIS drives the run. A test compares them with the calls that a run makes.

use std::fmt::Write as _;

use exports::Experiment;
use faults::time::Time;
use protocol::{AwsPlan, Via};

/// The calls, with who may make them and how long they take.
pub fn calls(plan: &AwsPlan, via: Via) -> String {
    let mut out = "\ncalls, in this order:\n".to_owned();
    let policy = match via {
        Via::Plan => {
            out.push_str(&own(plan));
            "`brownout export iam-policy` writes down who may do that, and that the functions may read the parameter.\n"
        }
        Via::Fis => {
            out.push_str(&by_fis(plan));
            "`brownout export iam-policy` and `export fis` write down who may do that, and that the functions may read the parameter.\n"
        }
    };
    let length = Time::from(plan.length);
    let _ = writeln!(
        out,
        "{policy}It takes about {length} and two updates of up to a minute; a fault ends 60 s after the last renewal whatever becomes of this \
         machine."
    );
    out
}

fn own(plan: &AwsPlan) -> String {
    let experiment = &plan.experiment;
    let (count, aliases) = (experiment.functions.len(), aliases(experiment));
    let renewals = experiment.duration.as_secs() / 15 + 1;
    let parameter = experiment.plan_parameter_of("<run>");
    let mut out = format!(
        "  {count} x ListTags\n  \
         2 x {count} x GetFunctionConfiguration, GetLayerVersion, GetFunctionCodeSigningConfig, GetFunctionConcurrency: all functions are looked \
         at before the first is changed\n  \
         {count} x UpdateFunctionConfiguration (attach): new environments start, and the layer lies idle\n"
    );
    if aliases > 0 {
        let _ =
            writeln!(out, "  {aliases} x GetAlias, PublishVersion, UpdateFunctionConfiguration ($LATEST goes back), UpdateAlias (share)");
    }
    let _ = writeln!(
        out,
        "  {} x PutParameter {parameter} (calm, strike, renew, calm), and GetParameter every 2 s: who deletes or replaces it stops the faults\n  \
         FilterLogEvents of the functions' log groups every 2 s",
        renewals + 3,
    );
    if aliases > 0 {
        let _ = writeln!(out, "  {aliases} x UpdateAlias (share back), then DeleteFunction of the version after `alias-grace`");
    }
    let _ = writeln!(
        out,
        "  {} x UpdateFunctionConfiguration (detach), then GetFunctionConfiguration until it is as it was\n  \
         {count} x ListVersionsByFunction: what was deployed meanwhile is named\n  \
         1 x DeleteParameter {parameter}",
        count - aliases,
    );
    out
}

/// Functions whose callers use an alias.
fn aliases(experiment: &Experiment) -> usize {
    experiment.functions.iter().filter(|function| function.alias.is_some()).count()
}

fn by_fis(plan: &AwsPlan) -> String {
    let experiment = &plan.experiment;
    let (count, aliases) = (experiment.functions.len(), aliases(experiment));
    let (document, faults) = (experiment.named("strike"), experiment.faults_parameter());
    let mut out = format!("  brownout   {count} x ListTags, 1 x GetLayerVersion, {count} x GetFunctionConfiguration\n");
    if aliases > 0 {
        let _ = writeln!(out, "  brownout   {aliases} x GetAlias, and GetFunctionConfiguration of its version");
    }
    if !experiment.alarms.is_empty() {
        out.push_str(
            "  brownout   DescribeAlarms: one that is missing or in ALARM ends the run here; then again every second, and at the end\n",
        );
    }
    let _ = writeln!(
        out,
        "  brownout   GetParameter {faults}, and PutParameter if the faults are others\n  \
         brownout   DescribeDocument {document}; if it is of other content, CreateDocument or UpdateDocument: a version for this run alone\n  \
         brownout   CreateExperimentTemplate: a template for this run alone\n  \
         brownout   StartExperiment with `skip-all` (the dry run), then GetExperiment every second\n  \
         brownout   FilterLogEvents of the functions' log groups every 2 s\n  \
         brownout   StartExperiment, then GetExperiment and GetParameter {} every second",
        experiment.plan_parameter(),
    );
    out.push_str(&by_the_document(plan));
    let _ = writeln!(
        out,
        "  brownout   PutParameter {} (calm), at the end of the fault phase; StopExperiment if that comes early\n  \
         FIS        GetAutomationExecution until the document has ended; StopAutomationExecution if an alarm or a user stops the experiment\n  \
         brownout   {count} x GetFunctionConfiguration, ListVersionsByFunction: nothing is left; what the document left is taken out\n  \
         brownout   ListExperimentTemplates, ListDocuments, ListDocumentVersions, then DeleteExperimentTemplate, DeleteDocument: only what \
         runs made",
        experiment.plan_parameter(),
    );
    out
}

/// The calls of FIS's document: attach, arm, renew, calm, detach.
fn by_the_document(plan: &AwsPlan) -> String {
    let experiment = &plan.experiment;
    let (count, aliases) = (experiment.functions.len(), aliases(experiment));
    let plan_parameter = experiment.plan_parameter();
    let renewals = (plan.fis_lead + experiment.duration).as_secs().div_ceil(30);
    let mut out = format!(
        "  FIS        StartAutomationExecution of {}\n  \
         document   1 x GetLayerVersion; {count} x GetFunctionConfiguration, ListTags",
        experiment.named("strike"),
    );
    if aliases > 0 {
        let _ = writeln!(out, "  document   {aliases} x GetAlias, and GetFunctionConfiguration of its version");
    }
    let _ = writeln!(out, "  document   {count} x UpdateFunctionConfiguration (attach), then GetFunctionConfiguration until it is ready");
    if aliases > 0 {
        let _ = writeln!(
            out,
            "  document   {aliases} x ListVersionsByFunction, PublishVersion, UpdateFunctionConfiguration ($LATEST goes back), UpdateAlias (share)"
        );
    }
    let _ = writeln!(
        out,
        "  document   GetParameter {}, then PutParameter {plan_parameter} (strike)\n  \
         document   {renewals} x GetParameter, PutParameter {plan_parameter} (renew), at most\n  \
         document   DeleteParameter {plan_parameter}",
        experiment.faults_parameter(),
    );
    if aliases > 0 {
        let _ = writeln!(out, "  document   {aliases} x UpdateAlias (share back), then DeleteFunction of the version after `alias-grace`");
    }
    let _ = writeln!(
        out,
        "  document   {} x UpdateFunctionConfiguration (detach), then GetFunctionConfiguration until it is as it was",
        count - aliases
    );
    out
}
