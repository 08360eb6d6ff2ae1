//! Thousands of random edits of a pipeline: after each, what `--cached` leaves is what running
//! everything makes, and only those steps ran whose ingredients changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Folder, rounds};

/// A small generator, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Name, inputs, outputs. An output with a slash at its end is a folder.
const STEPS: [(&str, &[&str], &[&str]); 6] = [
    ("a", &["raw"], &["a1", "a2"]),
    ("b", &["raw"], &["b1"]),
    ("c", &["a1"], &["c1/"]),
    ("d", &["a2", "b1"], &["d1"]),
    ("e", &["c1/", "b1"], &["e1"]),
    ("f", &["d1", "e1"], &["f1"]),
];

/// Everything below a path by its name from there, with its content; links by where they point.
type Content = BTreeMap<String, Vec<u8>>;

fn content(path: &Path) -> Content {
    let mut found = Content::new();
    let mut add = |name: String, path: &Path| {
        let kind = fs::symlink_metadata(path).map(|it| it.file_type());
        match kind {
            Ok(kind) if kind.is_dir() => {
                found.insert(name.clone() + "/", Vec::new());
                return fs::read_dir(path)
                    .unwrap()
                    .map(|it| it.unwrap().path())
                    .collect();
            }
            Ok(kind) if kind.is_symlink() => {
                found.insert(
                    name,
                    fs::read_link(path)
                        .unwrap()
                        .into_os_string()
                        .into_encoded_bytes(),
                );
            }
            Ok(_) => drop(found.insert(name, fs::read(path).unwrap())),
            Err(_) => drop(found.insert(name, b"missing".to_vec())),
        }
        Vec::new()
    };
    let mut left: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(next) = left.pop() {
        let name = next
            .strip_prefix(path)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        left.extend(add(name, &next));
    }
    found
}

/// What a step is made of, and what it has made.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Made {
    ingredients: Vec<Content>,
    values: Vec<String>,
    outputs: Vec<Content>,
}

struct Pipeline {
    folder: Folder,
    /// The values of the parameter `x` of each step, and of the variable `SEED`, on which `d` depends.
    x: BTreeMap<&'static str, usize>,
    seed: usize,
    made: BTreeMap<&'static str, Made>,
}

impl Pipeline {
    fn new() -> Pipeline {
        let folder = Folder::new();
        folder.file(
            "MLproject",
            "name: demo\nenv_manager: local\nsteps: [a, b, c, d, e, f]\n",
        );
        folder.file(
            ".gitignore",
            "ignored*\n/mlruns\nraw\na1\na2\nb1\nc1\nd1\ne1\nf1\nran\n",
        );
        folder
            .file("raw", "raw 0\n")
            .file("common/shared.txt", "shared 0\n");
        for (name, ..) in STEPS {
            folder.file(&format!("{name}/code.txt"), "code 0\n");
        }
        let pipeline = Pipeline {
            folder,
            x: STEPS.map(|(name, ..)| (name, 0)).into(),
            seed: 0,
            made: BTreeMap::new(),
        };
        for (name, ..) in STEPS {
            pipeline.write_step(name, 0);
        }
        git(&pipeline.folder.path(), &["init", "-q"]);
        git(&pipeline.folder.path(), &["add", "-A"]);
        pipeline
    }

