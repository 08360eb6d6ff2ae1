//! A pipeline's folder with one step, for the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use freshness::{Begun, Caching, Files, Subject, Unrecorded, Verdict};
use tempfile::TempDir;

/// A step in a folder `step` that reads `in.csv`, writes `out.csv` and runs `tool`.
pub(crate) struct Pipeline {
    _folder: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    pub(crate) entry_point: String,
    pub(crate) command: String,
    pub(crate) line: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) environment: String,
    pub(crate) variables: Vec<(String, Option<String>)>,
    pub(crate) inputs: Vec<(String, PathBuf)>,
    pub(crate) outputs: Vec<(String, PathBuf)>,
    pub(crate) others: Vec<PathBuf>,
    pub(crate) code: Option<Vec<String>>,
    pub(crate) commit: Option<String>,
    pub(crate) caching: Caching,
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Pipeline {
    /// Without git.
    pub(crate) fn new() -> Pipeline {
        let folder = tempfile::tempdir().unwrap();
        // Around it there is no repository, wherever the folder for temporary files is.
        let root = folder.path().canonicalize().unwrap().join("pipe");
        let pipeline = Pipeline {
            name: "step".into(),
            entry_point: "main".into(),
            command: "tool --rows {rows}".into(),
            line: "tool --rows 1000".into(),
            parameters: vec![pair("rows", "1000"), pair("in", "in.csv")],
            environment: "local".into(),
            variables: Vec::new(),
            inputs: vec![("in".into(), root.join("in.csv"))],
            outputs: vec![("out".into(), root.join("out.csv"))],
            others: Vec::new(),
            code: None,
            commit: None,
            caching: Caching::On,
            root,
            _folder: folder,
        };
        pipeline.write("step/train.py", "print(1)");
        pipeline.write("step/more/util.py", "x = 1");
        pipeline.write("in.csv", "a,b\n");
        pipeline.write("bin/tool", "#!/bin/sh\n");
        let tool = pipeline.at("bin/tool");
        fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
        pipeline
    }

    /// With everything in a repository.
    pub(crate) fn with_git() -> Pipeline {
        let pipeline = Pipeline::new();
        pipeline.write(".gitignore", "*.tmp\n*.csv\nmlruns\n");
        pipeline.git(&["init", "-q"]);
        pipeline.git(&["add", "."]);
        pipeline.git(&["commit", "-qm", "all"]);
        pipeline
    }

    pub(crate) fn git(&self, words: &[&str]) {
        git(&self.root, words);
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn files(&self) -> Files {
        Files::new(&self.root, self.caching, || false)
    }

    /// Calls `with` what the pipeline says of its step.
    pub(crate) fn with<T>(&self, with: impl FnOnce(&Subject) -> T) -> T {
        let mut not_code: Vec<PathBuf> = self.others.clone();
        let files = self.inputs.iter().chain(&self.outputs);
        not_code.extend(files.map(|(_, path)| path.clone()));
        not_code.push(self.at("step/MLproject"));
        with(&Subject {
            root: &self.root,
            step: &self.name,
            folder: &self.at("step"),
            entry_point: &self.entry_point,
            command: &self.command,
            line: &self.line,
            parameters: &self.parameters,
            environment: &self.environment,
            path: &[self.at("nowhere"), self.at("bin")],
            variables: &self.variables,
            inputs: &self.inputs,
            outputs: &self.outputs,
            outputs_of_others: &self.others,
            code: self.code.as_deref(),
            commit: self.commit.as_deref(),
            not_code: &not_code,
        })
    }

    pub(crate) fn begin(&self) -> Begun {
        self.try_begin().unwrap()
    }

    pub(crate) fn try_begin(&self) -> Result<Begun, Unrecorded> {
        self.with(|subject| freshness::begin(subject, &self.files()))
    }

    /// Runs the step: `work` is what it does.
    pub(crate) fn run(&self, work: impl FnOnce()) -> String {
        let begun = self.begin();
        work();
        begun.finish(Some("64e5d36f")).unwrap().all
    }

    /// Runs the step, which writes its output.
    pub(crate) fn make(&self) -> String {
        self.run(|| self.write("out.csv", "1,2\n"))
    }

    /// The reasons of a look, none if the step is up to date.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let looked = self.with(|subject| freshness::look(subject, &self.files()));
        let judged = self.with(|subject| freshness::judge(subject, &self.files()));
        assert_eq!(looked, judged);
        match judged {
            Verdict::UpToDate(_) => Vec::new(),
            Verdict::Stale(reasons) => {
                assert!(!reasons.is_empty());
                reasons.iter().map(ToString::to_string).collect()
            }
        }
    }

    #[track_caller]
    pub(crate) fn is_up_to_date(&self) {
        assert_eq!(self.reasons(), [""; 0]);
    }

    #[track_caller]
    pub(crate) fn runs_for(&self, reason: &str) {
        assert_eq!(self.reasons(), [reason]);
    }

    /// Waits until the times of all files are those of the past.
    pub(crate) fn settle() {
        let start = std::time::Instant::now();
        while start.elapsed() < std::time::Duration::from_millis(60) {
            std::thread::yield_now();
        }
    }

    /// The record's file.
    pub(crate) fn record(&self) -> PathBuf {
        let records = fs::read_dir(self.at("mlruns/.cached")).unwrap();
        let mut records: Vec<PathBuf> = records.map(|entry| entry.unwrap().path()).collect();
        records.retain(|path| path.extension().is_some_and(|it| it == "json"));
        assert_eq!(records.len(), 1);
        records.remove(0)
    }
}

pub(crate) fn git(folder: &Path, words: &[&str]) {
    let identity = [
        "user.name=x",
        "user.email=x@y",
        "protocol.file.allow=always",
    ];
    let status = Command::new("git")
        .args(identity.iter().flat_map(|it| ["-c", it]))
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .status();
    assert!(status.unwrap().success(), "{words:?}");
}
