//! Figures, by hand: `cargo test --release -p freshness --test freshness -- --ignored --nocapture`.

use std::fs;
use std::time::Instant;

use crate::pipeline::Pipeline;

fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "prints figures"]
fn hashing_a_file_in_the_page_cache() {
    let pipeline = Pipeline::new();
    let gib = vec![7; 1 << 30];
    fs::write(pipeline.at("in.csv"), &gib).unwrap();
    drop(gib);
    pipeline.make();
    // Another stat each time, so that it is read each time.
    let seconds = best(|| {
        let file = fs::File::open(pipeline.at("in.csv")).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
        let verdict = pipeline.with(|subject| freshness::look(subject, &pipeline.files()));
        assert!(
            matches!(verdict, freshness::Verdict::UpToDate(_)),
            "{verdict:?}"
        );
    });
    println!("hashing: {:.2} GiB/s", 1.0 / seconds);
}

#[test]
#[ignore = "prints figures"]
fn ten_thousand_files_of_code() {
    for pipeline in [Pipeline::with_git(), Pipeline::new()] {
        for file in 0..10_000 {
            let name = format!("step/package_{}/module_{file}.py", file % 100);
            pipeline.write(&name, &format!("print({file})\n"));
        }
        let is_git = pipeline.at(".git").exists();
        if is_git {
            pipeline.git(&["add", "."]);
            pipeline.git(&["commit", "-qm", "many"]);
        }
        println!("in a repository: {is_git}");
        println!("  first run: {:.1} ms", 1e3 * best(|| pipeline.make()));
        Pipeline::settle();
        pipeline.is_up_to_date();
        let judged = best(|| pipeline.with(|it| freshness::judge(it, &pipeline.files())));
        println!("  judge: {:.1} ms", 1e3 * judged);
        let begun = best(|| pipeline.begin());
        pipeline.make();
        println!("  begin: {:.1} ms", 1e3 * begun);
        let size = fs::metadata(pipeline.record()).unwrap().len();
        println!("  record: {size} bytes");
    }
}

#[test]
#[ignore = "prints figures"]
fn small_steps() {
    for pipeline in [Pipeline::with_git(), Pipeline::new()] {
        pipeline.make();
        Pipeline::settle();
        pipeline.is_up_to_date();
        let files = pipeline.files();
        files.list_code(&[&pipeline.at("step")]);
        let judged = best(|| pipeline.with(|it| freshness::judge(it, &files)));
        let made = best(|| {
            let begun = pipeline.with(|it| freshness::begin(it, &files).unwrap());
            begun.finish(None).unwrap()
        });
        let listed = best(|| pipeline.files().list_code(&[&pipeline.at("step")]));
        println!(
            "judge {:.2} ms, begin and finish {:.2} ms, list {:.2} ms",
            1e3 * judged,
            1e3 * made,
            1e3 * listed
        );
    }
}
