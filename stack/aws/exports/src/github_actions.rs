//! `export github-actions`: a workflow that runs experiments of any repository on the runner, without an account, and
//! publishes the results in the job summary, as artifacts, and as a comment on the pull request.

use serde_json::{Value, json};

use super::text::yaml;
use super::written::File;

/// A workflow for these experiments, each by name or by its path in the repository. The job fails
/// with the experiment's exit code, after its report was uploaded.
pub fn github_actions(experiments: &[String]) -> Vec<File> {
    let keep = "always() && steps.run.outputs.folder != ''";
    let steps = json!([
        {"uses": "actions/checkout@v4"},
        {"name": "Install", "env": {"WHEEL": "${{ vars.BROWNOUT_WHEEL }}"}, "run": INSTALL},
        {"name": "Run", "id": "run", "env": {"EXPERIMENT": "${{ matrix.experiment }}"}, "run": RUN},
        // A run whose input was invalid leaves no folder.
        {"name": "Summary", "if": keep, "env": {"FOLDER": "${{ steps.run.outputs.folder }}"}, "run": SUMMARY},
        upload("junit", keep, "${{ steps.run.outputs.folder }}/junit.xml"),
        upload("report", keep, "${{ steps.run.outputs.folder }}"),
        comment(&format!("{keep} && github.event_name == 'pull_request'")),
    ]);
    let workflow = json!({
        "name": "brownout",
        "on": {
            "workflow_dispatch": {},
            "pull_request": {},
            "schedule": [{"cron": "17 3 * * *"}],
        },
        "permissions": {"contents": "read", "actions": "read", "pull-requests": "write"},
        "concurrency": {"group": "brownout-${{ github.ref }}", "cancel-in-progress": true},
        "jobs": {"experiment": {
            "name": "${{ matrix.experiment }}",
            "runs-on": "ubuntu-24.04",
            "timeout-minutes": 60,
            // One failed experiment must not cancel the others.
            "strategy": {"fail-fast": false, "matrix": {"experiment": experiments}},
            "steps": steps,
        }},
    });
    vec![File::new("brownout.yaml", yaml(&workflow))]
}

/// Nothing is compiled. There is no public package, so the repository says where its wheel is: an address or a path in it.
const INSTALL: &str = "\
: \"${WHEEL:?set the variable BROWNOUT_WHEEL of this repository to the address of a wheel of brownout, or to its path in the repository}\"
python3 -m venv \"$RUNNER_TEMP/brownout\"
\"$RUNNER_TEMP/brownout/bin/pip\" install --quiet \"$WHEEL\"
echo \"$RUNNER_TEMP/brownout/bin\" >> \"$GITHUB_PATH\"
";

/// The name reaches the shell as a variable, so that nothing in it is a command.
const RUN: &str = "\
folder=\"brownout-runs/$(basename \"$EXPERIMENT\" .toml)\"
echo \"folder=$folder\" >> \"$GITHUB_OUTPUT\"
brownout run \"$EXPERIMENT\" --out \"$folder\"
";

const SUMMARY: &str = "if [ -f \"$FOLDER/summary.md\" ]; then cat \"$FOLDER/summary.md\" >> \"$GITHUB_STEP_SUMMARY\"; fi";

/// The summary, and what has changed since the newest run of the target branch, in one comment of each experiment.
/// A pull request from a fork may not comment, which is no failure.
fn comment(condition: &str) -> Value {
    json!({
        "name": "Comment",
        "if": condition,
        "continue-on-error": true,
        "env": {
            "GH_TOKEN": "${{ github.token }}",
            "FOLDER": "${{ steps.run.outputs.folder }}",
            "BASE": "${{ github.base_ref }}",
            "REPORT": "report-${{ strategy.job-index }}",
            "COMMENTS": "repos/${{ github.repository }}/issues/${{ github.event.number }}/comments",
            "MARK": "<!-- brownout: ${{ matrix.experiment }} -->",
        },
        "run": COMMENT,
    })
}

const COMMENT: &str = "\
{ echo \"$MARK\"; cat \"$FOLDER/summary.md\"; } > comment.md
before=$(gh run list --workflow brownout.yaml --branch \"$BASE\" --status completed --limit 1 --json databaseId --jq '.[].databaseId')
if [ -n \"$before\" ] && gh run download \"$before\" --name \"$REPORT\" --dir before; then
  { echo; brownout compare before \"$FOLDER\" || true; } >> comment.md
fi
mine=$(gh api --paginate \"$COMMENTS\" --jq '.[] | select(.body | startswith(env.MARK)) | .url' | head -n 1)
if [ -n \"$mine\" ]; then gh api --method PATCH \"$mine\" --field body=@comment.md; else gh api \"$COMMENTS\" --field body=@comment.md; fi > /dev/null
";

fn upload(what: &str, condition: &str, path: &str) -> Value {
    json!({
        "name": format!("Keep the {what}"),
        "uses": "actions/upload-artifact@v4",
        "if": condition,
        "with": {
            "name": format!("{what}-${{{{ strategy.job-index }}}}"),
            "path": path,
            "if-no-files-found": "warn",
            "retention-days": 30,
        },
    })
}
