//! `python3.x`: the machine's Python with the client `awslambdaric`, or with our own where it has
//! none. It installs nothing.

use std::path::{Path, PathBuf};

use super::clients::Client;
use super::{Asked, Launch, Variable, find, joined};

/// Prints the version and the interpreter itself, which a shim of a version manager may start, and
/// then fails if the client is missing.
const ASK: &str =
    "import sys\nprint('%d.%d' % sys.version_info[:2])\nprint(sys.executable, flush=True)\nimport awslambdaric\nprint('client')";

/// `BROWNOUT_PYTHON`, else the Python of the template's version, else `python3`. Code is looked for
/// in the layers and then in the folders of `PYTHONPATH`, so that the client may be in a folder of
/// its own.
pub(super) fn launch(runtime: &str, handler: &str, opt: Option<&Path>, variable: Variable<'_>, asked: &Asked) -> Result<Launch, String> {
    let named = variable("BROWNOUT_PYTHON").map(PathBuf::from);
    let wanted = named.map_or_else(|| vec![PathBuf::from(runtime), PathBuf::from("python3")], |named| vec![named]);
    let path = variable("PYTHONPATH");
    for program in wanted.iter().filter_map(|wanted| find(wanted, variable)) {
        let lines = asked.lines(&program, &["-c", ASK], path.as_ref().map(|path| ("PYTHONPATH", path)));
        let [version, executable, client @ ..] = lines.as_slice() else { continue };
        let program = if executable.is_empty() { program } else { PathBuf::from(executable) };
        let mut notices = Vec::new();
        if runtime.strip_prefix("python") != Some(version.as_str()) {
            notices.push(format!("`{runtime}` runs on Python {version} (`{}`)", program.display()));
        }
        let arguments = if client == ["client"] {
            ["-m", "awslambdaric", handler].map(Into::into).into()
        } else {
            notices.push(format!(
                "`{}` has no `awslambdaric`, so brownout's own runtime client serves; `pip install awslambdaric` for AWS's",
                program.display()
            ));
            vec![asked.clients.path(Client::Python).into()]
        };
        // In this order. Source: Lambda, "Search path in Python runtimes".
        let of_layers = opt.map(|opt| [opt.join("python/lib").join(runtime).join("site-packages"), opt.join("python")]);
        let paths = joined(of_layers.into_iter().flatten(), path.as_ref()).map(|list| ("PYTHONPATH", list));
        return Ok(Launch { program, arguments, paths: paths.into_iter().collect(), notices });
    }
    let names: Vec<_> = wanted.iter().map(|name| format!("`{}`", name.display())).collect();
    Err(format!("found no {} that runs; install Python 3 or name an interpreter in `BROWNOUT_PYTHON`", names.join(" and no ")))
}
