//! `export github-actions`: a workflow that runs experiments on the runner, without an account, and
//! publishes the results in the job summary and as artifacts.

use serde_json::{Value, json};

use super::text::yaml;
use super::written::File;

/// A workflow for these experiments, each by name or by its path in the repository. The job fails
/// with the experiment's exit code, after its report was uploaded.
pub fn github_actions(experiments: &[String]) -> Vec<File> {
    let keep = "always() && steps.run.outputs.folder != ''";
    let steps = json!([
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/cache@v4", "with": {
            "path": "~/.cargo/registry\n~/.cargo/git\ntarget\n",
            "key": "brownout-${{ runner.os }}-${{ hashFiles('Cargo.lock') }}",
        }},
        {"name": "Rust", "run": "rustup update stable --no-self-update && rustup default stable"},
        {"name": "Build", "run": "cargo build --release --workspace --bins"},
        {"name": "Run", "id": "run", "env": {"EXPERIMENT": "${{ matrix.experiment }}"}, "run": RUN},
        // A run whose input was invalid leaves no folder.
        {"name": "Summary", "if": keep, "env": {"FOLDER": "${{ steps.run.outputs.folder }}"}, "run": SUMMARY},
        upload("junit", keep, "${{ steps.run.outputs.folder }}/junit.xml"),
        upload("report", keep, "${{ steps.run.outputs.folder }}"),
    ]);
    let workflow = json!({
        "name": "brownout",
        "on": {
            "workflow_dispatch": {},
            "pull_request": {},
            "schedule": [{"cron": "17 3 * * *"}],
        },
        "permissions": {"contents": "read"},
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

/// The name reaches the shell as a variable, so that nothing in it is a command.
const RUN: &str = "\
folder=\"brownout-runs/$(basename \"$EXPERIMENT\" .toml)\"
echo \"folder=$folder\" >> \"$GITHUB_OUTPUT\"
cargo run --release --bin brownout -- run \"$EXPERIMENT\" --out \"$folder\"
";

const SUMMARY: &str = "if [ -f \"$FOLDER/summary.md\" ]; then cat \"$FOLDER/summary.md\" >> \"$GITHUB_STEP_SUMMARY\"; fi";

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
