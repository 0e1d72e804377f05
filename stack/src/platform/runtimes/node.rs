//! `nodejsNN.x`: the machine's Node with the client `aws-lambda-ric`. It installs nothing.

use std::path::{Path, PathBuf};

use super::{Launch, Variable, find};

/// `BROWNOUT_NODE`, else `node`; the client is looked for in the function's `node_modules` and then in the folders of `NODE_PATH`.
pub(super) fn launch(handler: &str, folder: &Path, variable: Variable<'_>) -> Result<Launch, String> {
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
    let variables = path.map(|path| ("NODE_PATH", path)).into_iter().collect();
    Ok(Launch { program, arguments: vec![client.join("bin/index.mjs").into(), handler.into()], variables })
}
