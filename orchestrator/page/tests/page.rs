//! Whole pages: what they look like, what they never hold, and how large they get.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

use std::path::Path;
use std::time::{Duration, SystemTime};

use page::{Attempt, Change, Changes, Output, Run, State, Step, render};

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn attempt(start: u64, time: u64, state: State) -> Attempt {
    Attempt {
        start: Duration::from_millis(start),
        time: Duration::from_millis(time),
        state,
    }
}

fn step(name: &str, state: State, why: &str, waits: &[usize], attempts: &[Attempt]) -> Step {
    Step {
        name: name.to_owned(),
        state,
        why: (!why.is_empty()).then(|| why.to_owned()),
        waits: waits.to_vec(),
        attempts: attempts.to_vec(),
        numbers: Vec::new(),
        ending: None,
        command: format!("{name} --raw_data /data/raw.csv"),
        parameters: vec![pair("raw_data", "/data/raw.csv")],
        environment: "local".to_owned(),
        variables: Vec::new(),
        outputs: Vec::new(),
        last_lines: Vec::new(),
    }
}

fn moment() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

/// A run with a step in every state.
fn titanic() -> Run {
    let mut clean = step(
        "data_cleaning",
        State::Finished,
        "parameter `how` is `any` (was `all`)",
        &[0],
        &[attempt(100, 1200, State::Finished)],
    );
    clean.numbers = [
        ("rows_read", 891.0),
        ("rows_kept", 183.0),
        ("rows_dropped", 708.0),
        ("nulls.Age", 177.0),
        ("nulls.Cabin", 687.0),
        ("nulls.Embarked", 2.0),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    clean.outputs = vec![Output {
        name: "clean_data".to_owned(),
        path: "clean_data.csv".to_owned(),
        bytes: Some(34_567),
    }];
    clean.last_lines = vec!["891 rows read, 183 kept".to_owned()];
    let mut forest = step(
        "train_forest",
        State::Failed,
        "code changed: train.py",
        &[1],
        &[
            attempt(1400, 700, State::Failed),
            attempt(2500, 900, State::Failed),
        ],
    );
    forest.ending = Some("step `train_forest` failed with exit code 1 after 0.9 s".to_owned());
    forest.last_lines = [
        "Traceback (most recent call last):",
        "  File \"train.py\", line 12, in <module>",
        "ValueError: n_estimators must be > 0",
    ]
    .map(str::to_owned)
    .to_vec();
    forest.variables = vec![pair("OMP_NUM_THREADS", "4")];
    let mut trees = step(
        "train_trees",
        State::Finished,
        "code changed: train.py",
        &[1],
        &[attempt(1400, 2600, State::Finished)],
    );
    trees.numbers = vec![
        ("accuracy".to_owned(), 0.7821),
        ("loss".to_owned(), 0.412_345_67),
    ];
    Run {
        pipeline: "titanic".to_owned(),
        state: State::Failed,
        start: moment(),
        time: Duration::from_millis(4100),
        user: "ada".to_owned(),
        commit: Some("64e5d36f0123456789abcdef0123456789abcdef".to_owned()),
        id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        command_line: "orchestrator --cached -j 4 -P how=any --token '***'".to_owned(),
        error: Some("error: step `train_forest` failed with exit code 1 after 0.9 s\n".to_owned()),
        steps: vec![
            step(
                "data_download",
                State::UpToDate,
                "made 3 h ago by run 64e5d36f",
                &[],
                &[],
            ),
            clean,
            forest,
            trees,
            step(
                "evaluate",
                State::LeftOut,
                "it needs what `train_forest` did not make",
                &[2, 3],
                &[],
            ),
            step("publish", State::NotStarted, "", &[1, 4], &[]),
        ],
        changes: Some(Changes {
            since: moment() - Duration::from_hours(3),
            parameters: vec![
                Change {
                    name: "how".to_owned(),
                    before: Some("all".to_owned()),
                    now: Some("any".to_owned()),
                },
                Change {
                    name: "train_trees.depth".to_owned(),
                    before: None,
                    now: Some("4".to_owned()),
                },
            ],
        }),
    }
}

/// A text that is markup, an entity, written from right to left, not allowed in HTML, and long.
fn hostile(number: usize) -> String {
    let text = format!(
        "<script>alert({number})</script>\" onload=x '&amp;& שלום \u{202e}abc\u{0}\u{1b}[31m</pre></style><!-- ]]> https://h/"
    );
    text.chars().cycle().take(250).collect()
}

/// A run of `count` steps, of which everything that can be long is, and hostile.
fn large(count: usize, name: fn(usize) -> String) -> Run {
    let steps = (0..count).map(|number| {
        let text = name(number);
        let state = [
            State::Finished,
            State::Failed,
            State::UpToDate,
            State::Stopped,
        ][number % 4];
        let time = number as u64 % 97;
        let mut step = step(
            &text,
            state,
            &text,
            &[],
            &vec![attempt(number as u64, time, state); 30],
        );
        step.waits = (0..number).collect();
        step.numbers = vec![(text.clone(), f64::NAN); 100];
        step.parameters = vec![(text.clone(), text.clone()); 100];
        step.command = text.repeat(20);
        step.ending = Some(text.repeat(10));
        step.last_lines = vec![text.repeat(2); 20];
        step.outputs = vec![
            Output {
                name: text.clone(),
                path: text.clone(),
                bytes: Some(1)
            };
            50
        ];
        step
    });
    let text = name(0);
    let change = Change {
        name: text.clone(),
        before: Some(text.clone()),
        now: None,
    };
    Run {
        pipeline: text.clone(),
        user: text.clone(),
        commit: Some(text.clone()),
        id: Some(text.clone()),
        command_line: text.repeat(100),
        error: Some(text.repeat(100)),
        steps: steps.collect(),
        changes: Some(Changes {
            since: moment(),
            parameters: vec![change; 1000],
        }),
        ..titanic()
    }
}

/// With `UPDATE` set the file is written anew.
#[test]
fn a_run_looks_like_this() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/titanic.html");
    let page = render(&titanic());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert_eq!(page, std::fs::read_to_string(&file).unwrap());
}

