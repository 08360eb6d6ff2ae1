//! The records themselves.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use freshness::{Files, Made, Unrecorded, Verdict};

use crate::pipeline::Pipeline;

#[test]
fn a_record_that_cannot_be_read_is_none() {
    let pipeline = Pipeline::new();
    pipeline.make();
    let path = pipeline.record();
    let good = fs::read_to_string(&path).unwrap();
    let newer = good.replacen(r#""version":1"#, r#""version":2"#, 1);
    let other = good.replacen(r#""step":"step""#, r#""step":"other""#, 1);
    assert!(newer != good && other != good);
    let huge = "9".repeat(400);
    let time = good.replacen(r#""time":"#, &format!(r#""time":{huge}"#), 1);
    let deep = "[".repeat(100_000);
    for text in [
        "",
        "{}",
        "null",
        "[1]",
        "\0\u{ff}",
        &deep,
        &newer,
        &other,
        &time,
        &good[..good.len() - 1],
        &good[..good.len() / 2],
    ] {
        fs::write(&path, text).unwrap();
        pipeline.runs_for("has not run before");
    }
    fs::write(&path, [b"\xff", good.as_bytes()].concat()).unwrap();
    pipeline.runs_for("has not run before");
    fs::write(&path, &good).unwrap();
    pipeline.is_up_to_date();
    // Too large, at no cost.
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    pipeline.runs_for("has not run before");
    // Not what it seems to be.
    let elsewhere = pipeline.at("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    pipeline.runs_for("has not run before");
    pipeline.make();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), good);
    assert!(path.symlink_metadata().unwrap().is_file());
}

#[test]
fn a_record_is_for_its_owner_alone() {
    let pipeline = Pipeline::new();
    pipeline.make();
    let mode = || {
        fs::metadata(pipeline.record())
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode() & 0o777, 0o600);
    pipeline.write("in.csv", "a,b\n");
    pipeline.is_up_to_date();
    assert_eq!(mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(pipeline.at("mlruns/.cached")).unwrap().count(),
        1
    );
}

#[test]
fn a_step_that_did_not_end_well_has_no_record() {
    let pipeline = Pipeline::new();
    pipeline.make();
    drop(pipeline.begin());
    pipeline.runs_for("has not run before");
    let left = fs::read_dir(pipeline.at("mlruns/.cached")).unwrap();
    assert_eq!(left.count(), 0);
    // An attempt that failed, and another one.
    let files = pipeline.files();
    let begin = || pipeline.with(|subject| freshness::begin(subject, &files).unwrap());
    drop(begin());
    begin().finish(None).unwrap();
    pipeline.is_up_to_date();
    // What a killed run has left is in nobody's way.
    let draft = pipeline.record().with_extension("json.new");
    fs::write(draft, "half").unwrap();
    pipeline.make();
    pipeline.is_up_to_date();
}

#[test]
fn steps_run_side_by_side() {
    let pipeline = Pipeline::with_git();
    let files = pipeline.files();
    let step = &|number: usize| {
        let mut step = Pipeline::new();
        step.root.clone_from(&pipeline.root);
        step.name = format!("step {number}");
        let output = pipeline.at(&format!("out_{number}.csv"));
        step.inputs = vec![("in".into(), pipeline.at("in.csv"))];
        step.outputs = vec![("out".into(), output.clone())];
        let begun = step.with(|subject| freshness::begin(subject, &files).unwrap());
        fs::write(output, number.to_string()).unwrap();
        begun.finish(None).unwrap();
        step.with(|subject| freshness::judge(subject, &files))
    };
    std::thread::scope(|scope| {
        let steps: Vec<_> = (0..8)
            .map(|number| scope.spawn(move || step(number)))
            .collect();
        for step in steps {
            let verdict = step.join().unwrap();
            assert!(matches!(verdict, Verdict::UpToDate(_)), "{verdict:?}");
        }
    });
    let records = fs::read_dir(pipeline.at("mlruns/.cached")).unwrap();
    assert_eq!(records.count(), 8);
}

#[test]
fn the_run_that_made_it_is_known() {
    let pipeline = Pipeline::new();
    let before = std::time::SystemTime::now();
    pipeline.make();
    let verdict = pipeline.with(|subject| freshness::judge(subject, &pipeline.files()));
    let Verdict::UpToDate(Made { run, time }) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(run.as_deref(), Some("64e5d36f"));
    // It is kept in whole seconds.
    assert!(time + std::time::Duration::from_secs(1) > before);
}

#[test]
fn without_a_place_for_records_nothing_is_recorded() {
    let pipeline = Pipeline::new();
    pipeline.write("mlruns", "a file");
    let begun = pipeline.try_begin();
    assert!(matches!(begun, Err(Unrecorded::Unwritable(_))), "{begun:?}");
    fs::remove_file(pipeline.at("mlruns")).unwrap();
    // `mlruns` may be on another disk, its parts may not.
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), pipeline.at("mlruns")).unwrap();
    pipeline.make();
    pipeline.is_up_to_date();
    let records = elsewhere.path().join(".cached");
    fs::rename(&records, elsewhere.path().join("other")).unwrap();
    symlink("other", &records).unwrap();
    pipeline.runs_for("has not run before");
    let begun = pipeline.try_begin();
    assert!(matches!(begun, Err(Unrecorded::Unwritable(_))), "{begun:?}");
}

#[test]
fn a_name_of_a_step_is_no_way_out_of_the_folder() {
    let mut pipeline = Pipeline::new();
    for name in ["../../x", "a/b", ".", "..", "ü", "-x", &"long".repeat(100)] {
        pipeline.name = name.into();
        pipeline.make();
        pipeline.is_up_to_date();
        fs::remove_file(pipeline.record()).unwrap();
    }
}

#[test]
fn an_interrupted_run_stops_hashing_and_records_nothing() {
    let pipeline = Pipeline::new();
    pipeline.make();
    pipeline.write("in.csv", "a,b\n");
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_interrupted);
    let files = Files::new(&pipeline.root, pipeline.caching, move || {
        asked.load(Ordering::SeqCst)
    });
    is_interrupted.store(true, Ordering::SeqCst);
    let verdict = pipeline.with(|subject| freshness::judge(subject, &files));
    let Verdict::Stale(reasons) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(reasons[0].to_string(), "was not looked at to the end");
    pipeline.is_up_to_date();
    let begun = pipeline.with(|subject| freshness::begin(subject, &files).unwrap());
    pipeline.write("out.csv", "3,4\n");
    let finished = begun.finish(None);
    assert!(matches!(finished, Err(Unrecorded::Interrupted)));
    pipeline.runs_for("has not run before");
}
