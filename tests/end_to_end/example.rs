//! The example `titanic` of the orchestrator: steps in C++, R, Python and Java, run as its README says.
//!
//! With the real tools: `bash .ci/run example`. `TITANIC_CSV` names the real data set; else the sample
//! stands for it, and then what the README shows of its figures is not compared.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::example_values::{Values, has_models};
use crate::harness::{Ended, Folder, Server, repository};
use crate::tracking::{Run, runs};
use crate::venv::with_tools;

const STEPS: [&str; 6] = [
    "data_download",
    "data_cleaning",
    "train_small",
    "train_large",
    "evaluate",
    "inference",
];

fn place() -> PathBuf {
    repository().join("orchestrator/examples/titanic")
}

fn sample() -> PathBuf {
    repository().join("tests/data/titanic_sample.csv")
}

/// The example without what its runs leave, in a folder.
fn copy() -> Folder {
    let folder = Folder::new();
    let words = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listed = Command::new("git")
        .args(words)
        .current_dir(place())
        .output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    for name in listed.split_terminator('\0') {
        folder.file(name, std::fs::read(place().join(name)).unwrap());
    }
    folder
}

#[test]
fn the_example_can_be_planned() {
    let folder = copy();
    let sample = sample();
    let data = ["--data_url", sample.to_str().unwrap()];
    folder
        .orchestrator(&["--check", data[0], data[1]])
        .run()
        .succeeds("");
    let graph = "data_download
data_cleaning ← data_download
train_small   ← data_cleaning
train_large   ← data_cleaning
evaluate      ← data_cleaning, train_small, train_large
inference     ← data_cleaning, evaluate
";
    folder.orchestrator(&["--graph"]).run().succeeds(graph);
    let arguments = ["--dry-run", "-P", "config.large.C=0.5", data[0], data[1]];
    let ended = folder.orchestrator(&arguments).run();
    ended.ends(0);
    let plan = ended.stdout();
    for command in [
        "Rscript data_cleaning.R ../raw_data.csv ../train_data.csv ../test_data.csv 5",
        "--columns Female,Pclass --C 1.0",
        "--columns Female,Pclass,Age,SibSp,Parch,Fare --C 0.5",
    ] {
        assert!(plan.contains(command), "{command} is not in\n{plan}");
    }
}

/// The example with its data on a server, and where its environments are.
struct Example {
    folder: Folder,
    server: Server,
    raw: String,
    environments: PathBuf,
}

impl Example {
    fn new() -> Example {
        let (folder, data) = (copy(), real_data().unwrap_or_else(sample));
        let raw = std::fs::read_to_string(data).unwrap();
        let server = Server::new(raw.as_str());
        let config = folder.read("config.yaml");
        let url = config
            .lines()
            .find_map(|line| line.trim().strip_prefix("url: "));
        let config = config.replace(url.unwrap(), &server.url("titanic.csv"));
        folder.file("config.yaml", config);
        let environments = std::env::var_os("MLFLOW_ENV_ROOT").expect("the job names a folder");
        Example {
            folder,
            server,
            raw,
            environments: environments.into(),
        }
    }

    /// Runs a script as somebody would type it here.
    fn sh(&self, script: &str) -> Ended {
        with_tools(self.folder.program_in_path("bash", &["-ec", script]))
            .env("MLFLOW_ENV_ROOT", &self.environments)
            .env("no_proxy", "127.0.0.1")
            .run()
    }

    /// All runs so far.
    fn runs(&self) -> Vec<Run> {
        runs(&self.folder.path().join("mlflow.db"))
    }

    /// Runs a script and asserts which steps it runs.
    fn runs_only(&self, script: &str, steps: &[&str]) -> Ended {
        let ended = self.sh(script);
        ended.ends(0);
        let said = ended.stderr();
        let is_running = |step: &&str| said.contains(&format!("] {step}: running"));
        let running: Vec<&str> = STEPS.into_iter().filter(is_running).collect();
        assert_eq!(running, steps, "{said}");
        let left_out = said.matches(": up to date, made ").count();
        assert_eq!(left_out, STEPS.len() - steps.len(), "{said}");
        ended
    }

    /// The interpreter of the trainings.
    fn python(&self) -> PathBuf {
        let made = std::fs::read_dir(&self.environments).unwrap();
        let mut pythons = made.map(|entry| entry.unwrap().path().join("bin/python"));
        pythons.find(|python| python.exists()).unwrap()
    }
}

fn real_data() -> Option<PathBuf> {
    std::env::var_os("TITANIC_CSV").map(PathBuf::from)
}

/// A first run, with the environment there before, and how long it took.
fn first_run(command: &str) -> (Example, Ended, Duration) {
    loop {
        let example = Example::new();
        let start = Instant::now();
        let ended = example.runs_only(command, &STEPS);
        if !ended.stderr().contains("): made in ") {
            return (example, ended, start.elapsed());
        }
    }
}

