//! Inputs and outputs.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::symlink;
use std::path::Path;

use freshness::{Caching, Unrecorded};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::pipeline::Pipeline;

/// The reason to run, and what has to be done to an output for it.
type Change<'a> = (&'a str, &'a dyn Fn(&Path));

fn made() -> Pipeline {
    let pipeline = Pipeline::new();
    pipeline.make();
    pipeline
}

/// A step whose output is a folder with files.
fn made_folder() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.outputs = vec![("out".into(), pipeline.at("model"))];
    pipeline.run(|| {
        pipeline.write("model/a", "a");
        pipeline.write("model/below/b", "b");
        fs::create_dir(pipeline.at("model/empty")).unwrap();
        symlink("a", pipeline.at("model/link")).unwrap();
        symlink("nowhere", pipeline.at("model/dangling")).unwrap();
    });
    pipeline.is_up_to_date();
    pipeline
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

fn set_modified(path: &Path, from: &Path) {
    let time = fs::metadata(from).unwrap().modified().unwrap();
    let times = FileTimes::new().set_modified(time);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
}

#[test]
fn an_output_that_is_not_what_was_made_is_made_again() {
    let edited = "its output ../out.csv was changed by hand";
    let changes: &[Change] = &[
        ("its output ../out.csv is missing", &|out| {
            fs::remove_file(out).unwrap();
        }),
        (edited, &|out| fs::write(out, "").unwrap()),
        (edited, &|out| fs::write(out, "2,1\n").unwrap()),
        (edited, &|out| {
            let copy = out.with_extension("copy");
            fs::write(&copy, "").unwrap();
            set_modified(&copy, out);
            fs::write(out, "2,1\n").unwrap();
            set_modified(out, &copy);
        }),
        // The content is the same one.
        (edited, &|out| {
            let other = out.with_extension("other");
            fs::rename(out, &other).unwrap();
            symlink(&other, out).unwrap();
        }),
        (edited, &|out| {
            fs::remove_file(out).unwrap();
            fs::create_dir(out).unwrap();
        }),
        (
            "its output ../out.csv is neither a file nor a folder",
            &|out| {
                fs::remove_file(out).unwrap();
                fifo(out);
            },
        ),
    ];
    for (reason, change) in changes {
        let pipeline = made();
        pipeline.is_up_to_date();
        change(&pipeline.at("out.csv"));
        pipeline.runs_for(reason);
    }
}

#[test]
fn the_same_content_is_up_to_date_whatever_its_times() {
    let pipeline = made();
    for (name, text) in [("out.csv", "1,2\n"), ("in.csv", "a,b\n")] {
        // Times, and the inode.
        pipeline.write(name, text);
        pipeline.is_up_to_date();
        pipeline.write("new", text);
        fs::rename(pipeline.at("new"), pipeline.at(name)).unwrap();
        pipeline.is_up_to_date();
    }
    let file = File::options()
        .write(true)
        .open(pipeline.at("step/train.py"));
    file.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    pipeline.is_up_to_date();
}

#[test]
fn a_file_with_settled_times_is_not_read_again() {
    let pipeline = made();
    Pipeline::settle();
    pipeline.is_up_to_date();
    // Now its stat is in the record and trusted, which a wrong hash shows.
    let record = fs::read_to_string(pipeline.record()).unwrap();
    let of_output = blake3::hash(b"1,2\n").to_hex();
    assert!(record.contains(of_output.as_str()));
    let other = blake3::hash(b"").to_hex();
    fs::write(pipeline.record(), record.replace(&*of_output, &other)).unwrap();
    pipeline.is_up_to_date();
    pipeline.write("out.csv", "1,2\n");
    pipeline.runs_for("its output ../out.csv was changed by hand");
}

#[test]
fn a_look_writes_nothing() {
    let pipeline = made();
    let before = fs::read(pipeline.record()).unwrap();
    Pipeline::settle();
    pipeline.with(|subject| freshness::look(subject, &pipeline.files()));
    assert_eq!(fs::read(pipeline.record()).unwrap(), before);
    pipeline.with(|subject| freshness::judge(subject, &pipeline.files()));
    assert_ne!(fs::read(pipeline.record()).unwrap(), before);
}

