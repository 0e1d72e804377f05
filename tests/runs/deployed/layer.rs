//! `brownout layer publish`, and a layer that does not run beside a function: told before anything is changed.

use std::path::Path;

use control_plane::LayerVersion;

use crate::cloud::{self, Cloud, LAYER};
use crate::deployed::{REGION, rights};

/// A zip as `layer build` writes it, with its digest.
fn built(folder: &Path, architecture: &str, content: &str) {
    let name = format!("brownout-layer-{architecture}.zip");
    std::fs::write(folder.join(&name), format!("PK\x03\x04{content}")).unwrap();
    let summed = std::process::Command::new("sha256sum").arg(&name).current_dir(folder).output().unwrap();
    std::fs::write(folder.join(format!("{name}.sha256")), summed.stdout).unwrap();
}

#[test]
fn the_layer_is_published_with_exactly_the_exported_rights_and_the_lines_go_into_the_file() {
    let (cloud, folder) = (Cloud::new(), tempfile::tempdir().unwrap());
    let from = folder.path().display().to_string();
    let publish = || cloud.brownout(&["layer", "publish", "--from", &from, "--region", REGION]);
    let (code, _, errors) = publish();
    assert!(code == 2 && errors.contains("no layer was built in") && errors.contains("brownout layer build"), "{errors}");
    built(folder.path(), "x86_64", "one");
    built(folder.path(), "arm64", "another");
    rights::hold(&cloud, cloud::KEY, &rights::exported(&cloud, "iam-policy", "layer-policy.json"));
    let (code, said, errors) = publish();
    assert_eq!(code, 0, "{said}{errors}");
    for (version, architecture) in [(1, "x86_64"), (2, "arm64")] {
        // 7 is there already; numbers that are free come first here.
        let line = format!("layer = \"{}{version}\"  # functions on {architecture}", LAYER.trim_end_matches('7'));
        assert!(said.contains(&line), "{line} is not in {said}");
    }
    assert_eq!(rights::needless(&cloud, cloud::KEY), Vec::<String>::new());
    std::fs::write(folder.path().join("brownout-layer-arm64.zip"), "PK\x03\x04damaged").unwrap();
    let before = cloud.plane().lock().unwrap().plane.layers.clone();
    let (code, _, errors) = publish();
    assert!(code == 2 && errors.contains("is not what was built"), "{errors}");
    assert!(cloud.plane().lock().unwrap().plane.layers == before, "nothing is published while one zip is wrong");
}

#[test]
fn a_layer_for_another_processor_is_refused_by_plan_and_run_before_any_function_is_changed() {
    let cloud = Cloud::new();
    cloud.strike_another("reports", "arm64");
    let revisions = || ["orders", "reports"].map(|name| cloud.revision(name));
    let before = revisions();
    let file = cloud.file();
    let (code, said, errors) = cloud.brownout(&["plan", &file]);
    assert!(code == 2 && said.contains("runs on `arm64` and the layer is for `x86_64`"), "{said}{errors}");
    assert!(errors.contains("nothing was touched"), "{errors}");
    for how in [&["--target", "aws"], &["--via", "fis"]] {
        let outcome = cloud.run_by(how, &[]).end();
        assert!(outcome.code == 2 && outcome.stderr.contains("runs on `arm64` and the layer is for `x86_64`"), "{}", outcome.story());
        assert_eq!(revisions(), before, "{how:?}");
    }
    cloud.plane().lock().unwrap().plane.layers.insert(LAYER.to_owned(), LayerVersion::default());
    let (code, said, _) = cloud.brownout(&["plan", &file]);
    assert!(code == 2 && said.contains("names no architecture") && said.contains("brownout layer publish"), "{said}");
    cloud.rewrite("layer = \"arn:aws:lambda:eu-central-1", "layer = \"arn:aws:lambda:us-east-1");
    let (code, said, errors) = cloud.brownout(&["plan", &file]);
    assert!(code == 2 && errors.contains("the layer is in `us-east-1` and the function in `eu-central-1`"), "{said}{errors}");
}
