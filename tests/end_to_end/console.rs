//! What a user sees on a terminal while a pipeline runs: exact screens.

#![cfg(target_os = "linux")]

use crate::harness::Folder;
use crate::parallel::beside;
use crate::pseudo_terminal::{Seen, Terminal};

/// What is on the screen at the end of a run, without the line that names its report.
fn at_end(seen: &Seen) -> String {
    let text = seen.text();
    let (rest, report) = text.rsplit_once("\nreport: ").unwrap();
    assert!(report.ends_with("/artifacts/report.html"), "{text}");
    rest.to_owned()
}

/// Waits for a file that the test writes.
fn until(file: &str) -> String {
    format!("until [ -e ../{file}.go ]; do sleep 0.01; done")
}

#[test]
fn one_at_a_time_there_is_a_line_below_what_a_step_prints() {
    let wait = [until("1"), until("2"), until("3")];
    let bar = format!(
        "echo one\n{}\nprintf '50%%'\n{}\nprintf '\\r100%%\\n'\n{}",
        wait[0], wait[1], wait[2]
    );
    let folder = beside(&[("a", &bar), ("b", &format!("echo two\n{}", until("4")))]);
    let terminal = Terminal::start(&folder, "orchestrator", (16, 80), &[]);
    terminal.shows("[1/2] a: running\none\n0/2 done: a N s");
    folder.file("1.go", "");
    // What is not ended is not written over.
    terminal.shows("[1/2] a: running\none\n50%");
    folder.file("2.go", "");
    terminal.shows("[1/2] a: running\none\n100%\n0/2 done: a N s");
    folder.file("3.go", "");
    let first = "[1/2] a: running\none\n100%\n[1/2] a: finished in [TIME]\n";
    terminal.shows(&format!("{first}[2/2] b: running\ntwo\n1/2 done: b N s"));
    folder.file("4.go", "");
    let last = "[2/2] b: running\ntwo\n[2/2] b: finished in [TIME]\n\
        STEP  STATE     TIME\na     finished  [TIME]\nb     finished  [TIME]\n\
        demo: 2 steps finished in [TIME]";
    let seen = terminal.ends(0);
    assert_eq!(at_end(&seen), format!("{first}{last}"));
    // The title of the window and its other settings are the user's.
    let written = String::from_utf8(seen.bytes).unwrap();
    assert!(!written.contains("\u{1b}]") && !written.contains("\u{1b}[?"));
}

#[test]
fn what_a_step_does_not_end_stays_and_own_lines_begin_a_line() {
    let folder = beside(&[
        ("a", "printf 'no end'"),
        ("b", "printf 'none\\nhere'; exit 3"),
    ]);
    let terminal = Terminal::start(&folder, "orchestrator", (20, 60), &[]);
    let seen = terminal.ends(1).text();
    let begin = "[1/2] a: running\nno end\n[1/2] a: finished in [TIME]\n[2/2] b: running\nnone\nhere\n\
        STEP  STATE     TIME\na     finished  [TIME]\nb     failed    [TIME]\n\
        report: mlruns/0/[RUN]/artifacts/report.html\nerror: step `b` failed with exit code 3 after [TIME]\n  command: printf";
    assert!(seen.starts_with(begin), "{seen}");
    // It was just seen.
    assert!(!seen.contains("last"), "{seen}");
}

#[test]
fn a_step_that_moves_the_cursor_has_the_screen_for_itself() {
    // Two bars, one below the other.
    let bars = format!(
        "printf 'x 1\\ny 1\\n'; {}; printf '\\033[2Ax 2\\ny 2\\n'; {}; printf '\\033[2Ax 3\\n'; {}; printf 'y 3\\n'",
        until("1"),
        until("2"),
        until("3")
    );
    let folder = beside(&[("a", &bars), ("b", &until("4"))]);
    let terminal = Terminal::start(&folder, "orchestrator", (16, 80), &[]);
    terminal.shows("[1/2] a: running\nx 1\ny 1\n0/2 done: a N s");
    folder.file("1.go", "");
    terminal.shows("[1/2] a: running\nx 2\ny 2");
    folder.file("2.go", "");
    terminal.shows("[1/2] a: running\nx 3\ny 2");
    folder.file("3.go", "");
    terminal.shows(
        "[1/2] a: running\nx 3\ny 3\n[1/2] a: finished in [TIME]\n[2/2] b: running\n1/2 done: b N s",
    );
    folder.file("4.go", "");
    terminal.ends(0);
}

