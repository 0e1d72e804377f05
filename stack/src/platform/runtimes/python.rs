//! `python3.x`: the machine's Python with the client `awslambdaric`. It installs nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Launch, Variable, find};

/// `BROWNOUT_PYTHON`, else `python3`. `PYTHONPATH` is passed on to it, so that the client may be in
/// a folder of its own.
pub(super) fn launch(handler: &str, variable: Variable<'_>) -> Result<Launch, String> {
    let wanted = variable("BROWNOUT_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let program = find(&wanted, variable)
        .ok_or_else(|| format!("found no `{}`; install Python 3 or name an interpreter in `BROWNOUT_PYTHON`", wanted.display()))?;
    let variables: Vec<_> = variable("PYTHONPATH").map(|path| ("PYTHONPATH", path)).into_iter().collect();
    let mut asked = Command::new(&program);
    asked.args(["-c", "import awslambdaric"]).envs(variables.clone());
    let there = asked.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        return Err(format!(
            "`{}` has no module `awslambdaric`; `pip install awslambdaric`, or name a folder that has it in `PYTHONPATH`",
            program.display()
        ));
    }
    Ok(Launch { program, arguments: ["-m", "awslambdaric", handler].map(Into::into).into(), variables })
}
