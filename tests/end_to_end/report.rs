//! `report.html`: a page about each run, among its artifacts and where `--report` wants it.

use std::path::PathBuf;

use crate::harness::{Ended, Folder, wait_until};
use crate::stand_in::{Answer, StandIn};
use crate::tracking::{Run, runs};

/// A pipeline of three steps, each with an output and numbers of its own.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  load:\n  clean:\n  train: {retries: 1, retry_delay: 10ms}\n",
    );
    folder.step(
        "load",
        "parameters: {rows: {default: 891}, raw: {default: ../raw.csv}}\noutputs: [raw]\n\
         command: 'echo {rows} > {raw}; echo rows_read {rows} >> ${{PIPELINE_METRICS:-/dev/null}}'",
    );
    folder.step(
        "clean",
        "parameters: {raw: {default: ../raw.csv}, clean: {default: ../clean.csv}}\ninputs: [raw]\noutputs: [clean]\n\
         command: 'cp {raw} {clean}; printf \"rows_kept 1\\nrows_kept 183\\nnulls.Age 177\\n\" >> ${{PIPELINE_METRICS:-/dev/null}}'",
    );
    folder.step(
        "train",
        "parameters: {clean: {default: ../clean.csv}, model: {default: ../model}}\ninputs: [clean]\noutputs: [model]\n\
         command: 'echo told; echo; touch {model}; test -e ../good'",
    );
    folder
}

fn recorded(folder: &Folder) -> Vec<Run> {
    runs(&folder.path().join("mlflow.db"))
}

/// The page of the pipeline's newest run.
fn page(folder: &Folder) -> String {
    let runs = recorded(folder);
    let run = runs.iter().rfind(|run| run.tag("pipeline.name").is_some());
    folder.read(&format!(
        "mlruns/0/{}/artifacts/report.html",
        run.unwrap().id
    ))
}

/// The row of a step in the table of steps, without its markup.
#[track_caller]
fn row(page: &str, step: &str) -> String {
    let (_, table) = page.split_once("<table class=steps>").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let mut rows = table.split("<tr>").map(text);
    let row = rows.find(|row| row.starts_with(step));
    row.unwrap_or_else(|| panic!("no row of {step} in {page}"))
}

/// The text of HTML, cells apart.
fn text(html: &str) -> String {
    let cells = html.replace("<td>", "<>|");
    let parts = cells
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<String>().trim().to_owned()
}

#[test]
fn it_says_what_ran_why_and_what_came_out() {
    let folder = pipeline();
    folder.file("good", "");
    folder.orchestrator(&["--cached", "-j", "2"]).run().ends(0);
    let first = page(&folder);
    assert!(
        first.contains("<h1>demo <span class=ok>✓ finished</span></h1>"),
        "{first}"
    );
    assert!(!first.contains("Changed parameters"), "{first}");
    assert!(first.len() < 15_000, "{}", first.len());
    folder
        .orchestrator(&["--cached", "--rows", "5000", "--report", "copy.html"])
        .run()
        .ends(0);
    let page = page(&folder);
    assert_eq!(page, folder.read("copy.html"));
    let load = row(&page, "load");
    assert!(load.starts_with("load|✓ finished|"), "{load}");
    assert!(
        load.contains("|parameter rows is 5000 (was 891)|rows_read 5,000"),
        "{load}"
    );
    let clean = row(&page, "clean");
    assert!(
        clean.contains("|its input raw (../raw.csv) changed"),
        "{clean}"
    );
    assert!(clean.ends_with("rows_kept 183 nulls.Age 177"), "{clean}");
    let page_text = text(&page);
    for expected in [
        "load.rows8915000",
        "orchestrator --cached --rows 5000 --report copy.html",
        "clean clean.csv, 5 bytes",
    ] {
        assert!(
            page_text.replace('|', "").contains(expected),
            "{expected}: {page_text}"
        );
    }
    // Only the pipeline's run has one, and nothing is left of how it was written.
    let reports = std::process::Command::new("find")
        .arg(folder.path().join("mlruns"))
        .args(["-name", "*html*"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(reports.stdout).unwrap().lines().count(),
        2
    );
    folder.orchestrator(&["--cached"]).run().ends(0);
    let third = self::page(&folder);
    let load = row(&third, "load");
    assert!(load.contains("parameter rows is 891 (was 5000)"), "{load}");
    folder.orchestrator(&["--cached"]).run().ends(0);
    let fourth = self::page(&folder);
    let load = row(&fourth, "load");
    assert!(
        load.starts_with("load|– up to date||made ") && load.contains(" ago by run "),
        "{load}"
    );
    assert!(
        text(&fourth).contains("Changed parametersNone, against the run before of "),
        "{fourth}"
    );
}

#[test]
fn a_run_that_failed_or_was_stopped_has_one() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(1);
    let page = page(&folder);
    assert!(
        page.contains("<span class=bad>✗ failed</span></h1>"),
        "{page}"
    );
    let train = row(&page, "train");
    assert!(
        train.contains("|✗ failed|") && train.contains(" in 2 tries|always runs"),
        "{train}"
    );
    let (_, details) = page.split_once("<details open>").unwrap();
    let details = text(details.split("</details>").next().unwrap());
    for expected in [
        "How it endedstep train failed with exit code 1 after ",
        "Last linestold\n",
        "Tries✗ failed after ",
    ] {
        assert!(details.contains(expected), "{expected}: {details}");
    }

    // Stopped while a step runs, and while one waits to be tried again.
    for (command, entry, state) in [
        ("touch ../up; sleep 1000", "", "✗ stopped"),
        ("exit 1", "{retries: 1, retry_delay: 1h}", "✗ failed"),
    ] {
        let folder = Folder::new();
        folder.file(
            "MLproject",
            format!("name: demo\nenv_manager: local\nsteps:\n  a: {entry}\n  b:\n"),
        );
        folder
            .step("a", &format!("command: {command}"))
            .step("b", "command: 'true'");
        let started = folder
            .orchestrator(&["--grace", "100ms", "--report", "r.html"])
            .start();
        wait_until("the step is there", || {
            folder.exists("up")
                || folder.logs("a").len() == 1
                    && recorded(&folder).iter().any(|run| run.status == "FAILED")
        });
        started.signal("TERM");
        let ended = started.end();
        let page = self::page(&folder);
        assert!(
            page.contains("<span class=cut>✗ stopped</span></h1>"),
            "{ended:?} {page}"
        );
        assert!(page.contains("SIGTERM"), "{page}");
        assert_eq!(page, folder.read("r.html"));
        assert!(
            row(&page, "a").contains(state) || row(&page, "a").contains("✗ stopped"),
            "{page}"
        );
        assert!(row(&page, "b").starts_with("b|– not started|"), "{page}");
    }
}