/// Four steps of which each prints a line, and then waits for a file with its name.
fn four() -> Folder {
    let names = ["alpha", "beta", "gamma", "a_long_name"];
    let commands = names.map(|name| format!("echo {name} began\n{}", until(name)));
    let steps: Vec<(&str, &str)> = names
        .into_iter()
        .zip(commands.iter().map(String::as_str))
        .collect();
    beside(&steps)
}

/// The lines of a screen, sorted but for the last.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some((_, all)) = lines.split_last_mut() {
        all.sort_unstable();
    }
    lines
}

#[test]
fn four_at_once_have_their_line_at_80_and_at_40_columns() {
    for (columns, line) in [
        (
            80,
            "0/4 done: alpha N s, beta N s, gamma N s, a_long_name N s",
        ),
        (40, "0/4 done: alpha N s, beta N s, +2"),
    ] {
        let folder = four();
        let terminal = Terminal::start(&folder, "orchestrator -j 4", (26, columns), &[]);
        let all = [
            "[1/4] alpha: running",
            "[2/4] beta: running",
            "[3/4] gamma: running",
            "[4/4] a_long_name: running",
            "a_long_name | a_long_name began",
            "alpha       | alpha began",
            "beta        | beta began",
            "gamma       | gamma began",
        ];
        let shown = terminal.until(|text| text.lines().count() == 9 && text.ends_with(line));
        assert_eq!(sorted(&shown), [&all[..], &[line]].concat());
        for (done, left) in [("alpha", 3), ("beta", 2), ("gamma", 1)] {
            folder.file(&format!("{done}.go"), "");
            let begin = format!("{}/4 done: ", 4 - left);
            terminal.until(|text| text.lines().last().unwrap_or_default().starts_with(&begin));
        }
        folder.file("a_long_name.go", "");
        let seen = at_end(&terminal.ends(0));
        let table = "STEP         STATE     TIME\nalpha        finished  [TIME]\nbeta         finished  [TIME]\n\
            gamma        finished  [TIME]\na_long_name  finished  [TIME]\ndemo: 4 steps finished in [TIME]";
        assert!(seen.ends_with(table), "{seen}");
        assert!(!seen.contains("done"), "{seen}");
        assert_eq!(seen.lines().count(), 4 + 4 + 4 + 6, "{seen}");
    }
}

#[test]
fn bars_of_steps_beside_each_other_are_lines() {
    let bar = "for i in 10 50 100; do printf \"\\r\\033[2K$i%%\"; done; echo";
    let folder = beside(&[("a", bar), ("b", bar)]);
    let terminal = Terminal::start(&folder, "orchestrator -j 2", (20, 80), &[]);
    let seen = terminal.ends(0).text();
    assert_eq!(seen.matches("a | 100%\n").count(), 1, "{seen}");
    assert_eq!(seen.matches("b | 100%\n").count(), 1, "{seen}");
}

#[test]
fn a_new_size_is_followed() {
    let folder = four();
    let terminal = Terminal::start(&folder, "orchestrator -j 4", (20, 80), &[]);
    let wide = "0/4 done: alpha N s, beta N s, gamma N s, a_long_name N s";
    terminal.until(|text| text.lines().count() == 9 && text.ends_with(wide));
    terminal.resize(20, 30);
    let narrow = "0/4 done: alpha N s, +3";
    let shown = terminal.until(|text| text.ends_with(narrow));
    assert_eq!(shown.lines().count(), 9, "{shown}");
    terminal.resize(20, 12);
    // The first name stays as far as there is room.
    let shown = terminal.until(|text| text.ends_with("\n0/4 done: …"));
    assert_eq!(shown.matches("done").count(), 1, "{shown}");
    terminal.resize(20, 80);
    terminal.until(|text| text.ends_with(wide));
    for name in ["alpha", "beta", "gamma", "a_long_name"] {
        folder.file(&format!("{name}.go"), "");
    }
    terminal.ends(0);
}