#[test]
fn a_page_has_its_size() {
    assert!(
        render(&titanic()).len() < 15_000,
        "{}",
        render(&titanic()).len()
    );
    for count in [1, 5, 60, 1000] {
        let size = render(&large(count, hostile)).len();
        assert!(size <= 100_000, "{count}: {size}");
        let size = render(&large(count, |_| "'".repeat(300))).len();
        assert!(size <= 100_000, "{count}: {size}");
    }
    // With names as people give them, the first 300 are there.
    let steps = (0..1000).map(|number| {
        let before = number - usize::from(number > 0);
        let mut step = step(
            &format!("step_{number}"),
            State::Finished,
            "code changed: train.py",
            &[before],
            &[attempt(number as u64 * 10, 10, State::Finished)],
        );
        step.numbers = vec![("rows".to_owned(), 12.0)];
        step
    });
    let mut run = titanic();
    run.steps = steps.collect();
    run.steps[0].waits.clear();
    run.steps[700].state = State::Failed;
    let page = render(&run);
    assert!(page.len() <= 100_000, "{}", page.len());
    for section in ["<table class=steps", "class=bars"] {
        let (_, part) = page.split_once(section).unwrap();
        let rows = part
            .split("</section>")
            .next()
            .unwrap()
            .matches("step_")
            .count();
        assert!((250..=310).contains(&rows), "{section}: {rows}");
    }
    assert!(
        page.contains(" more; those that failed and the slowest"),
        "{page}"
    );
    assert!(page.contains("<details open><summary><span class=bad>✗ <b>step_700</b> failed"));
}

#[test]
fn nothing_is_loaded_and_no_text_is_markup() {
    for run in [titanic(), large(5, hostile)] {
        let page = render(&run);
        // Without its texts.
        let mut markup = String::new();
        for part in page.split('<').skip(1) {
            let (tag, _) = part.split_once('>').unwrap();
            markup += &["<", tag, ">"].concat();
        }
        for never in [
            "<script",
            "<link",
            "<img",
            "<iframe",
            "<!--",
            " src=",
            " onload=x",
            "http",
            "url(",
        ] {
            let labels = ["aria-label", "content"];
            let tags = markup
                .split('<')
                .filter(|tag| !labels.iter().any(|label| tag.contains(label)));
            assert!(
                !tags.collect::<Vec<_>>().join("<").contains(never),
                "{never}: {markup}"
            );
        }
        for link in page.split("href=").skip(1) {
            assert!(link.starts_with("\"#s"), "{link:.40}");
        }
        assert!(!page.contains(|character: char| character.is_control() && character != '\n'));
        assert!(!page.contains('\u{202e}'));
        assert_eq!(page.matches("<style>").count(), 1);
    }
}

/// What WCAG calls the relative luminance of a colour.
fn luminance(colour: &str) -> f64 {
    let digits = colour.trim_start_matches('#');
    let digits = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

#[test]
fn every_text_can_be_read_in_both_modes() {
    let style = include_str!("../src/page.css");
    let modes: Vec<&str> = style.split(":root{").skip(1).collect();
    assert_eq!(modes.len(), 2);
    for mode in modes {
        let colour = |name: &str| {
            let (_, rest) = mode.split_once(&format!("--{name}:")).unwrap();
            luminance(&rest[..rest.find([';', '}']).unwrap()])
        };
        for text in ["fg", "dim", "ok", "bad", "cut", "run", "no"] {
            for ground in ["bg", "soft"] {
                let (text, ground) = (colour(text), colour(ground));
                let contrast = (text.max(ground) + 0.05) / (text.min(ground) + 0.05);
                assert!(contrast >= 4.5, "{contrast} in {mode}");
            }
        }
    }
}
