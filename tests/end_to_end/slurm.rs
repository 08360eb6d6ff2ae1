//! Steps as jobs of a real Slurm, which `tests/slurm.sh` starts: `bash .ci/run slurm`.

use std::process::{Command, Stdio};
use std::sync::RwLock;

use rusqlite::Connection;

use crate::harness::{Folder, Run, orchestrator, wait_until};

/// Held for writing by tests that take nodes or the controller away, and for reading by all others.
pub(crate) static CLUSTER: RwLock<()> = RwLock::new(());

/// The orchestrator with `--backend slurm`, on the cluster of the tests.
pub(crate) fn run<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    let arguments = [&["-b", "slurm"], arguments].concat();
    on_cluster(folder.orchestrator(&arguments))
}

pub(crate) fn on_cluster(run: Run<'_>) -> Run<'_> {
    let conf = std::env::var_os("SLURM_CONF").expect("`bash .ci/run slurm` sets SLURM_CONF");
    run.env("SLURM_CONF", conf)
}

pub(crate) fn pipeline(steps: &str) -> Folder {
    let folder = Folder::new();
    define(&folder, steps);
    folder
}

fn define(folder: &Folder, steps: &str) {
    folder.file(
        "MLproject",
        format!("name: demo\nenv_manager: local\nsteps: {steps}\n"),
    );
}

/// What one of Slurm's tools prints.
pub(crate) fn ask(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The jobs whose name begins like this that wait or run.
pub(crate) fn jobs(name: &str) -> Vec<String> {
    let format = "--format=%j %T %N";
    let listed = ask(
        "squeue",
        &["--noheader", "--states=PENDING,RUNNING,SUSPENDED", format],
    );
    let lines = listed.lines().filter(|line| line.starts_with(name));
    lines.map(str::to_owned).collect()
}

/// A tag of the newest run of a step.
pub(crate) fn tag(folder: &Folder, step: &str, key: &str) -> Option<String> {
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let of_step = "select tags.value from tags join runs on runs.run_uuid = tags.run_uuid \
                   join tags names on names.run_uuid = runs.run_uuid and names.key = 'pipeline.step' \
                   where names.value = ?1 and tags.key = ?2 order by runs.start_time desc limit 1";
    database
        .query_row(of_step, [step, key], |row| row.get(0))
        .ok()
}

pub(crate) fn metric(folder: &Folder, key: &str) -> Option<f64> {
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let query = "select value from metrics where key = ?1";
    database.query_row(query, [key], |row| row.get(0)).ok()
}

/// How all runs have ended, sorted.
pub(crate) fn statuses(folder: &Folder) -> String {
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let mut query = database.prepare("select status from runs").unwrap();
    let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut all: Vec<String> = rows.map(Result::unwrap).collect();
    all.sort();
    all.join(" ")
}

/// A name that no other test's jobs have.
pub(crate) fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}{}x{next}", std::process::id())
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_is_a_job_and_hands_all_on() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("{make: {env: {WORD: \"a 'b'\"}}, read: {backend: local}}");
    folder.step(
        "make",
        "parameters: {out: {default: ../out.txt}}\noutputs: [out]\n\
         command: 'echo \"$SLURM_JOB_NAME|$SLURM_NNODES|$SLURM_STEP_ID|$PWD|$WORD\" > {out}; \
         echo rows 3 >> $PIPELINE_METRICS; echo made'",
    );
    folder.step(
        "read",
        "parameters: {out: {default: ../out.txt}}\ninputs: [out]\ncommand: 'cat {out}; echo here: $SLURM_JOB_ID.'",
    );
    let ended = run(&folder, &[]).run();
    ended.ends(0);
    let out = ended.stdout();
    assert!(out.starts_with("made\nmake-"), "{out}");
    assert!(out.ends_with("|1|0|[DIR]/make|a 'b'\nhere: .\n"), "{out}");
    assert_eq!(folder.log("make"), "made\n");
    assert_eq!(metric(&folder, "rows"), Some(3.0));
    assert!(metric(&folder, "queued_seconds").is_some_and(|seconds| seconds < 30.0));
    assert_eq!(
        tag(&folder, "make", "pipeline.slurm_state").unwrap(),
        "COMPLETED"
    );
    let id = tag(&folder, "make", "pipeline.slurm_job_id").unwrap();
    assert!(id.parse::<u32>().is_ok(), "{id}");
    assert_eq!(
        tag(&folder, "make", "mlflow.project.backend").unwrap(),
        "slurm"
    );
    assert_eq!(tag(&folder, "read", "pipeline.slurm_job_id"), None);
    assert!(!folder.exists("mlruns/.attempts"));
    // And nothing of it where a step runs here.
    let local = on_cluster(folder.orchestrator(&["-b", "local"])).run();
    local.ends(0);
    assert!(
        local.stdout().contains("|||[DIR]/make|a 'b'"),
        "{}",
        local.stdout()
    );
}

