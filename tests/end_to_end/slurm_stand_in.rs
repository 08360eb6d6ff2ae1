//! Steps on Slurm as far as no Slurm is needed: what is wrong before it is asked, and what becomes of its
//! answers, by stand-ins for its programs.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::harness::{Ended, Folder, orchestrator};

/// A pipeline with one step, and a folder of programs that is all of PATH beside the system's own.
fn pipeline() -> (Folder, PathBuf) {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local\nsteps: [s]");
    folder.step("s", "command: 'echo ran > ../ran'");
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let of_system = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("bash"))
        .find(|bash| bash.exists());
    std::os::unix::fs::symlink(of_system.unwrap(), bin.join("bash")).unwrap();
    std::os::unix::fs::symlink(orchestrator(), bin.join("orchestrator")).unwrap();
    (folder, bin)
}

/// A program that notes its name and arguments, and does what the lines say.
fn stand_in(folder: &Folder, name: &str, lines: &str) {
    let text = format!(
        "#!/bin/bash\nPATH=/usr/bin:/bin\necho \"{name} $*\" >> \"{}/asked\"\n{lines}\n",
        folder.path().display()
    );
    folder.file(&format!("bin/{name}"), text);
    let file = folder.path().join("bin").join(name);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A cluster whose only node is this machine.
pub(crate) fn cluster(folder: &Folder) {
    stand_in(folder, "scontrol", "echo Slurmctld is UP");
    stand_in(
        folder,
        "srun",
        "[ \"$1\" != --test-only ] || exit 0\nwhile [ \"$1\" != bash ]; do shift; done\n\
         export SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_JOB_ID=17 SLURMD_NODENAME=n\nexec \"$@\"",
    );
}

fn run((folder, bin): &(Folder, PathBuf), arguments: &[&str]) -> Ended {
    let arguments = [&["-b", "slurm"], arguments].concat();
    folder.orchestrator(&arguments).env("PATH", bin).run()
}

#[test]
fn without_srun_no_step_starts() {
    let pipeline = pipeline();
    for action in [&["--check"][..], &[]] {
        run(&pipeline, action).fails(
            1,
            "error: 1 problem; nothing was run\n  \
             `--backend slurm` runs steps by `srun`, which is not on PATH\n    \
             hint: start the pipeline where Slurm's commands are, or run the steps here: `--backend local`\n",
        );
    }
    // One that stays here needs none.
    let (folder, _) = &pipeline;
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {s: {backend: local}}",
    );
    run(&pipeline, &["--no-tracking"]).ends(0);
    assert_eq!(folder.read("ran"), "ran\n");
}

#[test]
fn a_config_is_read_before_slurm_is_asked() {
    let pipeline = pipeline();
    let (folder, _) = &pipeline;
    stand_in(folder, "srun", "");
    for (config, said) in [
        ("none.json", "  cannot read the backend config none.json: "),
        (
            r#"{"partiton": "x"}"#,
            "`partiton` is not a key of a Slurm config\n    hint: did you mean `partition`?",
        ),
        (
            r#"{"extra": ["--prolog=/tmp/x"]}"#,
            "`extra` cannot have `--prolog=/tmp/x`",
        ),
    ] {
        let ended = run(&pipeline, &["-c", config]);
        ended.ends(1);
        ended.says(said);
    }
    assert!(!folder.exists("asked") && !folder.exists("ran"));
    // The definition's own is relative to its folder.
    folder.file(
        "MLproject",
        "env_manager: local\nbackend_config: conf/s.json\nsteps: [s]",
    );
    folder.file("conf/s.json", "[]");
    let ended = run(&pipeline, &[]);
    ended.ends(1);
    ended.says("conf/s.json should be a JSON object, such as {\"partition\": \"gpu\"}: it is another value");
}

#[test]
fn the_plan_shows_what_a_job_asks_for() {
    let pipeline = pipeline();
    let (folder, _) = &pipeline;
    stand_in(folder, "srun", "exit 0");
    stand_in(folder, "scontrol", "echo Slurmctld is UP");
    let config = r#"{"partition": "gpu", "time": 5}"#;
    let ended = run(&pipeline, &["-c", config, "--timeout", "61s", "--dry-run"]);
    ended.ends(0);
    ended.prints("   on Slurm: srun --nodes=1 --ntasks=1 --partition=gpu --time=5 --time=2\n");
    let json = run(&pipeline, &["--dry-run", "--format", "json"]).json();
    assert_eq!(
        json["steps"][0]["slurm"],
        serde_json::json!(["--nodes=1", "--ntasks=1"])
    );
    let expected = "scontrol ping\nsrun --test-only --nodes=1 --ntasks=1 --partition=gpu --time=5 --time=2 true\n";
    assert!(
        folder.read("asked").starts_with(expected),
        "{}",
        folder.read("asked")
    );
    assert!(!folder.exists("mlruns"));
}

#[test]
fn srun_alone_is_not_believed() {
    let pipeline = pipeline();
    let (folder, _) = &pipeline;
    stand_in(folder, "scontrol", "echo Slurmctld is UP");
    stand_in(folder, "scancel", "");
    // As when a node dies: nothing runs to its end, and all is well.
    stand_in(folder, "srun", "exit 0");
    stand_in(folder, "squeue", "echo 17 NODE_FAIL NodeDown");
    let ended = run(&pipeline, &[]);
    ended.ends(1);
    ended.says("error: step `s` was lost after [TIME]: its job 17 is NODE_FAIL\n");
    let asked = folder.read("asked");
    assert!(asked.contains("\nscancel --quiet --user="), "{asked}");
    assert!(!folder.exists("ran") && !folder.exists("mlruns/.attempts"));
    // Nor is a job of which nothing is known any more.
    stand_in(folder, "squeue", "");
    let ended = run(&pipeline, &[]);
    ended.ends(1);
    ended.says("was lost after [TIME]: nothing is known of its job\n");
    // What ended by itself is told by its code, and by Slurm's word where that says more.
    stand_in(folder, "srun", "[ \"$1\" = --test-only ] || exit 1");
    for (state, said) in [
        (
            "17 FAILED NonZeroExitCode",
            "failed with exit code 1 after [TIME]\n",
        ),
        (
            "17 OUT_OF_MEMORY OutOfMemory",
            "failed with exit code 1 after [TIME]: its job 17 is OUT_OF_MEMORY\n",
        ),
    ] {
        stand_in(folder, "squeue", &format!("echo {state}"));
        let ended = run(&pipeline, &[]);
        ended.ends(1);
        ended.says(said);
    }
}

#[test]
fn a_job_is_well_when_its_node_says_so() {
    let pipeline = pipeline();
    let (folder, _) = &pipeline;
    cluster(folder);
    run(&pipeline, &[]).ends(0);
    assert_eq!(folder.read("ran"), "ran\n");
    assert_eq!(
        crate::slurm::tag(folder, "s", "pipeline.slurm_job_id").unwrap(),
        "17"
    );
    assert!(!folder.exists("mlruns/.attempts"));
}