#[test]
fn a_run_that_was_killed_has_the_one_from_before() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n  b:\n",
    );
    folder.step("a", "command: sleep 1.1").step(
        "b",
        "command: '[ -e ../up ] || ( touch ../up; sleep 1000 )'",
    );
    let started = folder.orchestrator(&["--grace", "100ms"]).start();
    wait_until("the second step runs", || folder.exists("up"));
    started.signal("KILL");
    started.end().dies_of(9);
    let page = page(&folder);
    assert!(
        page.contains("<span class=run>… running</span></h1>"),
        "{page}"
    );
    assert!(row(&page, "a").starts_with("a|✓ finished|1."), "{page}");
    assert!(row(&page, "b").starts_with("b|– not started|"), "{page}");
}

#[test]
fn a_server_gets_the_page_of_a_killed_run_from_the_next_one() {
    let server = StandIn::new(|_| Answer::Usual);
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n",
    );
    folder.step("a", "command: touch ../up; sleep 1000");
    let arguments = ["--grace", "100ms", "--tracking-uri", &server.url()];
    let started = folder.orchestrator(&arguments).start();
    wait_until("the step runs", || folder.exists("up"));
    started.signal("KILL");
    started.end().dies_of(9);
    assert_eq!(server.artifacts().len(), 0);
    let resend = ["--resend", "--tracking-uri", &server.url()];
    folder.orchestrator(&resend).run().ends(0);
    let artifacts = server.artifacts();
    let mut pages = artifacts.iter();
    let (_, page) = pages
        .find(|(path, _)| path.ends_with("/report.html"))
        .unwrap();
    let page = String::from_utf8_lossy(page);
    assert!(
        page.contains("<span class=run>… running</span></h1>"),
        "{page}"
    );
    assert_eq!(server.ends().len(), 2);
}

#[test]
fn what_others_call_so_stays() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: }\n",
    );
    folder.step(
        "a",
        "command: echo mine > ../mlruns/0/$MLFLOW_RUN_ID/artifacts/report.html",
    );
    folder.orchestrator(&[]).run().ends(0);
    let recorded = recorded(&folder);
    let at = |run: &Run, name: &str| format!("mlruns/0/{}/artifacts/{name}", run.id);
    assert_eq!(folder.read(&at(&recorded[1], "report.html")), "mine\n");
    // Inside of the step's run.
    let inside = || {
        folder
            .orchestrator(&[])
            .env("MLFLOW_RUN_ID", &recorded[1].id)
            .run()
            .ends(0);
    };
    inside();
    inside();
    assert_eq!(folder.read(&at(&recorded[1], "report.html")), "mine\n");
    for name in ["report-2.html", "report-3.html"] {
        let page = folder.read(&at(&recorded[1], name));
        assert!(page.contains("✓ finished</span></h1>"), "{page}");
    }
}

