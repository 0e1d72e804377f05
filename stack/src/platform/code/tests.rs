//! Code of every kind, in folders made for each test.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use super::*;
use blueprint::{Asynchronous, Layer, LogFormat};

fn function(code: blueprint::Code, runtime: Runtime) -> blueprint::Function {
    blueprint::Function {
        resource: "F".into(),
        name: "f".into(),
        code,
        runtime,
        handler: "index.handler".into(),
        layers: Vec::new(),
        memory_mb: 128,
        timeout: Duration::from_secs(3),
        reserved: None,
        variables: BTreeMap::new(),
        log_format: LogFormat::Text,
        asynchronous: Asynchronous::default(),
        url: None,
        aliases: Vec::new(),
    }
}

fn python() -> Runtime {
    Runtime::Managed(Managed::Python("python3.12".into()))
}

fn at(folder: &tempfile::TempDir, template: &str) -> Place {
    Place::new(Path::new("/programs"), &folder.path().join(template), folder.path().join("run"), BTreeMap::new())
}

fn write(folder: &tempfile::TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn inline_code_is_the_file_index_of_its_runtime() {
    let folder = tempfile::tempdir().unwrap();
    for (runtime, file) in [(python(), "index.py"), (Runtime::Managed(Managed::Node("nodejs22.x".into())), "index.js")] {
        let prepared = at(&folder, "").prepare(&function(blueprint::Code::Inline("text".into()), runtime)).unwrap();
        assert_eq!(std::fs::read_to_string(prepared.code.task_root().join(file)).unwrap(), "text", "{file}");
    }
    let refused = at(&folder, "").prepare(&function(blueprint::Code::Inline("text".into()), Runtime::Provided));
    assert!(matches!(refused, Err(CodeError::Inline)));
}

#[test]
fn a_shipped_function_is_its_own_program_or_the_one_of_all_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "programs/brownout-functions", "");
    write(&folder, "programs/users-api", "");
    let programs = folder.path().join("programs");
    let place = Place::new(&programs, &programs, folder.path().join("run"), BTreeMap::new());
    let program = |name: &str| match place.prepare(&function(blueprint::Code::Binary(name.into()), Runtime::Provided)).unwrap().code {
        Code::Provided(program) => program,
        other => panic!("{other:?}"),
    };
    assert_eq!(program("users-api"), programs.join("users-api"));
    for _ in 0..2 {
        let link = program("authorizer");
        assert_eq!(link.file_name().unwrap(), "authorizer");
        assert_eq!(std::fs::read_link(link).unwrap(), std::fs::canonicalize(&programs).unwrap().join("brownout-functions"));
    }
}

#[test]
fn code_outside_of_the_templates_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "secret/app.py", "");
    write(&folder, "project/src/app.py", "");
    symlink(folder.path().join("secret"), folder.path().join("project/link")).unwrap();
    let place = at(&folder, "project");
    let prepare = |path: &str| place.prepare(&function(blueprint::Code::Path(path.into()), python()));
    assert!(prepare("src/").is_ok());
    for outside in ["../secret", "link", "/etc", "src/../../secret"] {
        assert!(matches!(prepare(outside), Err(CodeError::Outside { .. })), "{outside}");
    }
    assert!(matches!(prepare("missing"), Err(CodeError::Missing(_))));
    assert!(matches!(prepare("src/app.py"), Err(CodeError::Kind(_))));
}

#[test]
fn what_sam_build_wrote_may_link_to_its_sources() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "project/src/app.py", "");
    std::fs::create_dir_all(folder.path().join("project/.aws-sam/build")).unwrap();
    symlink("../../src", folder.path().join("project/.aws-sam/build/F")).unwrap();
    let place = at(&folder, "project/.aws-sam/build");
    assert!(place.prepare(&function(blueprint::Code::Path("F".into()), python())).is_ok());
}

#[test]
fn a_bootstrap_is_looked_for_in_the_code_and_then_in_the_layers() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "own/bootstrap", "");
    write(&folder, "none/data", "");
    write(&folder, "layer/bootstrap", "");
    let place = at(&folder, "");
    let provided = |path: &str| function(blueprint::Code::Path(path.into()), Runtime::Provided);
    assert!(place.prepare(&provided("own")).is_ok());
    assert!(matches!(place.prepare(&provided("none")), Err(CodeError::Bootstrap(_))));
    let layered = blueprint::Function { layers: vec![Layer::Path("layer".into())], ..provided("none") };
    assert!(matches!(place.prepare(&layered).unwrap().code, Code::Bootstrap { .. }));
}

#[test]
fn an_archive_is_unpacked_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.path().join("code.zip")).unwrap());
    writer.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    writer.finish().unwrap();
    let place = at(&folder, "");
    let prepare = || place.prepare(&function(blueprint::Code::Path("code.zip".into()), Runtime::Provided)).unwrap();
    let (first, second) = (prepare(), prepare());
    assert_eq!(first, second);
    let mode = std::fs::metadata(first.code.task_root().join("bootstrap")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}

#[test]
fn a_layer_by_its_arn_comes_from_the_settings_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "src/index.py", "");
    write(&folder, "powertools/python/p.py", "");
    let arn = "arn:aws:lambda:us-east-1:017000801446:layer:Powertools:1".to_owned();
    let wanted = blueprint::Function { layers: vec![Layer::Arn(arn.clone())], ..function(blueprint::Code::Path("src".into()), python()) };
    let without = at(&folder, "").prepare(&wanted).unwrap();
    assert_eq!(without.opt, None);
    assert!(without.notices[0].contains(&arn) && without.notices[0].contains("[stack.layers]"), "{:?}", without.notices);
    let layers = BTreeMap::from([(arn, folder.path().join("powertools"))]);
    let place = Place::new(Path::new("/programs"), folder.path(), folder.path().join("run"), layers);
    let with = place.prepare(&wanted).unwrap();
    assert!(with.notices.is_empty() && with.opt.unwrap().join("python/p.py").is_file());
}