#[test]
#[ignore = "needs a Slurm"]
fn an_exit_code_is_that_of_the_command() {
    let _cluster = CLUSTER.read();
    for (command, said) in [
        ("exit 7", "failed with exit code 7"),
        ("exit 255", "failed with exit code 255"),
        ("kill -KILL $$", "failed with exit code 137"),
        ("kill -SEGV $$", "failed with exit code 139"),
        ("nothing-of-that-name", "failed with exit code 127"),
    ] {
        let folder = pipeline("[s]");
        folder.step("s", &format!("command: '{command}'"));
        let ended = run(&folder, &[]).run();
        ended.ends(1);
        let ended = ended.says(&format!("error: step `s` {said} after"));
        // Slurm's own word says no more than the code.
        assert!(!ended.stderr().contains("its job"), "{}", ended.stderr());
        assert_eq!(tag(&folder, "s", "pipeline.slurm_state").unwrap(), "FAILED");
        assert_eq!(statuses(&folder), "FAILED FAILED");
    }
}

#[test]
#[ignore = "needs a Slurm"]
fn a_command_arrives_as_it_is() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("[s]");
    folder.step(
        "s",
        "parameters: {text: {default: x}}\ncommand: 'printf %s {text}'",
    );
    let special = "a 'b' \"c\" $HOME $((1+1)) `id` \\ \n\t*?[x] %d ; & | > ü";
    run(&folder, &["-P", &format!("text={special}")])
        .run()
        .succeeds(special);
    let long = "'x$y".repeat(6_000);
    run(&folder, &["-P", &format!("text={long}")])
        .run()
        .succeeds(&long);
}

#[test]
#[ignore = "needs a Slurm"]
fn what_slurm_would_never_run_is_told_before_the_first_step() {
    let _cluster = CLUSTER.read();
    let folder = pipeline(
        "{a: , b: {resources: {cpus: 64}}, c: {resources: {memory: 900G}}, d: {resources: {gpus: 9}}, e: {resources: {cpus: 64}}}",
    );
    for step in ["a", "b", "c", "d", "e"] {
        folder.step(step, "command: touch ../ran");
    }
    for action in [&["--check"][..], &["--dry-run"], &[]] {
        let ended = run(&folder, action).run();
        ended.ends(1);
        ended
            .says("error: 3 problems; nothing was run\n")
            .says("  step `b`: Slurm refuses its job, and that of 1 other step: Requested node configuration is not available (`srun --nodes=1 --ntasks=1 --cpus-per-task=64`)")
            .says("  step `c`: Slurm refuses its job: ")
            .says("--mem=921600M`)")
            .says("  step `d`: Slurm refuses its job: ")
            .says("--gpus=9`)");
    }
    let partition = r#"{"partition": "nope"}"#;
    let ended = run(&folder, &["a", "-c", partition]).run();
    ended.ends(1);
    ended.says("step `a`: Slurm refuses its job: Invalid partition name specified");
    assert!(!folder.exists("ran") && !folder.exists("mlruns"));
}