#[test]
fn a_folder_counts_with_all_below() {
    let changes: &[Change] = &[
        ("/c is new", &|model| {
            fs::write(model.join("c"), "").unwrap();
        }),
        ("/a is missing", &|model| {
            fs::remove_file(model.join("a")).unwrap();
        }),
        ("/below/b was changed by hand", &|model| {
            fs::write(model.join("below/b"), "x").unwrap();
        }),
        ("/below/b is missing", &|model| {
            fs::rename(model.join("below/b"), model.join("below/c")).unwrap();
        }),
        ("/empty is missing", &|model| {
            fs::remove_dir(model.join("empty")).unwrap();
        }),
        ("/below/empty is new", &|model| {
            fs::create_dir(model.join("below/empty")).unwrap();
        }),
        ("/dangling was changed by hand", &|model| {
            fs::remove_file(model.join("dangling")).unwrap();
            symlink("elsewhere", model.join("dangling")).unwrap();
        }),
        ("/fifo is new", &|model| fifo(&model.join("fifo"))),
        (" is missing", &|model| fs::remove_dir_all(model).unwrap()),
    ];
    for (reason, change) in changes {
        let pipeline = made_folder();
        change(&pipeline.at("model"));
        pipeline.runs_for(&format!("its output ../model{reason}"));
    }
    // The file behind a link is what is read.
    let pipeline = made_folder();
    pipeline.write("model/a", "x");
    pipeline.runs_for("its output ../model/a was changed by hand");
}

#[test]
fn a_folder_may_be_on_another_disk() {
    let mut pipeline = Pipeline::new();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), pipeline.at("data")).unwrap();
    symlink(elsewhere.path(), pipeline.at("model")).unwrap();
    fs::write(elsewhere.path().join("a"), "a").unwrap();
    pipeline.inputs = vec![("in".into(), pipeline.at("data"))];
    pipeline.make();
    pipeline.is_up_to_date();
    fs::write(elsewhere.path().join("a"), "b").unwrap();
    pipeline.runs_for("its input in (../data/a) changed");
    pipeline.inputs.clear();
    pipeline.outputs = vec![("out".into(), pipeline.at("model"))];
    pipeline.run(|| pipeline.write("model/a", "c"));
    pipeline.is_up_to_date();
    fs::write(elsewhere.path().join("a"), "d").unwrap();
    pipeline.runs_for("its output ../model/a was changed by hand");
    pipeline.run(|| pipeline.write("model/a", "c"));
    fs::rename(pipeline.at("model"), pipeline.at("old")).unwrap();
    fs::create_dir(pipeline.at("model")).unwrap();
    pipeline.write("model/a", "c");
    pipeline.runs_for("its output ../model was changed by hand");
}

#[test]
fn what_is_no_file_is_never_up_to_date() {
    let pipeline = made_folder();
    pipeline.run(|| fifo(&pipeline.at("model/fifo")));
    let odd = "is neither a file nor a folder";
    pipeline.runs_for(&format!("its output ../model/fifo {odd}"));
    let pipeline = made();
    fs::remove_file(pipeline.at("in.csv")).unwrap();
    fifo(&pipeline.at("in.csv"));
    pipeline.runs_for(&format!("its input in (../in.csv) {odd}"));
    pipeline.make();
    pipeline.runs_for(&format!("its input in (../in.csv) {odd}"));
    // Nobody can read it, not even root.
    let pipeline = made();
    fs::remove_file(pipeline.at("in.csv")).unwrap();
    symlink("in.csv", pipeline.at("in.csv")).unwrap();
    pipeline.make();
    let reasons = pipeline.reasons().concat();
    assert!(
        reasons.starts_with("its input in (../in.csv) cannot be read: "),
        "{reasons}"
    );
}

#[test]
fn an_input_that_changed_is_a_reason() {
    let pipeline = made();
    pipeline.write("in.csv", "a,c\n");
    pipeline.runs_for("its input in (../in.csv) changed");
    pipeline.make();
    pipeline.is_up_to_date();
    fs::remove_file(pipeline.at("in.csv")).unwrap();
    pipeline.runs_for("its input in (../in.csv) is missing");
    pipeline.make();
    pipeline.is_up_to_date();
    pipeline.write("in.csv", "");
    pipeline.runs_for("its input in (../in.csv) is new");
    pipeline.make();
    pipeline.is_up_to_date();
    // Data may move to another disk.
    fs::rename(pipeline.at("in.csv"), pipeline.at("moved")).unwrap();
    symlink(pipeline.at("moved"), pipeline.at("in.csv")).unwrap();
    pipeline.is_up_to_date();
}

#[test]
fn files_outside_of_the_pipeline_count() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::new();
    let (input, output) = (elsewhere.path().join("in"), elsewhere.path().join("out"));
    fs::write(&input, "1").unwrap();
    pipeline.inputs = vec![("in".into(), input.clone())];
    pipeline.outputs = vec![("out".into(), output.clone())];
    pipeline.run(|| fs::write(&output, "1").unwrap());
    pipeline.is_up_to_date();
    fs::write(&output, "2").unwrap();
    fs::write(&input, "2").unwrap();
    let shown = (output.display(), input.display());
    assert_eq!(
        pipeline.reasons(),
        [
            format!("its output {} was changed by hand", shown.0),
            format!("its input in ({}) changed", shown.1)
        ]
    );
}