#[test]
fn ctrl_c_leaves_a_clean_screen() {
    let folder = four();
    let terminal = Terminal::start(
        &folder,
        "orchestrator -j 4; code=$?; echo 'prompt$'; exit $code",
        (20, 80),
        &[],
    );
    terminal.until(|text| text.lines().count() == 9 && text.ends_with(" s"));
    terminal.press("\u{3}");
    let seen = terminal.ends(130);
    let text = seen.text();
    let end = text.split("STEP").nth(1).unwrap_or(&text);
    let table = "         STATE    TIME\nalpha        stopped  [TIME]\nbeta         stopped  [TIME]\n\
        gamma        stopped  [TIME]\na_long_name  stopped  [TIME]\n\
        report: mlruns/0/[RUN]/artifacts/report.html\nerror: stopped by SIGINT while steps `";
    assert!(end.starts_with(table), "{text}");
    assert!(end.ends_with("` were running\nprompt$"), "{text}");
    assert!(!text.contains("done"), "{text}");
    assert_eq!(seen.screen().cursor_position().1, 0);
}

#[test]
fn ctrl_z_takes_the_line_away_and_fg_brings_it_back() {
    for options in ["", "-j 2"] {
        let folder = beside(&[
            ("a", &format!("echo ready; {}", until("go"))),
            ("b", "true"),
        ]);
        let line =
            format!("set -m; orchestrator {options}; echo shell; read answer; fg > /dev/null");
        let terminal = Terminal::start(&folder, &line, (20, 80), &[]);
        // What is typed before the step has begun is nobody's yet.
        terminal.until(|text| text.contains("ready\n") && text.ends_with("/2 done: a N s"));
        terminal.press("\u{1a}");
        let shown = terminal.until(|text| text.ends_with("shell"));
        assert!(!shown.contains("done"), "{shown}");
        terminal.press("x\r");
        terminal.until(|text| text.ends_with("/2 done: a N s"));
        folder.file("go.go", "");
        let seen = at_end(&terminal.ends(0));
        assert!(seen.ends_with("demo: 2 steps finished in [TIME]"), "{seen}");
        assert!(!seen.contains("done"), "{seen}");
    }
}

#[test]
fn in_the_background_there_is_no_line() {
    let folder = beside(&[("a", &until("go")), ("b", "true")]);
    let line = "set -m; orchestrator & read answer; touch go.go; wait";
    let terminal = Terminal::start(&folder, line, (20, 80), &[]);
    terminal.until(|text| text.ends_with("[1/2] a: running"));
    terminal.press("typed\r");
    let seen = terminal.ends(0);
    assert!(!String::from_utf8(seen.bytes).unwrap().contains("done"));
}

#[test]
fn a_signal_from_elsewhere_and_a_death_leave_no_line() {
    for (signal, code) in [("TERM", 143), ("KILL", 137)] {
        let folder = beside(&[
            (
                "a",
                &format!("echo $$ > ../pid; echo ready; {}", until("never")),
            ),
            ("b", "true"),
        ]);
        let line = "orchestrator & echo $! > orchestrator; wait $!; code=$?
            while kill -0 $(cat pid) 2> /dev/null; do sleep 0.01; done; echo end; exit $code";
        let terminal = Terminal::start(&folder, line, (20, 80), &[]);
        terminal.until(|text| text.ends_with("ready\n0/2 done: a N s"));
        let pid = folder.read("orchestrator");
        let kill = folder
            .program_in_path("kill", &["-s", signal, pid.trim()])
            .run();
        kill.ends(0);
        let seen = terminal.ends(code).text();
        assert!(seen.ends_with("\nend") && !seen.contains("done"), "{seen}");
    }
}

#[test]
fn a_failing_step_is_told_again_only_where_others_ran_beside_it() {
    let failing = "echo Traceback; echo ValueError: $((40 + 2)) >&2; exit 1";
    let alone = beside(&[("a", failing), ("b", "true")]);
    let seen = Terminal::start(&alone, "orchestrator", (30, 80), &[])
        .ends(1)
        .text();
    assert_eq!(seen.matches("ValueError: 42").count(), 1, "{seen}");
    assert!(
        seen.contains("b     not run\nreport: mlruns/0/[RUN]/artifacts/report.html\nerror: step `a` failed with exit code 1 after [TIME]\n"),
        "{seen}"
    );
    let seen = Terminal::start(&alone, "orchestrator -j 2", (30, 80), &[])
        .ends(1)
        .text();
    assert_eq!(seen.matches("ValueError: 42").count(), 2, "{seen}");
    assert!(seen.contains("  last 2 lines:\n"), "{seen}");
    // One output is not seen.
    let seen = Terminal::start(&alone, "orchestrator > out", (30, 80), &[])
        .ends(1)
        .text();
    assert!(seen.contains("  last 2 lines:\n"), "{seen}");
    alone
        .orchestrator(&[])
        .run()
        .says("  last 2 lines:\n    ")
        .ends(1);
}