#[test]
#[ignore = "needs a Slurm"]
fn a_config_and_resources_choose_what_a_job_gets() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("{a: {resources: {cpus: 2, memory: 300M, gpus: 1}}, b: }");
    folder.file(
        "conf/slurm.json",
        r#"{"partition": "low", "environment": ["A=1"], "mem": "200"}"#,
    );
    let text = folder.read("MLproject");
    folder.file(
        "MLproject",
        text + "backend: slurm\nbackend_config: conf/slurm.json\n",
    );
    let show =
        "command: 'echo $SLURM_JOB_PARTITION $SLURM_CPUS_PER_TASK [$CUDA_VISIBLE_DEVICES] $A'";
    folder.step("a", show).step("b", show);
    let ended = on_cluster(folder.orchestrator(&[])).run();
    ended.succeeds("low 2 [0] 1\nlow [] 1\n");
    // What the command line names counts instead, from where it is typed.
    let arguments = ["-C", "..", "--backend-config", "../c.json", "b"];
    folder.file(
        "c.json",
        r#"{"exclusive": true, "sbatch-script-file": "x.sh"}"#,
    );
    let ended = on_cluster(folder.orchestrator(&arguments))
        .inside("conf")
        .run();
    ended.ends(0);
    ended
        .prints("main ")
        .says("`sbatch-script-file` of the backend config is ignored");
    let several = r#"{"nodes": 2}"#;
    let ended = on_cluster(folder.orchestrator(&["b", "-c", several])).run();
    ended.ends(0);
    // The command runs in each task.
    assert_eq!(
        ended.stdout().matches("main").count(),
        2,
        "{}",
        ended.stdout()
    );
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_has_its_chance_to_tidy_up() {
    let _cluster = CLUSTER.read();
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let name = unique("tidy");
        let folder = pipeline(&format!("[{name}]"));
        folder.step(
            &name,
            "command: 'trap \"sleep 1; echo tidied; touch ../tidied; exit 3\" TERM; touch ../began; sleep 60 & wait'",
        );
        let started = run(&folder, &["--grace", "20s"]).start();
        wait_until("the step runs", || folder.exists("began"));
        started.signal(signal);
        let ended = started.end();
        ended.was_stopped_by(number);
        assert!(
            folder.exists("tidied") && ended.stdout().contains("tidied"),
            "{ended:?}"
        );
        assert_eq!(statuses(&folder), "KILLED KILLED");
        assert_eq!(jobs(&name), [""; 0]);
    }
}

#[test]
#[ignore = "needs a Slurm"]
fn a_job_ends_with_the_run_whatever_ends_that() {
    let _cluster = CLUSTER.read();
    let stubborn = "command: 'trap \"\" TERM INT HUP; touch ../began; while :; do sleep 0.1; done'";
    for signal in ["TERM", "KILL"] {
        let name = unique("stubborn");
        let folder = pipeline(&format!("[{name}]"));
        folder.step(&name, stubborn);
        let started = run(&folder, &["--grace", "500ms"]).start();
        wait_until("the step runs", || folder.exists("began"));
        assert_eq!(jobs(&name).len(), 1);
        started.signal(signal);
        let ended = started.end();
        wait_until("the job has ended", || jobs(&name).is_empty());
        if signal == "TERM" {
            ended.was_stopped_by(15);
            assert_eq!(statuses(&folder), "KILLED KILLED");
        }
    }
}

#[test]
#[ignore = "needs a Slurm"]
fn a_job_that_waits_is_told_of_and_ends_at_once() {
    let _cluster = CLUSTER.read();
    let name = unique("waits");
    let folder = pipeline(&format!("[{name}]"));
    folder.step(&name, "command: touch ../ran");
    // It waits for its time, whatever others have.
    let later = r#"{"extra": ["--begin=now+1hour"]}"#;
    let started = run(&folder, &["-c", later, "--grace", "1min"])
        .stderr(std::fs::File::create(folder.path().join("said")).unwrap())
        .start();
    wait_until("it is told", || {
        folder.read("said").contains(": queued (BeginTime)\n")
    });
    let [job] = jobs(&name).try_into().unwrap();
    assert!(job.contains("PENDING"), "{job}");
    let since = std::time::Instant::now();
    started.signal("INT");
    started.end().was_stopped_by(2);
    assert!(
        since.elapsed().as_secs() < 20,
        "what waits has nothing to tidy up"
    );
    assert!(jobs(&name).is_empty() && !folder.exists("ran"));
    assert_eq!(statuses(&folder), "KILLED KILLED");

    // One that gets its node is told to run there.
    let started = run(&folder, &["-c", later])
        .stderr(std::fs::File::create(folder.path().join("said")).unwrap())
        .start();
    wait_until("it is told", || {
        folder.read("said").contains(": queued (BeginTime)\n")
    });
    let id = ask("squeue", &["--noheader", "--format=%i %j"]);
    let id = id.lines().find(|line| line.contains(&name)).unwrap();
    let id = id.split_whitespace().next().unwrap();
    ask(
        "scontrol",
        &["update", &format!("jobid={id}"), "starttime=now"],
    );
    started.end().ends(0);
    assert!(folder.exists("ran"));
}

