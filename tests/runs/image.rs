//! The container image of the workers: its program needs nothing beside it, and is where the exported jobs look.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use exports::LoadJob;

use crate::load_workers::{Counting, each_once, file, report, result, text};
use crate::support::{BROWNOUT, Share};

/// Where the image has its program, and its `PATH`, by the last stage of the container file.
fn image() -> (PathBuf, String) {
    let all = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let last = all.split("\nFROM scratch\n").nth(1).unwrap();
    // Batch appends its command to an entry point, which would be the program a second time.
    assert!(!last.contains("ENTRYPOINT") && !last.contains("RUN"), "{last}");
    let after = |words: &str| last.lines().find_map(|line| line.strip_prefix(words)).unwrap().to_owned();
    (after("COPY --from=build /program ").into(), after("ENV PATH="))
}

/// A root as of the image. What the program of these tests shares, and that of the image does not, is in it too.
fn root(program: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        let to = root.path().join(to.strip_prefix("/").unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
    };
    copy(Path::new(BROWNOUT), program);
    let shared = text(&Command::new("ldd").arg(BROWNOUT).output().unwrap().stdout);
    shared.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new).for_each(|library| copy(library, library));
    std::fs::create_dir(root.path().join("load")).unwrap();
    root
}

/// Program and arguments of the container of a Kubernetes job.
fn command(job: &LoadJob) -> Vec<String> {
    let manifest = exports::kubernetes(job).remove(0).text;
    let list = |key: &str| {
        let rest = manifest.split(&format!("{key}:\n")).nth(1).unwrap();
        rest.lines().map_while(|line| line.trim().strip_prefix("- ")).map(|item| item.trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    [list("command"), list("args")].concat()
}

#[test]
fn a_worker_of_an_exported_job_needs_nothing_but_the_image_and_the_shared_folder() {
    let is_able = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).stdout(Stdio::null()).status().is_ok_and(|it| it.success())
    };
    if !is_able("unshare", &["--map-root-user", "--root=/", "true"]) || !is_able("ldd", &["--version"]) {
        eprintln!("SKIPPED: `unshare` may not change the root here, or there is no `ldd`");
        return;
    }
    let _turn = Share::Place.take();
    let (server, (program, path)) = (Counting::start(), image());
    let root = root(&program);
    let shared = root.path().join("load");
    file(&shared, &server.url, 4);
    let job = LoadJob { name: "shop".to_owned(), file: "shop.toml".to_owned(), workers: 2, length: Duration::from_secs(5) };
    let start_at = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 10).to_string();
    let worker = |index: &str| {
        let mut worker = Command::new("unshare");
        worker.arg("--map-root-user").arg(format!("--root={}", root.path().display())).args(command(&job));
        worker.env_clear().env("PATH", &path).env("JOB_COMPLETION_INDEX", index).env("BROWNOUT_START_AT", &start_at);
        worker.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for worker in ["0", "1"].map(worker) {
        let output = worker.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    each_once(&server, 250);
    let out = shared.join("shop-workers");
    assert_eq!(report(&out).status.code(), Some(0));
    assert_eq!(result(&out)["verdict"], "held");
}
