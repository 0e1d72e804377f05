//! `nodejsNN.x`: the machine's Node with the client `aws-lambda-ric`. It installs nothing.

use std::path::{Path, PathBuf};

use super::{Asked, Launch, Variable, find, joined};

/// `BROWNOUT_NODE`, else `node`; the client is looked for in the function's `node_modules` and then
/// in the folders of `NODE_PATH`. Code is looked for in the layers too.
pub(super) fn launch(
    runtime: &str,
    handler: &str,
    folder: &Path,
    opt: Option<&Path>,
    variable: Variable<'_>,
    asked: &Asked,
) -> Result<Launch, String> {
    let wanted = variable("BROWNOUT_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from);
    let program = find(&wanted, variable)
        .ok_or_else(|| format!("found no `{}`; install Node or name an interpreter in `BROWNOUT_NODE`", wanted.display()))?;
    let path = variable("NODE_PATH");
    let folders = path.iter().flat_map(std::env::split_paths);
    let mut candidates = std::iter::once(folder.join("node_modules")).chain(folders).map(|modules| modules.join("aws-lambda-ric"));
    // An installation without cmake lacks its native part.
    let client = candidates.find(|client| client.join("bin/index.mjs").is_file() && client.join("dist/rapid-client.node").is_file());
    let client = client.ok_or_else(|| {
        "found no package `aws-lambda-ric` with its native part; `npm install aws-lambda-ric` in the function's folder (it wants cmake, \
         make, autoconf, automake, libtool and g++), or name the `node_modules` that has it in `NODE_PATH`"
            .to_owned()
    })?;
    let lines = asked.lines(&program, &["--version"], None);
    let version = lines.first().map_or("", |line| line.trim_start_matches('v'));
    let number = runtime.trim_start_matches("nodejs").trim_end_matches(".x");
    let differs = version.split('.').next() != Some(number);
    let notice = differs.then(|| format!("`{runtime}` runs on Node {version} (`{}`)", program.display()));
    // In this order. Source: Lambda, "Working with layers for Node.js Lambda functions".
    let of_layers = opt.map(|opt| [opt.join("nodejs").join(format!("node{number}/node_modules")), opt.join("nodejs/node_modules")]);
    let paths = joined(of_layers.into_iter().flatten(), path.as_ref()).map(|list| ("NODE_PATH", list)).into_iter().collect();
    Ok(Launch { program, arguments: vec![client.join("bin/index.mjs").into(), handler.into()], paths, notice })
}