#[test]
#[ignore = "needs a Slurm"]
fn a_timeout_is_slurms() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("{s: {timeout: 2s, retries: 0}}");
    folder.step("s", "command: sleep 300");
    let ended = run(&folder, &[]).run();
    ended.ends(1);
    ended.says("is TIMEOUT");
    assert_eq!(
        tag(&folder, "s", "pipeline.slurm_state").unwrap(),
        "TIMEOUT"
    );
    assert_eq!(statuses(&folder), "FAILED KILLED");
}

#[test]
#[ignore = "needs a Slurm"]
fn what_is_up_to_date_is_no_job() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("[s]");
    let name = "parameters: {out: {default: ../out.txt}}\noutputs: [out]\ninputs: []\ncommand: 'echo made; echo 1 > {out}'";
    folder.step("s", name);
    run(&folder, &["--cached"]).run().succeeds("made\n");
    run(&folder, &["--cached"]).run().succeeds("");
    run(&folder, &["--cached", "--force", "--no-tracking"])
        .run()
        .succeeds("made\n");
    assert!(!folder.exists("mlruns/.attempts"));
}

#[test]
#[ignore = "needs a Slurm"]
fn many_steps_at_once_and_two_pipelines() {
    let _cluster = CLUSTER.read();
    let folders = [200, 20].map(|count| {
        let names: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
        let entries = names
            .iter()
            .map(|name| format!("{name}: {{project: one, needs: []}}"));
        let folder = pipeline(&format!("{{{}}}", entries.collect::<Vec<_>>().join(", ")));
        folder.step("one", "command: 'echo \"$SLURM_JOB_ID\" >> ../ran'");
        folder
    });
    let runs = folders
        .each_ref()
        .map(|folder| run(folder, &["-j", "8"]).start());
    for started in runs {
        started.end().ends(0);
    }
    for (folder, count) in folders.iter().zip([200, 20]) {
        let ran = folder.read("ran");
        let mut jobs: Vec<&str> = ran.lines().collect();
        jobs.sort_unstable();
        jobs.dedup();
        assert_eq!(jobs.len(), count, "each step is a job of its own");
    }
}

#[test]
#[ignore = "needs a Slurm"]
fn what_a_network_file_system_shows_late_is_waited_for() {
    let _cluster = CLUSTER.read();
    // On a file system that is none of a local disk, as far as anybody can tell.
    let shared = std::env::var_os("SHARED").expect("`bash .ci/run slurm` sets SHARED");
    let folder = Folder::new_in(std::path::Path::new(&shared));
    let name = unique("late");
    define(&folder, &format!("[{name}]"));
    folder.step(
        &name,
        "parameters: {out: {default: ../out.txt}}\noutputs: [out]\ncommand: 'echo ran; touch ../ran'",
    );
    let started = run(&folder, &[]).start();
    wait_until("the step has run", || folder.exists("ran"));
    wait_until("nobody waits for the job", || {
        let lines = std::fs::read_dir("/proc").unwrap().flatten();
        let mut lines = lines.filter_map(|it| std::fs::read(it.path().join("cmdline")).ok());
        let option = format!("--job-name={name}-");
        !lines.any(|line| String::from_utf8_lossy(&line).contains(&option))
    });
    folder.file("out.txt", "late");
    let ended = started.end().succeeds("ran\n");
    ended.says("mlflow.db is on a network file system: steps that log to MLflow themselves need");
}