#[test]
fn an_input_that_changes_while_the_step_runs_never_counts_as_equal() {
    let pipeline = Pipeline::new();
    let changed = "changed while the step ran";
    for edit in [
        &|| pipeline.write("in.csv", "a,c\n") as _,
        &|| fs::remove_file(pipeline.at("in.csv")).unwrap(),
        // Was gone, is there.
        &|| pipeline.write("in.csv", "a,b\n"),
        &|| {
            fs::remove_file(pipeline.at("in.csv")).unwrap();
            pipeline.write("in.csv/file", "");
        },
        &|| pipeline.write("in.csv/file", "x"),
    ] as [&dyn Fn(); 5]
    {
        pipeline.run(|| {
            edit();
            pipeline.write("out.csv", "1,2\n");
        });
        let reasons = pipeline.reasons().concat();
        assert!(reasons.starts_with("its input in (../in.csv"), "{reasons}");
        assert!(reasons.ends_with(changed), "{reasons}");
    }
    // What only got other times is the same.
    let pipeline = Pipeline::new();
    pipeline.run(|| {
        pipeline.write("in.csv", "a,b\n");
        pipeline.write("out.csv", "1,2\n");
    });
    pipeline.is_up_to_date();
    // A folder gets a file.
    let mut pipeline = Pipeline::new();
    pipeline.inputs = vec![("in".into(), pipeline.at("data"))];
    pipeline.write("data/a", "");
    pipeline.run(|| {
        pipeline.write("data/b", "");
        pipeline.write("out.csv", "1,2\n");
    });
    pipeline.runs_for(&format!("its input in (../data/b) {changed}"));
}

#[test]
fn large_files_are_hashed_for_cached_alone() {
    let large = |pipeline: &Pipeline, name: &str| {
        let file = File::create(pipeline.at(name)).unwrap();
        file.set_len((64 << 20) + 1).unwrap();
    };
    for (caching, reasons) in [
        (
            Caching::Off,
            &[
                "its output ../out.csv was recorded without `--cached` and is another one",
                "its input in (../in.csv) was recorded without `--cached` and is another one",
            ][..],
        ),
        (Caching::On, &[]),
    ] {
        let mut pipeline = Pipeline::new();
        pipeline.caching = caching;
        large(&pipeline, "in.csv");
        pipeline.run(|| large(&pipeline, "out.csv"));
        pipeline.caching = Caching::On;
        pipeline.is_up_to_date();
        large(&pipeline, "in.csv");
        large(&pipeline, "out.csv");
        assert_eq!(pipeline.reasons(), reasons);
    }
}

#[test]
fn an_output_that_is_not_there_is_not_recorded() {
    let pipeline = Pipeline::new();
    let finished = pipeline.begin().finish(None);
    assert!(
        matches!(finished, Err(Unrecorded::Missing(_))),
        "{finished:?}"
    );
    pipeline.runs_for("has not run before");
}

#[test]
fn a_step_whose_outputs_say_nothing_always_runs() {
    let mut pipeline = made();
    let outputs = pipeline.outputs.clone();
    pipeline.outputs.clear();
    pipeline.runs_for("has no declared outputs");
    let begun = pipeline.try_begin();
    assert!(matches!(begun, Err(Unrecorded::Never(_))));
    pipeline.outputs = outputs;
    pipeline.is_up_to_date();
    // The folder around, a link, a file in a folder.
    symlink("out.csv", pipeline.at("link")).unwrap();
    for input in ["out.csv", "", "link"] {
        pipeline.inputs = vec![("in".into(), pipeline.at(input))];
        pipeline.runs_for("reads what it writes");
    }
    pipeline.inputs.clear();
    pipeline.outputs = vec![("out".into(), pipeline.at("model"))];
    pipeline.others = vec![pipeline.at("model/other"), pipeline.at("models")];
    pipeline.runs_for("another step writes into its output ../model");
    // That of the other is looked at by itself.
    pipeline.outputs = vec![("out".into(), pipeline.at("models/own"))];
    pipeline.runs_for("has not run before");
}

#[test]
fn each_set_of_outputs_has_a_record_of_its_own() {
    let mut pipeline = Pipeline::new();
    let with = |pipeline: &mut Pipeline, rows: &str, out: &str| {
        pipeline.parameters[0].1 = rows.into();
        pipeline.outputs = vec![("out".into(), pipeline.at(out))];
    };
    // Two values by turns into two files.
    with(&mut pipeline, "1", "1.csv");
    pipeline.run(|| pipeline.write("1.csv", "1"));
    with(&mut pipeline, "2", "2.csv");
    pipeline.run(|| pipeline.write("2.csv", "2"));
    // The outputs of the one are no code of the other.
    with(&mut pipeline, "1", "1.csv");
    pipeline.is_up_to_date();
    // Into one file.
    with(&mut pipeline, "2", "1.csv");
    pipeline.runs_for("parameter `rows` is `2` (was `1`)");
    pipeline.run(|| pipeline.write("1.csv", "2"));
    with(&mut pipeline, "1", "1.csv");
    pipeline.runs_for("parameter `rows` is `1` (was `2`)");
}