    /// The step prints all that it is made of, so that its outputs tell whether it had to run.
    fn write_step(&self, name: &str, version: usize) {
        let (_, inputs, outputs) = STEPS.iter().find(|(known, ..)| *known == name).unwrap();
        let key = |file: &str| format!("p_{}", file.trim_end_matches('/'));
        let mut parameters: Vec<String> = vec!["x: {type: int, default: 0}".to_owned()];
        let files = inputs.iter().chain(*outputs);
        parameters.extend(files.map(|file| {
            format!(
                "{}: {{default: ../{}}}",
                key(file),
                file.trim_end_matches('/')
            )
        }));
        let keys = |files: &[&str]| {
            files
                .iter()
                .map(|file| key(file))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let read: Vec<String> = inputs
            .iter()
            .map(|file| {
                if file.ends_with('/') {
                    format!("find {{{0}}} -type f | sort | xargs cat", key(file))
                } else {
                    format!("cat {{{}}}", key(file))
                }
            })
            .collect();
        let code = "ls | grep -v ignored; cat $(ls | grep -v -e ignored -e MLproject)";
        let shared = if name == "e" { "cat ../common/*;" } else { "" };
        let seed = if name == "d" { "echo seed $SEED;" } else { "" };
        let make = format!(
            "{{{{ echo version {version} x {{x}}; {seed} {shared} {code}; {}; }}}}",
            read.join("; ")
        );
        let write: Vec<String> = outputs
            .iter()
            .map(|file| {
                let key = key(file);
                if file.ends_with('/') {
                    format!("rm -rf {{{key}}}; mkdir -p {{{key}}}/deep/empty; {make} > {{{key}}}/deep/one; echo two > {{{key}}}/two")
                } else {
                    format!("{make} > {{{key}}}; echo {file} >> {{{key}}}")
                }
            })
            .collect();
        let extra = match name {
            "d" => "variables: [SEED]\n    ",
            "e" => "code: [., ../common]\n    ",
            _ => "",
        };
        let text = format!(
            "entry_points:\n  main:\n    parameters: {{{}}}\n    inputs: [{}]\n    outputs: [{}]\n    {extra}command: |\n      echo {name} >> ../ran\n      {}\n",
            parameters.join(", "),
            keys(inputs),
            keys(outputs),
            write.join("\n      ")
        );
        self.folder.file(&format!("{name}/MLproject"), text);
    }

    /// One random edit, in words.
    fn edit(&mut self, random: &mut Random) -> String {
        let step = random.of(&STEPS).0;
        let version = random.below(3);
        let path = |name: &str| self.folder.path().join(name);
        let file = match random.below(4) {
            0 => "raw".to_owned(),
            1 => "common/shared.txt".to_owned(),
            _ => format!("{step}/code.txt"),
        };
        let output = random.of(&["a1", "a2", "b1", "c1/deep/one", "c1/two", "d1", "e1", "f1"]);
        match random.below(14) {
            0 => {
                self.folder.file(&file, format!("{file} {version}\n"));
                format!("{file} is version {version}")
            }
            1 => {
                let text = fs::read(path(&file)).unwrap_or_default();
                self.folder.file(&file, text);
                format!("{file} is written again")
            }
            2 => {
                drop(
                    fs::File::options()
                        .append(true)
                        .open(path(&file))
                        .and_then(|file| file.set_modified(std::time::SystemTime::now())),
                );
                format!("{file} is touched")
            }
            3 => {
                self.x.insert(step, version);
                format!("x of {step} is {version}")
            }
            4 => {
                self.seed = version;
                format!("SEED is {version}")
            }
            5 => {
                self.write_step(step, version);
                format!("the command of {step} is version {version}")
            }
            6 => {
                let (from, to) = (
                    path(&format!("{step}/code.txt")),
                    path(&format!("{step}/renamed.txt")),
                );
                let (from, to) = if from.exists() {
                    (from, to)
                } else {
                    (to, from)
                };
                drop(fs::rename(from, to));
                format!("the code of {step} has another name")
            }
            7 => {
                self.folder
                    .file(&format!("{step}/ignored.txt"), format!("{version}"));
                format!("an ignored file of {step}")
            }
            8 => {
                let new = path(&format!("{step}/new.txt"));
                if new.exists() {
                    fs::remove_file(new).unwrap();
                    format!("the new file of {step} goes")
                } else {
                    self.folder.file(&format!("{step}/new.txt"), "new");
                    format!("a new file of {step}")
                }
            }
            9 => {
                drop(fs::remove_file(path(output)));
                format!("{output} goes")
            }
            10 => {
                self.folder.file(output, "by hand\n");
                format!("{output} is written by hand")
            }
            11 => {
                // One byte, and the time as it was.
                let edited = fs::metadata(path(output)).and_then(|found| {
                    let mut text = fs::read(path(output))?;
                    text.first_mut().into_iter().for_each(|byte| *byte ^= 1);
                    fs::write(path(output), text)?;
                    fs::File::options()
                        .append(true)
                        .open(path(output))?
                        .set_modified(found.modified()?)
                });
                drop(edited);
                format!("a byte of {output}")
            }
            12 => {
                self.folder.file(&format!("c1/more{version}"), "more");
                "a file in the folder c1".to_owned()
            }
            _ => {
                git(&self.folder.path(), &["add", "-A"]);
                "git add".to_owned()
            }
        }
    }

    fn orchestrator(&self, root: &Path, cached: bool) -> Command {
        let mut command = Command::new(crate::harness::orchestrator());
        command
            .current_dir(root)
            .env("SEED", self.seed.to_string())
            .arg("--no-tracking");
        command.args(cached.then_some("--cached"));
        for (step, x) in &self.x {
            command.arg("-P").arg(format!("{step}.x={x}"));
        }
        command
    }

    fn outputs(root: &Path, step: &str) -> Vec<Content> {
        let (.., outputs) = STEPS.iter().find(|(known, ..)| *known == step).unwrap();
        outputs
            .iter()
            .map(|file| content(&root.join(file.trim_end_matches('/'))))
            .collect()
    }

    /// What a step is made of now.
    fn now(&self, step: &'static str) -> Made {
        let root = self.folder.path();
        let (_, inputs, _) = STEPS.iter().find(|(known, ..)| *known == step).unwrap();
        let mut code = content(&root.join(step));
        let command = code.remove("MLproject").unwrap();
        code.retain(|name, _| !name.starts_with("ignored"));
        let mut ingredients: Vec<Content> = inputs
            .iter()
            .map(|file| content(&root.join(file.trim_end_matches('/'))))
            .collect();
        ingredients.push(code);
        if step == "e" {
            ingredients.push(content(&root.join("common")));
        }
        let mut values = vec![
            String::from_utf8(command).unwrap(),
            self.x[step].to_string(),
        ];
        values.extend((step == "d").then(|| self.seed.to_string()));
        Made {
            ingredients,
            values,
            outputs: Self::outputs(&root, step),
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .status();
    assert!(status.unwrap().success());
}

#[track_caller]
fn run(mut command: Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs everything in a copy and compares all outputs.
fn compare_with_everything(pipeline: &Pipeline) -> Result<(), String> {
    let copy = tempfile::tempdir().unwrap();
    let root = copy.path();
    let mut command = Command::new("cp");
    let files = fs::read_dir(pipeline.folder.path()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    // The logs of all runs before would make each copy slower than the last.
    let files = files.filter(|file| !file.ends_with("mlruns"));
    run({
        command.arg("-a").args(files).arg(root);
        command
    });
    run(pipeline.orchestrator(root, false));
    for (step, ..) in STEPS {
        let (ours, all) = (
            Pipeline::outputs(&pipeline.folder.path(), step),
            Pipeline::outputs(root, step),
        );
        if ours != all {
            return Err(format!(
                "the outputs of {step} are not those of a whole run"
            ));
        }
    }
    Ok(())
}

fn edits(count: u64, seed: u64) {
    let mut random = Random(seed);
    let mut pipeline = Pipeline::new();
    let (mut history, mut skipped, mut ran_in_all) = (Vec::new(), 0, 0);
    for _ in 0..count {
        for _ in 0..=random.below(2) {
            history.push(pipeline.edit(&mut random));
        }
        let before: BTreeMap<&str, Vec<Content>> = STEPS
            .map(|(step, ..)| (step, Pipeline::outputs(&pipeline.folder.path(), step)))
            .into();
        drop(fs::remove_file(pipeline.folder.path().join("ran")));
        drop(fs::remove_dir_all(pipeline.folder.path().join("mlruns/0")));
        run(pipeline.orchestrator(&pipeline.folder.path(), true));
        let ran = fs::read_to_string(pipeline.folder.path().join("ran")).unwrap_or_default();
        let ran: BTreeSet<&str> = ran.lines().collect();
        let last: Vec<&String> = history.iter().rev().take(6).collect();
        for (step, ..) in STEPS {
            let now = pipeline.now(step);
            let is_as_before = pipeline.made.get(step).is_some_and(|made| {
                made.ingredients == now.ingredients
                    && made.values == now.values
                    && made.outputs == before[step]
            });
            assert_eq!(
                ran.contains(step),
                !is_as_before,
                "seed {seed}, step {step}, edits backwards: {last:?}"
            );
            pipeline.made.insert(step, now);
            skipped += usize::from(is_as_before);
            ran_in_all += usize::from(!is_as_before);
        }
        if let Err(wrong) = compare_with_everything(&pipeline) {
            panic!("seed {seed}: {wrong}; edits backwards: {last:?}");
        }
    }
    eprintln!("{count} edits: {ran_in_all} steps ran, {skipped} were left out, none wrongly");
}

#[test]
fn after_random_edits_only_what_changed_runs() {
    edits(60, 1);
}

#[test]
#[ignore = "takes minutes; .ci/run edits"]
fn after_ten_thousand_random_edits_only_what_changed_runs() {
    let count = rounds(10_000);
    // Two at a time, as most of it is waiting.
    std::thread::scope(|scope| {
        for seed in [2, 3] {
            scope.spawn(move || edits(count / 2, seed));
        }
    });
}
