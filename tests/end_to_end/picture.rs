//! The picture of the quickstart: drawn from a real run on a terminal, and kept true.

#![cfg(target_os = "linux")]

use std::fmt::Write;
use std::path::PathBuf;

use crate::harness::{Folder, repository};
use crate::pseudo_terminal::{Seen, Terminal};

/// Of one character, in pixels.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 19.0;

/// Around the text, in pixels; above it is the bar of the window.
const MARGIN: f32 = 20.0;
const BAR: f32 = 36.0;

/// As many lines as the picture has at most.
const LINES: usize = 28;

fn file() -> PathBuf {
    repository().join("orchestrator/images/quickstart.svg")
}

/// The quickstart on a terminal, as far as the picture goes.
fn quickstart() -> Seen {
    let folder = Folder::new();
    folder.file("paste", crate::readme::paste());
    let commands = ". ./paste
        echo '$ orchestrator -j 2'; orchestrator -j 2
        sed 's/statistics.mean(/statistics.median(/' train/train.py > edited; cat edited > train/train.py; rm edited
        echo '$ orchestrator -j 2 --cached'; exec orchestrator -j 2 --cached";
    let lines = u16::try_from(LINES + 4).unwrap();
    Terminal::start(&folder, commands, (lines, 80), &[("TZ", "UTC")]).ends(0)
}

/// A picture of a screen.
fn svg(screen: &vt100::Screen) -> String {
    let rows: Vec<String> = screen.rows(0, 80).collect();
    let count = rows.iter().rposition(|row| !row.is_empty()).unwrap() + 1;
    assert!(count <= LINES, "{count} lines:\n{}", rows.join("\n"));
    let size = |number: usize| f32::from(u16::try_from(number).unwrap());
    let (width, height) = (
        80.0 * WIDTH + 2.0 * MARGIN,
        BAR + size(count) * HEIGHT + MARGIN,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,monospace\" font-size=\"14\">\n\
         <title>A run of three steps on a terminal, two of them at the same time; then a second run that \
         leaves out what is up to date</title>\n\
         <rect x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"9\" fill=\"#1b1f27\" stroke=\"#6b7280\"/>\n",
        width - 1.0,
        height - 1.0
    );
    for (number, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
        let x = MARGIN + 20.0 * size(number);
        writeln!(
            out,
            "<circle cx=\"{x}\" cy=\"18\" r=\"6\" fill=\"{colour}\"/>"
        )
        .unwrap();
    }
    for row in 0..count {
        let y = BAR + HEIGHT * size(row) + 14.0;
        for (column, text, look) in runs(screen, row) {
            let (x, length) = (
                MARGIN + WIDTH * size(column),
                WIDTH * size(text.chars().count()),
            );
            let text = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" {look} xml:space=\"preserve\">{text}</text>"
            )
            .unwrap();
        }
    }
    out + "</svg>\n"
}

/// The parts of a row that look the same, with their columns, but for blanks at their ends.
fn runs(screen: &vt100::Screen, row: usize) -> Vec<(usize, String, String)> {
    let mut runs: Vec<(usize, String, String)> = Vec::new();
    for column in 0..80 {
        let cell = screen.cell(u16::try_from(row).unwrap(), column).unwrap();
        let text = match cell.contents() {
            "" => " ",
            text => text,
        };
        let look = look(cell);
        match runs.last_mut() {
            Some((_, run, same)) if *same == look => *run += text,
            _ => runs.push((usize::from(column), text.to_owned(), look)),
        }
    }
    let trimmed = runs.into_iter().map(|(column, text, look)| {
        let blanks = text.len() - text.trim_start().len();
        (column + blanks, text.trim().to_owned(), look)
    });
    trimmed.filter(|(_, text, _)| !text.is_empty()).collect()
}

fn look(cell: &vt100::Cell) -> String {
    let colour = match cell.fgcolor() {
        vt100::Color::Idx(1) => "#ff7b72",
        vt100::Color::Idx(2) => "#7ee787",
        vt100::Color::Idx(3) => "#e3b341",
        vt100::Color::Idx(4) => "#79c0ff",
        vt100::Color::Idx(5) => "#d2a8ff",
        vt100::Color::Idx(6) => "#56d4dd",
        _ if cell.dim() => "#8b949e",
        _ => "#e6edf3",
    };
    let weight = if cell.bold() {
        " font-weight=\"bold\""
    } else {
        ""
    };
    format!("fill=\"{colour}\"{weight}")
}

/// What can be read in a picture, line by line, without what differs from run to run. Steps that end
/// together do so in any order.
fn text(svg: &str) -> Vec<String> {
    let mut lines: Vec<(&str, String)> = Vec::new();
    for part in svg.split("<text ").skip(1) {
        let (_, rest) = part.split_once("y=\"").unwrap();
        let (y, rest) = rest.split_once('"').unwrap();
        let text = rest
            .split_once('>')
            .unwrap()
            .1
            .split_once("</text>")
            .unwrap()
            .0;
        match lines.last_mut() {
            Some((same, line)) if *same == y => {
                line.push(' ');
                line.push_str(text);
            }
            _ => lines.push((y, text.to_owned())),
        }
    }
    let mut lines: Vec<String> = lines.into_iter().map(|(_, line)| masked(&line)).collect();
    lines.sort();
    lines
}

/// Numbers of seconds, ages and names of runs as `*`.
fn masked(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_unit = |word: &&str| matches!(word.trim_end_matches(','), "s" | "min" | "h");
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_run = |word: &str| {
        matches!(word.len(), 8 | 32) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let masked = words.iter().enumerate().map(|(position, word)| {
        let is_time = is_number(word) && words.get(position + 1).is_some_and(is_unit);
        if is_time {
            return "*".to_owned();
        }
        // Of a path each part.
        let parts = word.split('/');
        let parts = parts.map(|part| if is_run(part) { "*" } else { part });
        parts.collect::<Vec<_>>().join("/")
    });
    masked.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_picture_shows_what_happens() {
    let drawn = std::fs::read_to_string(file()).unwrap();
    let fresh = svg(quickstart().screen());
    assert_eq!(
        text(&drawn),
        text(&fresh),
        "draw it again: bash .ci/run picture"
    );
}

#[test]
#[ignore = "writes the picture: bash .ci/run picture"]
fn draw() {
    std::fs::write(file(), svg(quickstart().screen())).unwrap();
}
