//! `brownout export slurm` on a Slurm of one machine, as Debian packages it, which this test starts and stops.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::load_workers::{Counting, each_once, file, report, result, text, wait_for};
use crate::support::{BROWNOUT, Share};

const WORKERS: u64 = 4;

/// A controller, the daemon of its one node, and what they know each other by. All listen on loopback alone.
struct Slurm {
    folder: tempfile::TempDir,
    daemons: Vec<Child>,
}

/// A program of Slurm or Munge; those of a system are not on every path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stderr), text(&output.stdout));
    text(&output.stdout).trim().to_owned()
}

impl Slurm {
    /// `None` on a machine without it, or on which it does not come up.
    fn start() -> Option<Self> {
        let [controller, node, munge] = [program("slurmctld")?, program("slurmd")?, program("munged")?];
        program("sbatch")?;
        let folder = tempfile::tempdir().unwrap();
        let mut slurm = Self { folder, daemons: Vec::new() };
        let at = |name: &str| slurm.folder.path().join(name);
        // Clients of other users would reach Munge by its socket.
        std::fs::set_permissions(slurm.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        ["state", "spool"].iter().for_each(|name| std::fs::create_dir(at(name)).unwrap());
        let mut key = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(at("munge.key")).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        key.write_all(&now.to_le_bytes().repeat(8)).unwrap();
        std::fs::write(at("slurm.conf"), slurm.settings()).unwrap();
        let file = |option: &str, name: &str| format!("--{option}={}", at(name).display());
        let mut keeper = Command::new(munge);
        keeper.args(["--foreground", "--force"]).args([
            file("socket", "munge"),
            file("key-file", "munge.key"),
            file("log-file", "munge.log"),
        ]);
        keeper.args([file("pid-file", "munge.pid"), file("seed-file", "munge.seed")]);
        slurm.begin(&mut keeper, "munge");
        let has_socket = |slurm: &Self| slurm.folder.path().join("munge").exists();
        slurm.comes("Munge", has_socket)?;
        slurm.begin(Command::new(controller).args(["-D", "-i"]), "controller");
        slurm.begin(Command::new(node).args(["-D", "-N", "here"]), "node");
        let is_idle =
            |slurm: &Self| slurm.asks("sinfo").args(["--noheader", "--format=%T"]).output().is_ok_and(|out| out.stdout == b"idle\n");
        slurm.comes("an idle node", is_idle)?;
        Some(slurm)
    }

    /// Waits for a part of Slurm; how this machine is set up is not what is tested.
    fn comes(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> Option<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            if Instant::now() > until {
                let logs = ["munge", "controller", "node"].map(|log| self.folder.path().join(log).with_extension("out"));
                let said: String = logs.iter().filter_map(|log| std::fs::read_to_string(log).ok()).collect();
                println!("Slurm does not come up here: {what} did not come\n{said}");
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(())
    }

    fn begin(&mut self, daemon: &mut Command, log: &str) {
        let log = std::fs::File::create(self.folder.path().join(log).with_extension("out")).unwrap();
        daemon.env("SLURM_CONF", self.folder.path().join("slurm.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemons.push(daemon.spawn().unwrap());
    }

    fn settings(&self) -> String {
        let (at, user) = (self.folder.path().display(), said(Command::new("id").arg("-un")));
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        format!(
            "ClusterName=brownout
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={}
SlurmdPort={}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={at}/munge
CredType=cred/munge
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool
SlurmctldPidFile={at}/controller.pid
SlurmdPidFile={at}/node.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SlurmdParameters=config_overrides
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs={}
PartitionName=all Nodes=here Default=YES
",
            free_port(),
            free_port(),
            WORKERS * 2,
            host = host.trim(),
        )
    }

    /// A command of a user.
    fn asks(&self, name: &str) -> Command {
        let mut command = Command::new(program(name).unwrap());
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf"));
        command
    }

    /// Submits a script, as its head says, in this folder; the job's number.
    fn submit(&self, script: &Path, folder: &Path) -> String {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 15;
        let programs = Path::new(BROWNOUT).parent().unwrap().display();
        let mut submit = self.asks("sbatch");
        submit.args(["--parsable", "--output=%a.out"]).arg(format!("--export=ALL,BROWNOUT_START_AT={start}")).arg(script);
        said(submit.current_dir(folder).env("PATH", format!("{programs}:/usr/bin:/bin")))
    }

    /// The command with an array that it submits, waits for and judges; Ctrl-C cancels it.
    fn command_has_an_array_run(&self) {
        let programs = Path::new(BROWNOUT).parent().unwrap().display();
        let begin = |server: &Counting, measured: u64| {
            let folder = tempfile::tempdir().unwrap();
            file(folder.path(), &server.url, measured);
            let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 15;
            let mut load = Command::new(BROWNOUT);
            load.args(["load", "shop.toml", "--out", "out", "--workers", &format!("slurm:{WORKERS}"), "--start-at", &start.to_string()]);
            load.env("SLURM_CONF", self.folder.path().join("slurm.conf")).env("PATH", format!("{programs}:/usr/bin:/bin"));
            load.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            (load.spawn().unwrap(), folder)
        };
        let server = Counting::start();
        let (load, folder) = begin(&server, 4);
        let output = load.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stderr), text(&output.stdout));
        each_once(&server, 250);
        assert_eq!(result(&folder.path().join("out"))["verdict"], "held");
        let server = Counting::start();
        let (load, _folder) = begin(&server, 300);
        wait_for("requests", || server.total() > 100);
        kill_process(Pid::from_child(&load), Signal::INT).unwrap();
        let output = load.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
        self.wait_for_the_end();
    }

    /// The report of an array to one of whose tasks something is done while it sends.
    fn cut_short(&self, act: impl Fn(&Self, &str, &Path)) -> (Output, tempfile::TempDir) {
        let server = Counting::start();
        let (folder, script) = exported(&server, 8);
        let job = self.submit(&script, folder.path());
        wait_for("requests", || server.total() > 100);
        act(self, &job, folder.path());
        self.wait_for_the_end();
        (report(&folder.path().join("shop-workers")), folder)
    }

    fn wait_for_the_end(&self) {
        wait_for("the end of all jobs", || self.asks("squeue").arg("--noheader").output().is_ok_and(|out| out.stdout.is_empty()));
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        // What jobs are left ends with the node's daemon, which gives them time.
        let _ = self.asks("scancel").args(["--full", "--state=RUNNING"]).stderr(Stdio::null()).status();
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// A load in a folder of its own, and its script.
fn exported(server: &Counting, measured: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), &server.url, measured);
    let mut export = Command::new(BROWNOUT);
    said(export.args(["export", "slurm", "shop.toml", "--workers", &WORKERS.to_string()]).current_dir(folder.path()));
    let script = folder.path().join("brownout-export/slurm/load.sbatch");
    (folder, script)
}

#[test]
fn an_array_of_slurm_sends_each_arrival_once_and_a_task_that_is_killed_is_named() {
    let _turn = Share::Place.take();
    let Some(slurm) = Slurm::start() else {
        println!("SKIPPED: Slurm (slurm-wlm and munge of Debian) is not there");
        return;
    };
    let server = Counting::start();
    let (folder, script) = exported(&server, 4);
    slurm.submit(&script, folder.path());
    slurm.wait_for_the_end();
    let tasks = || (0..WORKERS).map(|task| std::fs::read_to_string(folder.path().join(format!("{task}.out"))).unwrap_or_default());
    let told: String = tasks().collect();
    let output = report(&folder.path().join("shop-workers"));
    assert_eq!(output.status.code(), Some(0), "{}{}\n{told}", text(&output.stderr), text(&output.stdout));
    each_once(&server, 250);
    assert_eq!(result(&folder.path().join("shop-workers"))["verdict"], "held");

    slurm.command_has_an_array_run();

    // One task is cancelled, which it hears of; in the next array one is killed.
    let (output, _folder) = slurm.cut_short(|slurm, job, _| {
        said(slurm.asks("scancel").arg(format!("{job}_2")));
    });
    assert!(text(&output.stderr).contains("worker 2 was interrupted before its end"), "{}", text(&output.stderr));
    assert!(output.status.code() == Some(4) && text(&output.stdout).contains("\nnot-shown: "), "{}", text(&output.stdout));
    let (output, _folder) = slurm.cut_short(|_, _, folder| {
        let holder = std::fs::read_to_string(folder.join("shop-workers/worker-2/run.lock")).unwrap();
        kill_process(Pid::from_raw(holder.trim().parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    });
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    assert!(text(&output.stderr).contains("worker 2 was cut off: it began and did not end"), "{}", text(&output.stderr));
}