/// The style of the first place where a text stands on the screen.
fn style_of(seen: &Seen, text: &str) -> (vt100::Color, bool, bool) {
    let screen = seen.screen();
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let found = (0..rows).find_map(|row| {
        let line: String = screen.rows(0, columns).nth(row.into()).unwrap_or_default();
        let column = line.find(text)?;
        Some((row, u16::try_from(line[..column].chars().count()).unwrap()))
    });
    let (row, column) = found.unwrap_or_else(|| panic!("{text} is not in {}", screen.contents()));
    let cell = screen.cell(row, column).unwrap();
    (cell.fgcolor(), cell.bold(), cell.dim())
}

#[test]
fn states_and_names_have_colours_on_a_terminal_that_has_some() {
    let folder = beside(&[("a", "echo 'a: plain'"), ("bad", "exit 3")]);
    let seen = Terminal::start(&folder, "orchestrator", (30, 80), &[]).ends(1);
    let index = vt100::Color::Idx;
    assert_eq!(
        style_of(&seen, "[1/2]"),
        (vt100::Color::Default, true, false)
    );
    assert_eq!(style_of(&seen, "a: running"), (index(6), true, false));
    assert_eq!(style_of(&seen, "running"), (index(6), false, false));
    assert_eq!(
        style_of(&seen, "a: plain"),
        (vt100::Color::Default, false, false)
    );
    assert_eq!(style_of(&seen, "finished in"), (index(2), false, false));
    assert_eq!(
        style_of(&seen, " in 0."),
        (vt100::Color::Default, false, true)
    );
    assert_eq!(style_of(&seen, "failed"), (index(1), true, false));
    assert_eq!(style_of(&seen, "error:"), (index(1), true, false));
    assert_eq!(
        style_of(&seen, "step `bad`"),
        (vt100::Color::Default, false, false)
    );
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
        let seen =
            Terminal::start(&folder, "orchestrator -j 2", (30, 80), &[(name, value)]).ends(1);
        let written = String::from_utf8(seen.bytes).unwrap();
        // Without colours the line at the bottom is still there, but not where the cursor cannot be moved.
        assert_eq!(written.contains("done"), name == "NO_COLOR", "{written}");
        let kept = written.replace("\r\u{1b}[J", "");
        assert!(!kept.contains('\u{1b}'), "{kept:?}");
    }
}

#[test]
fn in_a_pipe_there_are_no_escapes_unless_somebody_asks_for_colours() {
    let folder = beside(&[("a", "echo one"), ("b", "echo two >&2")]);
    for options in [&[][..], &["-j", "2"]] {
        let ended = folder.orchestrator(options).env("TERM", "xterm").run();
        ended.ends(0);
        for text in [ended.stdout(), ended.stderr()] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\r') && !text.contains("STEP"),
                "{text:?}"
            );
        }
        let forced = folder.orchestrator(options).env("CLICOLOR_FORCE", "1");
        let forced = forced.run().says("\u{1b}[32mfinished\u{1b}[0m");
        assert!(!forced.stderr().contains("\u{1b}[J") && !forced.stderr().contains("done"));
        let refused = folder
            .orchestrator(options)
            .env("CLICOLOR_FORCE", "1")
            .env("NO_COLOR", "1")
            .run();
        assert!(!refused.stderr().contains('\u{1b}'));
    }
    // Each output for itself: another program that reads one may write to the same terminal.
    let line = "orchestrator -j 2 | cat";
    let seen = Terminal::start(&folder, line, (30, 80), &[]).ends(0);
    let written = String::from_utf8(seen.bytes).unwrap();
    assert!(
        written.contains("a | one\r\n") && written.contains("\u{1b}[32mfinished\u{1b}[0m"),
        "{written:?}"
    );
    assert!(
        written.contains("STEP") && !written.contains("done"),
        "{written:?}"
    );
}