#[test]
#[ignore = "needs R, Java, libcurl and packages of Python"]
fn the_example_does_what_its_readme_says() {
    let blocks = blocks();
    let [run, again, changed, sweep, table, copies] = blocks.as_slice() else {
        panic!("{blocks:?}");
    };
    let (example, ended, took) = first_run(&run.script);
    run.shows(&ended);
    Values::of(&example.raw, 5).check(&example.folder, &example.runs());
    the_trainings_overlap(&example.runs());
    has_models(&example.folder, &["train_small", "train_large"]);
    let own = own_time(&example.runs());
    eprintln!("first run {took:?}, its steps {own:?}");
    assert!(took <= own.mul_f64(1.1));

    again.shows(&example.runs_only(&again.script, &[]));
    let times = (0..10).map(|_| {
        let start = Instant::now();
        example.runs_only("orchestrator -j 2 --cached", &[]);
        start.elapsed()
    });
    let fastest = times.min().unwrap();
    eprintln!("nothing changed: {fastest:?}");
    assert!(fastest <= Duration::from_millis(50));

    // The best model stays what it is, so nothing has to be predicted anew.
    let best = example.folder.read("best_model.csv");
    changed.shows(&example.runs_only(&changed.script, &["train_small", "evaluate"]));
    assert_eq!(example.folder.read("best_model.csv"), best);
    example.runs_only(
        "orchestrator -j 2 --cached -P config.data.test_every=4",
        &STEPS[1..],
    );
    Values::of(&example.raw, 4).check(&example.folder, &example.runs());
    assert_eq!(example.server.requests(), ["GET /titanic.csv HTTP/1.1"]);

    if std::env::var_os("SHORT").is_some() {
        return;
    }
    example.sh(&sweep.script).ends(0);
    let python = example.python();
    let script = format!("{} - <<'END'\n{}\nEND", python.display(), table.script);
    table.shows(&example.sh(&script));
    example.sh(&copies.script).ends(0);
    let swept = example.runs();
    let swept = swept.iter().filter(|run| run.name.starts_with("C = "));
    let statuses: Vec<&str> = swept.map(|run| run.status.as_str()).collect();
    assert_eq!(statuses, ["FINISHED"; 8]);
    assert_eq!(example.server.requests().len(), 1);
}

#[test]
#[ignore = "needs R, Java, libcurl and packages of Python"]
fn what_cannot_be_downloaded_or_cleaned_is_told() {
    let example = Example::new();
    let fails = |data: &str, reason: &str| {
        let ended = example.sh(&format!(
            "orchestrator data_download data_cleaning --data_url {data}"
        ));
        ended.ends(1);
        assert!(ended.stderr().contains(reason), "{}", ended.stderr());
        assert!(!example.folder.exists("train_data.csv"));
    };
    fails(
        "http://127.0.0.1:1/x.csv",
        "data_download: http://127.0.0.1:1/x.csv: Failed to connect",
    );
    fails(
        "file:///no/such/file.csv",
        "data_download: file:///no/such/file.csv: Couldn't open file",
    );
    assert!(!example.folder.exists("raw_data.csv"));
    example.folder.file("other.csv", "Survived,Sex\n1,male\n");
    fails(
        "other.csv",
        "has no column PassengerId, Pclass, Age, SibSp, Parch, Fare",
    );
}

/// The last run of a step.
#[track_caller]
pub(crate) fn last<'a>(runs: &'a [Run], step: &str) -> &'a Run {
    runs.iter().rfind(|run| run.name == step).unwrap()
}

fn the_trainings_overlap(runs: &[Run]) {
    let (small, large) = (last(runs, "train_small"), last(runs, "train_large"));
    assert!(small.start < large.end.unwrap() && large.start < small.end.unwrap());
}

/// What the steps alone take, those side by side once.
fn own_time(runs: &[Run]) -> Duration {
    let time = |step| last(runs, step).metrics["duration_seconds"];
    let trainings = time("train_small").max(time("train_large"));
    let others = ["data_download", "data_cleaning", "evaluate", "inference"];
    Duration::from_secs_f64(others.into_iter().map(time).sum::<f64>() + trainings)
}

/// What the README lets somebody type, and shows as its output.
#[derive(Debug)]
struct Block {
    script: String,
    output: Option<String>,
}

/// The blocks `sh` and `python` of the example's README, each with the block `text` behind it.
fn blocks() -> Vec<Block> {
    let readme = std::fs::read_to_string(place().join("README.md")).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    for fenced in readme.split("```").skip(1).step_by(2) {
        let (language, content) = fenced.split_once('\n').unwrap();
        match language {
            "text" => blocks.last_mut().unwrap().output = Some(content.to_owned()),
            _ => blocks.push(Block {
                script: content.to_owned(),
                output: None,
            }),
        }
    }
    blocks
}

impl Block {
    /// Asserts that what was said is what the README shows, but for times, the names of runs, the order
    /// of what happens at once, and what MLflow says while it makes its tables.
    #[track_caller]
    fn shows(&self, ended: &Ended) {
        ended.ends(0);
        let Some(shown) = self.output.as_ref().filter(|_| real_data().is_some()) else {
            return;
        };
        let said = ended.stdout() + &ended.stderr();
        assert_eq!(comparable(&said), comparable(shown));
    }
}

fn comparable(text: &str) -> Vec<String> {
    let is_of_mlflow = |line: &str| line.starts_with("train_") && !line.contains(" passengers, ");
    let lines = text.lines().filter(|line| !is_of_mlflow(line));
    let mut lines: Vec<String> = lines.map(without_times).collect();
    lines.sort();
    lines
}

fn without_times(line: &str) -> String {
    let line = crate::harness::normal(line);
    let line = match line.split_once(", made ") {
        Some((before, _)) => before.to_owned(),
        None => line,
    };
    line.trim_end().to_owned()
}
