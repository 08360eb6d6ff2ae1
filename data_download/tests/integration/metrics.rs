use crate::program::{Ended, Folder, PROGRAM};

#[test]
fn appends_figures_for_whoever_wants_them() {
    let folder = Folder::new();
    folder.write("source.csv", "a,b\n");
    folder.write("metrics", "before 1\n");
    let run = |variable: &str| {
        let mut command = folder.command(PROGRAM);
        command.env("PIPELINE_METRICS", variable);
        Ended::of(command.args(["--data_url", "source.csv"]))
    };
    run("metrics").succeeded(4, "raw_data.csv");
    let text = String::from_utf8(folder.read("metrics")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["before 1", "bytes 4"]);
    let seconds = lines[2].strip_prefix("seconds ").unwrap();
    assert!(seconds.parse::<f64>().unwrap() < 60.0);
    assert_eq!(lines.len(), 3);

    run("").succeeded(4, "raw_data.csv");
    let ended = run("missing/metrics");
    assert!(ended.stderr().starts_with(
        "warning: cannot write the metrics to `missing/metrics`: No such file or directory"
    ));
    assert_eq!(ended.code(), Some(0));
}