#[test]
fn without_a_record_it_is_written_where_it_is_asked_for() {
    let folder = pipeline();
    folder.file("good", "").file("out/old.html", "old");
    folder.orchestrator(&["--no-tracking"]).run().ends(0);
    folder
        .orchestrator(&["--no-tracking", "--report", "../out/old.html", "-C", ".."])
        .inside("load")
        .run()
        .ends(0);
    let page = folder.read("out/old.html");
    assert!(
        page.contains("✓ finished</span></h1>") && !page.contains("<dt>Run"),
        "{page}"
    );
    let mut files = folder.files();
    files.retain(|name| name.contains("html"));
    assert_eq!(files, ["out/old.html"]);
    assert!(!folder.exists("mlflow.db"));
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_first_step() {
    let folder = pipeline();
    folder.file("good", "");
    let refused = |file: &str, reason: &str| -> Ended {
        let ended = folder.orchestrator(&["--report", file]).run();
        let ended = ended
            .says("error: cannot write the report to ")
            .says("; nothing was run\n")
            .says(reason);
        ended.says("hint: `--report FILE` names a file in a folder that is there\n")
    };
    refused("missing/r.html", "No such file or directory").ends(1);
    refused("load", "it is a folder").ends(1);
    refused("/dev/null", "it is not a regular file").ends(1);
    refused("good/r.html", "Not a directory").ends(1);
    assert!(!folder.exists("raw.csv") && !folder.exists("mlflow.db"));
    for action in ["--list", "--dry-run", "--check", "--history", "--resend"] {
        let ended = folder.orchestrator(&["--report", "r.html", action]).run();
        ended.says("cannot be used with").ends(2);
    }
    // A link to a file stays one.
    folder.file("real.html", "old");
    std::os::unix::fs::symlink("real.html", folder.path().join("link.html")).unwrap();
    folder
        .orchestrator(&["--report", "link.html"])
        .run()
        .ends(0);
    assert!(folder.path().join("link.html").is_symlink());
    assert!(folder.read("real.html").contains("✓ finished</span></h1>"));
}

#[test]
fn nothing_secret_is_in_it() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nenv: {HF_TOKEN: hidden1}\nsteps: {a: }\n",
    );
    folder.step("a", "parameters: {api_key: str, url: uri}\ncommand: 'echo {api_key} {url} > ../got; echo at {url}; exit 1'");
    let arguments = [
        "--api_key",
        "hidden2",
        "-Purl=https://u:hidden3@h/x?token=hidden4",
        "--report",
        "r.html",
    ];
    folder.orchestrator(&arguments).run().ends(1);
    assert!(folder.read("got").contains("hidden4"));
    for page in [page(&folder), folder.read("r.html")] {
        assert!(!page.contains("hidden"), "{page}");
        assert!(page.contains("at https://***@h/x?token=***"), "{page}");
    }
}

/// A pipeline whose names and output are made to break a page; its pages are in `r.html` of its folder.
pub(crate) fn hostile() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let names = [
        "<script>alert(1)</script>",
        "a & \"b\" 'c'",
        "שלום עולם",
        &"long".repeat(60),
        "last",
    ];
    let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
    let mut steps = String::new();
    for (number, name) in names.iter().enumerate() {
        steps += &[
            "  ",
            &quoted(name),
            &format!(": {{project: step{number}}}\n"),
        ]
        .concat();
        folder.step(
            &format!("step{number}"),
            "parameters: {text: {default: '</pre><img src=x onerror=alert(2)>'}}\n\
             command: 'printf \"\\0\\033[31m<b>&amp;</style>]]>--><!-- \\342\\200\\256 https://h/ \\377\\n\"; echo \"a<b 1\" >> $PIPELINE_METRICS; test $STEP != 4'\n"
                .replace("$STEP", &number.to_string())
                .trim_end(),
        );
    }
    folder.file(
        "MLproject",
        format!("name: '<h1>&\"'\nenv_manager: local\nsteps:\n{steps}"),
    );
    folder.orchestrator(&["--report", "r.html"]).run().ends(1);
    let file = folder.path().join("r.html");
    (folder, file)
}

#[test]
fn hostile_names_and_output_are_text() {
    let (folder, _) = hostile();
    let page = folder.read("r.html");
    for never in [
        "<script",
        "<img",
        "<b>&amp;<",
        "onerror=alert(2)>",
        "\u{202e}",
        "\0",
        "\u{1b}",
    ] {
        assert!(!page.contains(never), "{never:?}: {page}");
    }
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    assert!(page.contains("שלום עולם"), "{page}");
    assert!(page.len() < 25_000, "{}", page.len());
}

#[test]
fn a_thousand_steps_have_one_of_its_size() {
    let folder = Folder::new();
    let steps = (0..1000).map(|number| format!("  step_{number}: {{project: one}}\n"));
    let steps = steps.collect::<Vec<_>>().concat();
    folder.file(
        "MLproject",
        format!("name: demo\nenv_manager: local\nsteps:\n{steps}"),
    );
    folder.step("one", "parameters: {a: {default: 1}, b: {default: text}}\ncommand: echo told; echo rows 12 >> $PIPELINE_METRICS");
    folder.orchestrator(&["-j", "4"]).run().ends(0);
    let page = page(&folder);
    assert!(page.len() <= 100_000, "{}", page.len());
    assert!(page.contains("1,000 steps ran in "), "{page}");
}