/// Runs a script as a job of four processors on the cluster.
fn in_job(folder: &Folder, script: &str) -> String {
    folder.file("job.sh", script);
    let output = Command::new("salloc")
        .args(["--quiet", "--ntasks=4", "bash", "job.sh"])
        .current_dir(folder.path())
        .env("ORCHESTRATOR", orchestrator())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a Slurm"]
fn inside_of_a_job_steps_are_jobs_of_their_own_or_steps_of_that() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("{a: {needs: []}, b: {needs: []}, c: {needs: []}}");
    for step in ["a", "b", "c"] {
        folder.step(step, "command: 'echo \"$SLURM_JOB_ID $SLURM_STEP_ID\"'");
    }
    let own = in_job(&folder, "echo $SLURM_JOB_ID; exec $ORCHESTRATOR -b slurm\n");
    let lines: Vec<&str> = own.lines().collect();
    let [outer, steps @ ..] = lines.as_slice() else {
        panic!("{own}")
    };
    assert_eq!(steps.len(), 3, "{own}");
    assert!(
        steps
            .iter()
            .all(|step| step.ends_with(" 0") && !step.starts_with(outer)),
        "{own}"
    );

    let config = r#"'{"allocation": true}'"#;
    let text = format!("echo $SLURM_JOB_ID; exec $ORCHESTRATOR -b slurm -j 3 -c {config} 2>said\n");
    let steps = in_job(&folder, &text);
    let outer = steps.lines().next().unwrap();
    let mut numbers: Vec<&str> = steps
        .lines()
        .skip(1)
        .filter_map(|it| it.split(" | ").last())
        .collect();
    numbers.sort_unstable();
    let expected = ["0", "1", "2"].map(|step| format!("{outer} {step}"));
    assert_eq!(numbers, expected, "{}", folder.read("said"));
    // There has to be one.
    let ended = run(&folder, &["-c", r#"{"allocation": true}"#]).run();
    ended.ends(1);
    ended.says("`allocation` is true, but this is not inside of a job of Slurm");
}

#[test]
#[ignore = "needs a Slurm"]
fn a_step_of_the_job_that_we_are_in_is_stopped_alone() {
    let _cluster = CLUSTER.read();
    let folder = pipeline("[s]");
    folder.step(
        "s",
        "command: 'trap \"touch ../tidied; exit 3\" TERM; touch ../began; sleep 60 & wait'",
    );
    let config = r#"'{"allocation": true}'"#;
    let script = format!(
        "$ORCHESTRATOR -b slurm -c {config} & until [ -e began ]; do sleep 0.05; done; kill -TERM $!; \
         wait $!; echo $?; srun -n1 -N1 echo 'the job lives'\n"
    );
    assert_eq!(in_job(&folder, &script), "143\nthe job lives\n");
    assert!(folder.exists("tidied"));
    // Those that do not heed, and those that do not run yet, as the job has no place for them.
    let folder = pipeline("{a: {needs: []}, b: {needs: []}}");
    let stubborn = "command: 'trap \"\" TERM; touch ../began; while :; do sleep 0.1; done'";
    folder.step("a", stubborn).step("b", stubborn);
    let config = r#"'{"allocation": true, "ntasks": 4}'"#;
    let script = format!(
        "$ORCHESTRATOR -b slurm -j 2 --grace 500ms -c {config} >&2 & until [ -e began ]; do sleep 0.05; done; \
         kill -TERM $!; wait $!; echo $?; srun -n1 -N1 echo 'the job lives'\n"
    );
    assert_eq!(in_job(&folder, &script), "143\nthe job lives\n");
}

#[test]
#[ignore = "needs a Slurm"]
fn srun_in_a_step_that_runs_here_leaves_no_job() {
    let _cluster = CLUSTER.read();
    let name = unique("plain");
    let folder = pipeline("[s]");
    folder.step(
        "s",
        &format!("command: 'srun --job-name={name} bash -c \"trap : TERM; touch ../began; sleep 300 & wait; wait\"'"),
    );
    for signal in ["INT", "TERM", "KILL"] {
        std::fs::remove_file(folder.path().join("began")).ok();
        let started = on_cluster(folder.orchestrator(&["--grace", "300ms"])).start();
        wait_until("the step runs", || folder.exists("began"));
        started.signal(signal);
        drop(started.end());
        wait_until("the job has ended", || jobs(&name).is_empty());
    }
}