#[test]
fn the_table_has_reasons_and_the_metrics_that_a_step_told() {
    let folder = Folder::new();
    let names = "env_manager: local\nname: demo\ncached: true\nsteps: [make, train]";
    folder.file("MLproject", names);
    folder.step(
        "make",
        "parameters: {a: {default: ../a}}\noutputs: [a]\ncommand: echo 1 > {a}",
    );
    folder.step("train", "parameters: {a: {default: ../a}, b: {default: ../b}}\ninputs: [a]\noutputs: [b]\n\
        command: |\n  cp {a} {b}; for error in 3 2.33912; do echo error $error >> $PIPELINE_METRICS; done; echo 日本語 0.5 >> $PIPELINE_METRICS");
    let end = |seen: Seen| {
        at_end(&seen)
            .split_once("STEP")
            .unwrap_or_default()
            .1
            .to_owned()
    };
    let first = end(Terminal::start(&folder, "orchestrator", (30, 80), &[]).ends(0));
    assert_eq!(
        first,
        "   STATE     WHY                 TIME   METRICS\n\
         make   finished  has not run before  [TIME]\n\
         train  finished  has not run before  [TIME]  error 2.339, 日本語 0.5\n\
         demo: 2 steps finished in [TIME]"
    );
    folder.step("train", "parameters: {a: {default: ../a}, b: {default: ../b}}\ninputs: [a]\noutputs: [b]\n\
        command: cp {a} {b}; echo error 2 >> $PIPELINE_METRICS; echo loss 0.25 >> $PIPELINE_METRICS");
    let second = end(Terminal::start(&folder, "orchestrator", (30, 40), &[]).ends(0));
    // Metrics before reasons, which stand above.
    assert_eq!(
        second,
        "   STATE       TIME   METRICS\n\
         make   up to date\n\
         train  finished    [TIME]  error 2, loss…\n\
         demo: 1 step finished in [TIME], 1 was up to date"
    );
}

#[test]
fn a_run_of_one_step_has_neither_line_nor_table() {
    let folder = beside(&[("a", "echo one")]);
    let seen = at_end(&Terminal::start(&folder, "orchestrator", (30, 80), &[]).ends(0));
    assert_eq!(
        seen,
        "[1/1] a: running\none\n[1/1] a: finished in [TIME]\ndemo: 1 step finished in [TIME]"
    );
}

/// How many lines each of eight steps prints.
const LINES: usize = 100_000;

#[test]
fn no_line_of_many_is_torn_or_lost() {
    let names: Vec<String> = (0..8).map(|number| format!("s{number}")).collect();
    let command = format!("seq -f \"$(basename $PWD) line %.0f of many\" {LINES}");
    let steps: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), command.as_str()))
        .collect();
    let folder = beside(&steps);
    let count = |text: &str| {
        let mut next = vec![1; names.len()];
        let mut others = 0;
        for line in text.lines() {
            let Some((name, said)) = line.split_once(" | ") else {
                others += 1;
                continue;
            };
            let number: usize = name.strip_prefix('s').unwrap().parse().unwrap();
            assert_eq!(
                said,
                format!("{name} line {} of many", next[number]),
                "{line:?}"
            );
            next[number] += 1;
        }
        assert!(next.iter().all(|next| *next == LINES + 1), "{next:?}");
        others
    };
    let ended = folder.orchestrator(&["-j", "8", "--no-tracking"]).run();
    ended.ends(0);
    assert_eq!(count(&ended.stdout()), 0);
    let line = "orchestrator -j 8 --no-tracking";
    let seen = Terminal::start(&folder, line, (24, 80), &[("NO_COLOR", "1")]).ends(0);
    // What is painted over is not there any more.
    let written = String::from_utf8(seen.bytes).unwrap();
    let painted = written
        .split("\r\u{1b}[J")
        .enumerate()
        .map(|(position, text)| {
            // Whatever comes before is whole lines and the line at the bottom.
            let end = text.rfind('\n').map_or(0, |end| end + 1);
            assert!(
                text[end..].is_empty() || text[end..].contains("/8 done"),
                "{position}: {text:?}"
            );
            &text[..end]
        });
    let text = painted.collect::<String>().replace("\r\n", "\n");
    assert_eq!(count(&text), 8 + 8 + 9 + 1);
}
