//! What takes jobs of Slurm away: nodes, daemons, the controller, a stronger job, and signals at any moment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Folder, is_alive, wait_until};
use crate::slurm::{CLUSTER, ask, jobs, pipeline, run, statuses, tag, unique};

/// A step that says where it runs and waits.
fn waiting(name: &str) -> Folder {
    let folder = pipeline(&format!("{{{name}: {{retry_delay: 1s}}}}"));
    folder.step(
        name,
        &format!(
            "command: ': {name}; echo $SLURMD_NODENAME >> ../began; [ -e ../go ] || sleep 300'"
        ),
    );
    folder
}

fn node(folder: &Folder) -> Option<String> {
    let began = std::fs::read_to_string(folder.path().join("began")).ok()?;
    began.lines().last().map(str::to_owned)
}

fn set(node: &str, state: &str) {
    let node = format!("nodename={node}");
    ask(
        "scontrol",
        &["update", &node, &format!("state={state}"), "reason=test"],
    );
}

/// A node may have come back by itself.
fn resume(node: &str) {
    let node = format!("nodename={node}");
    let mut scontrol = Command::new("scontrol");
    scontrol
        .args(["update", &node, "state=resume"])
        .output()
        .unwrap();
}

fn wait_for_nodes() {
    wait_until("all nodes are there", || {
        let idle = ["--noheader", "--Node", "--partition=main", "--states=idle"];
        ask("sinfo", &idle).lines().count() == 3
    });
}

/// The folder of the cluster.
fn folder_of_cluster() -> PathBuf {
    let conf = std::env::var_os("SLURM_CONF").unwrap();
    Path::new(&conf).parent().unwrap().to_owned()
}

/// The processes of that name with these words in their arguments.
fn processes(name: &str, words: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_it = |pid: &i32| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        read("comm") == format!("{name}\n").into_bytes() && line.contains(words)
    };
    pids.filter(is_it).collect()
}

/// The daemons of this cluster among them: the machine may have a Slurm of its own.
fn daemons(name: &str, words: &str) -> Vec<i32> {
    let ours = std::fs::read_to_string(folder_of_cluster().join("daemons")).unwrap();
    let mut found = processes(name, words);
    found.retain(|pid| ours.lines().any(|line| line == format!("{pid} {name}")));
    found
}

fn kill(pids: &[i32]) {
    for pid in pids {
        Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap();
    }
}

