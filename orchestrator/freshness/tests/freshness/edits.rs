//! Random edits: a step is up to date exactly when everything holds what it held when it was made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use freshness::Verdict;

use crate::pipeline::Pipeline;

/// A generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    /// One below the limit.
    fn below(&mut self, limit: u64) -> u64 {
        let Numbers(state) = self;
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % limit
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What counts of the pipeline, file by file.
type Contents = BTreeMap<String, Vec<u8>>;

fn contents(pipeline: &Pipeline) -> Contents {
    let mut found = Contents::new();
    let mut open = vec!["step".to_owned(), "data".to_owned(), "model".to_owned()];
    while let Some(name) = open.pop() {
        let path = pipeline.at(&name);
        let is_code = name.starts_with("step");
        if path.is_dir() {
            for entry in fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap().file_name();
                open.push(format!("{name}/{}", entry.to_str().unwrap()));
            }
            if !is_code {
                found.insert(name, b"a folder".to_vec());
            }
        } else if path.exists() {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found.insert("rows".into(), pipeline.parameters[0].1.clone().into_bytes());
    found
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).ok();
    }
}

fn edit(pipeline: &mut Pipeline, numbers: &mut Numbers) {
    let names = [
        "step/a.py",
        "step/b.py",
        "step/more/c.py",
        "data/a",
        "data/b",
        "data/deep/c",
        "model/a",
        "model/b",
        "model/deep/c",
    ];
    let (name, other) = (numbers.one_of(&names), numbers.one_of(&names));
    let path = pipeline.at(name);
    // Of one length, so that it is not the size that tells them apart.
    let text = numbers.one_of(&["1", "2", "3"]);
    match numbers.below(8) {
        0 | 1 => pipeline.write(name, text),
        2 => remove(&path),
        3 if path.exists() && name != other => {
            fs::create_dir_all(pipeline.at(other).parent().unwrap()).unwrap();
            fs::rename(path, pipeline.at(other)).unwrap();
        }
        // The time of change stays.
        4 if path.exists() => {
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            pipeline.write(name, text);
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
        }
        5 => {
            pipeline.write("new", text);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::rename(pipeline.at("new"), path).unwrap();
        }
        6 if !name.starts_with("step") => remove(path.parent().unwrap()),
        _ => pipeline.parameters[0].1 = text.into(),
    }
}

fn edit_often(mut pipeline: Pipeline, edits: u32) {
    pipeline.inputs = vec![("in".into(), pipeline.at("data"))];
    pipeline.outputs = vec![("out".into(), pipeline.at("model"))];
    let mut numbers = Numbers(0x5eed);
    let (mut made, mut up_to_date) = (None, 0);
    for number in 0..edits {
        edit(&mut pipeline, &mut numbers);
        let now = contents(&pipeline);
        let verdict = pipeline.with(|subject| freshness::judge(subject, &pipeline.files()));
        let is_up_to_date = matches!(verdict, Verdict::UpToDate(_));
        assert_eq!(
            is_up_to_date,
            made.as_ref() == Some(&now),
            "edit {number}: {verdict:?}"
        );
        up_to_date += u32::from(is_up_to_date);
        if !is_up_to_date && numbers.below(3) == 0 {
            pipeline.run(|| pipeline.write("model/a", numbers.one_of(&["1", "2"])));
            made = Some(contents(&pipeline));
        }
    }
    // Neither answer is rare.
    assert!(up_to_date > edits / 20, "{up_to_date} of {edits}");
}

#[test]
fn no_edit_is_overlooked() {
    edit_often(Pipeline::new(), 2_000);
}

#[test]
#[ignore = "takes a minute"]
fn no_edit_of_10_000_is_overlooked_in_a_repository() {
    edit_often(Pipeline::with_git(), 10_000);
}
