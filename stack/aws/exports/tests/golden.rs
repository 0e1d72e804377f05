//! The exports of one experiment, byte by byte. `BROWNOUT_BLESS=1` rewrites the files; a reviewer
//! then reads the diff.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/example.rs"]
mod example;

use std::path::Path;

use exports::{Brought, File, LoadJob};

fn compare(folder: &str, files: &[File]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    if std::env::var_os("BROWNOUT_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for file in files {
            std::fs::write(folder.join(file.name), &file.text).unwrap();
        }
    }
    for file in files {
        let path = folder.join(file.name);
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == file.text, "{} is not what is written now; BROWNOUT_BLESS=1 writes it anew", path.display());
    }
    let mut kept: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut written: Vec<_> = files.iter().map(|file| file.name.to_owned()).collect();
    kept.sort();
    written.sort();
    assert_eq!(kept, written, "{}", folder.display());
}

#[test]
fn the_files_for_fis_match_the_golden_files() {
    compare("fis", &exports::fis(&example::experiment()).unwrap());
}

#[test]
fn the_files_for_a_game_day_match_the_golden_files() {
    compare("fis-game-day", &exports::fis_game_day(&example::game_day()).unwrap());
}

#[test]
fn the_policies_match_the_golden_files() {
    compare("iam-policy", &exports::iam_policy(&example::experiment()).unwrap());
}

#[test]
fn the_sam_template_matches_the_golden_file() {
    compare("sam", &exports::sam(&example::experiment()).unwrap());
}

#[test]
fn the_terraform_file_matches_the_golden_file() {
    compare("terraform", &exports::terraform(&example::experiment()).unwrap());
}

#[test]
fn the_jobs_of_a_load_match_the_golden_files() {
    let length = std::time::Duration::from_secs(125);
    let job = LoadJob { name: "shop".into(), file: "loads/shop.toml".into(), workers: 8, length };
    compare("slurm", &exports::slurm(&job));
    compare("batch", &exports::batch(&job));
    compare("kubernetes", &exports::kubernetes(&job));
    let brought = Brought {
        name: Brought::name(&job, 1_769_860_800),
        image: "registry.example.com/brownout:0.1.0".into(),
        arguments: ["load", &Brought::path("shop.toml"), "--worker", "--of", "8", "--out", Brought::OUT].map(str::to_owned).into(),
        files: [("shop.toml", "rows"), ("data/orders.csv", "id\n1\n")].map(|(path, text)| (path.to_owned(), text.into())).into(),
        variables: [("TOKEN".to_owned(), "secret".to_owned())].into(),
    };
    let written = |name, value| File { name, text: format!("{value:#}\n") };
    compare("kubernetes-workers", &[written("secret.json", brought.secret()), written("job.json", brought.job(&job))]);
}

#[test]
fn the_workflow_matches_the_golden_file() {
    compare("github-actions", &exports::github_actions(&["slow-authorizer".into(), "experiments/ours.toml".into()]));
}