/// Starts a daemon as `tests/slurm.sh` does, and notes its number where that looks for it.
fn start(name: &str, arguments: &[&str]) {
    let folder = folder_of_cluster();
    let script = format!(
        "\"$0\" \"$@\" >/dev/null 2>&1 </dev/null & echo \"$! $0\" >>{}/daemons",
        folder.display()
    );
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let status = Command::new("bash")
        .args(["-c", &script, name])
        .args(arguments)
        .env("PATH", path)
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_whose_node_is_lost_has_failed_and_is_tried_again() {
    let _cluster = CLUSTER.write();
    wait_for_nodes();
    let name = unique("lost");
    let folder = waiting(&name);
    let started = run(&folder, &[]).start();
    wait_until("the step runs", || node(&folder).is_some());
    let lost = node(&folder).unwrap();
    set(&lost, "down");
    let ended = started.end();
    resume(&lost);
    ended.ends(1);
    ended
        .says(&format!("error: step `{name}` "))
        .says(" is NODE_FAIL");
    assert_eq!(
        tag(&folder, &name, "pipeline.slurm_state").unwrap(),
        "NODE_FAIL"
    );
    assert_eq!(statuses(&folder), "FAILED FAILED");

    wait_for_nodes();
    let folder = waiting(&name);
    let started = run(&folder, &["--retries", "1"]).start();
    wait_until("the step runs", || node(&folder).is_some());
    let lost = node(&folder).unwrap();
    folder.file("go", "");
    set(&lost, "down");
    let ended = started.end();
    resume(&lost);
    ended.ends(0);
    ended
        .says(" is NODE_FAIL (log: ")
        .says("; retry 1 of 1 in 1s\n");
    assert_eq!(folder.read("began").lines().count(), 2);
    assert_eq!(statuses(&folder), "FAILED FINISHED FINISHED");
    assert_eq!(jobs(&name), [""; 0]);
    wait_for_nodes();
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_whose_node_dies_has_failed() {
    let _cluster = CLUSTER.write();
    wait_for_nodes();
    let name = unique("dies");
    let folder = waiting(&name);
    let started = run(&folder, &[]).start();
    wait_until("the step runs", || node(&folder).is_some());
    let lost = node(&folder).unwrap();
    // As when its power is gone: the daemon, what looks after the step, and the step.
    let id = ask("squeue", &["--noheader", "--format=%i %j"]);
    let id = id.lines().find(|line| line.contains(&name)).unwrap();
    let id = id.split_whitespace().next().unwrap();
    kill(&daemons("slurmd", &format!("-N {lost}")));
    kill(&processes("slurmstepd", &format!("[{id}.0]")));
    kill(&processes("bash", &format!("bash -c : {name};")));
    kill(&processes("bash", &format!(" {name}-")));
    let ended = started.end();
    start("slurmd", &["-D", "-N", &lost]);
    ended.ends(1);
    ended
        .says(&format!("error: step `{name}` was lost after "))
        .says(" is NODE_FAIL\n");
    assert_eq!(
        tag(&folder, &name, "pipeline.slurm_state").unwrap(),
        "NODE_FAIL"
    );
    assert_eq!(statuses(&folder), "FAILED FAILED");
    wait_for_nodes();
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_survives_the_controller_and_without_it_none_starts() {
    let _cluster = CLUSTER.write();
    wait_for_nodes();
    let name = unique("controller");
    let folder = pipeline(&format!("[{name}]"));
    folder.step(
        &name,
        "command: 'touch ../began; until [ -e ../go ]; do sleep 0.1; done; exit 5'",
    );
    let started = run(&folder, &[]).start();
    wait_until("the step runs", || folder.exists("began"));
    let controller = daemons("slurmctld", "-D");
    kill(&controller);
    wait_until("it is gone", || {
        !controller.iter().any(|pid| is_alive(&pid.to_string()))
    });

    let since = Instant::now();
    let other = pipeline("[s]");
    other.step("s", "command: touch ../ran");
    let refused = run(&other, &[]).run();
    refused.ends(1);
    refused
        .says("cannot ask Slurm: ")
        .says(" is DOWN\n    hint: wait for Slurm's controller");
    assert!(
        since.elapsed() < Duration::from_secs(15) && !other.exists("ran"),
        "{:?}",
        since.elapsed()
    );

    folder.file("go", "");
    start("slurmctld", &["-D"]);
    wait_until("it is back", || {
        let ping = Command::new("scontrol").arg("ping").output().unwrap();
        String::from_utf8_lossy(&ping.stdout).contains("is UP")
    });
    let ended = started.end();
    ended.ends(1);
    ended.says("failed with exit code 5");
    wait_for_nodes();
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_that_gives_way_is_tried_again() {
    let _cluster = CLUSTER.write();
    wait_for_nodes();
    let name = unique("weak");
    let folder = waiting(&name);
    let started = run(
        &folder,
        &["--retries", "1", "-c", r#"{"partition": "low"}"#],
    )
    .start();
    wait_until("the step runs", || node(&folder).is_some());
    folder.file("go", "");
    let strong = Command::new("srun")
        .args(["--quiet", "--nodes=3", "--exclusive", "sleep", "1"])
        .status();
    assert!(strong.unwrap().success());
    let ended = started.end();
    ended.ends(0);
    ended.says(" is PREEMPTED (log: ");
    assert_eq!(statuses(&folder), "FAILED FINISHED FINISHED");
}

/// A small generator of pseudo-random numbers (xorshift), so that a run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
#[ignore = "needs a Slurm"]
fn no_job_outlives_its_run_whenever_it_is_interrupted() {
    let _cluster = CLUSTER.read();
    let count = std::env::var("INTERRUPTIONS").map_or(20, |count| count.parse().unwrap());
    let mut random = Random(0x5EED_0000_0000_0001 | count);
    let (mut longest, mut running) = (Duration::ZERO, 0);
    for round in 0..count {
        let name = unique("cut");
        let folder = pipeline(&format!(
            "{{{name}: {{needs: []}}, {name}b: {{needs: []}}}}"
        ));
        let body = match random.below(3) {
            0 => "sleep 300",
            1 => "trap \"\" TERM INT HUP; while :; do sleep 0.1; done",
            _ => "while :; do echo prints; sleep 0.01; done",
        };
        for step in [name.clone(), format!("{name}b")] {
            folder.step(&step, &format!("command: '{body}'"));
        }
        let started = run(&folder, &["-j", "2", "--grace", "1s"]).start();
        std::thread::sleep(Duration::from_millis(random.below(700)));
        let signal = ["INT", "TERM", "HUP", "KILL"][usize::try_from(random.below(4)).unwrap()];
        started.signal(signal);
        let since = Instant::now();
        drop(started.end());
        // What the supervisors still do for one that was killed.
        wait_until(
            &format!("no job of round {round} ({signal}) is left"),
            || jobs(&name).is_empty(),
        );
        longest = longest.max(since.elapsed());
        if signal != "KILL" && folder.exists("mlflow.db") {
            running += statuses(&folder).matches("RUNNING").count();
        }
        // One that was about to be submitted would be there by now.
        assert_eq!(jobs(&name), [""; 0], "round {round} ({signal})");
    }
    println!(
        "{count} interruptions: 0 jobs left, {running} runs RUNNING, the longest stop took {longest:?}"
    );
    assert_eq!(running, 0);
}
