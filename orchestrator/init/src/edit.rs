//! Puts the new keys into the text of an MLproject, and leaves every other byte as it is.

use mlproject::pyyaml::{self, Object};

/// The new text, and where in it the new lines stand.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) text: String,
    /// The line before which they stand in the old text, from 0.
    pub(crate) position: usize,
    /// How many they are.
    pub(crate) count: usize,
}

/// Adds the lines in front of `entry_points:`, else at the end; none where they cannot be put there
/// without a change of what is there.
pub(crate) fn insert(old: &str, lines: &[String]) -> Option<Edited> {
    let document = pyyaml::parse(old).ok()?;
    let pairs = document.value.as_dict()?;
    let first = pairs.iter().find_map(|(key, _)| key.as_str())?;
    let line_break = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let indentation = indentation(old_lines.get(document.line(&[first])? - 1)?);
    let position = match document.line(&["entry_points"]) {
        Some(line) => above_comments(&old_lines, line - 1, indentation),
        None => old_lines.len(),
    };
    // A mark of the order of bytes has to stay in front.
    let position = if position == 0 && old.starts_with('\u{feff}') {
        old_lines.len()
    } else {
        position
    };
    let mut block: Vec<String> = lines
        .iter()
        .map(|line| format!("{}{line}", " ".repeat(indentation)))
        .collect();
    let is_blank = |line: Option<&&str>| line.is_none_or(|line| line.trim().is_empty());
    if position > 0 && !is_blank(old_lines.get(position - 1)) {
        block.insert(0, String::new());
    }
    if position < old_lines.len() && !is_blank(old_lines.get(position)) {
        block.push(String::new());
    }
    let mut text = old_lines[..position].concat();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(line_break);
    }
    for line in &block {
        text.push_str(line);
        text.push_str(line_break);
    }
    text.push_str(&old_lines[position..].concat());
    is_kept(&document.value, &text).then_some(Edited {
        text,
        position,
        count: block.len(),
    })
}

/// Whether the new text says all that the old one says, in its order, and more.
fn is_kept(old: &Object, new: &str) -> bool {
    let Ok(new) = pyyaml::parse(new) else {
        return false;
    };
    let (Some(old), Some(new)) = (old.as_dict(), new.value.as_dict()) else {
        return false;
    };
    let is_new = |key: &Object| matches!(key.as_str(), Some("config" | "env" | "steps"));
    let kept = new.iter().filter(|(key, _)| !is_new(key));
    old.iter().filter(|(key, _)| !is_new(key)).eq(kept) && new.len() > old.len()
}

fn indentation(line: &str) -> usize {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    line.len() - line.trim_start_matches(' ').len()
}

/// The line above which only comments belong to the key on `line`.
fn above_comments(lines: &[&str], line: usize, indentation: usize) -> usize {
    let prefix = format!("{}#", " ".repeat(indentation));
    let comments = lines[..line]
        .iter()
        .rev()
        .take_while(|line| line.starts_with(&prefix));
    match line - comments.count() {
        // What a file begins with is about the file.
        0 => line,
        first => first,
    }
}

/// A new file, shown as a change is.
pub fn created(name: &str, text: &str) -> String {
    let count = text.lines().count();
    let added = text.trim_end().replace('\n', "\n+");
    format!("--- /dev/null\n+++ {name}\n@@ -0,0 +1,{count} @@\n+{added}\n")
}

/// The change as `diff -u` shows it.
pub(crate) fn diff(name: &str, old: &str, edited: &Edited) -> String {
    const CONTEXT: usize = 3;
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = edited.text.split_inclusive('\n').collect();
    let Edited {
        position, count, ..
    } = *edited;
    let start = position.saturating_sub(CONTEXT);
    let end = (position + CONTEXT).min(old.len());
    let (removed, added) = (end - start, end - start + count);
    let first = |length: usize| start + usize::from(length > 0);
    let mut out = format!(
        "--- {name}\n+++ {name}\n@@ -{},{removed} +{},{added} @@\n",
        first(removed),
        first(added)
    );
    let mut push = |mark: char, line: &str| {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    };
    for (at, line) in old.iter().enumerate().take(position).skip(start) {
        // The last line gets the end that it lacked.
        if new[at] == *line {
            push(' ', line);
        } else {
            push('-', line);
            push('+', new[at]);
        }
    }
    for line in &new[position..position + count] {
        push('+', line);
    }
    for line in &old[position..end] {
        push(' ', line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<String> {
        ["steps:", "  a:"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_section_stands_before_the_entry_points() {
        let table = [
            (
                "name: x\nentry_points: {}\n",
                "name: x\n\nsteps:\n  a:\n\nentry_points: {}\n",
            ),
            (
                "name: x\n\n# why\nentry_points: {}",
                "name: x\n\nsteps:\n  a:\n\n# why\nentry_points: {}",
            ),
            (
                "entry_points: {}\r\n",
                "steps:\r\n  a:\r\n\r\nentry_points: {}\r\n",
            ),
            (
                "# all\nentry_points: {}\n",
                "# all\n\nsteps:\n  a:\n\nentry_points: {}\n",
            ),
            ("name: x", "name: x\n\nsteps:\n  a:\n"),
            (
                "  name: x\n  entry_points:\n    main:\n",
                "  name: x\n\n  steps:\n    a:\n\n  entry_points:\n    main:\n",
            ),
            (
                "\u{feff}entry_points: {}\n",
                "\u{feff}entry_points: {}\n\nsteps:\n  a:\n",
            ),
            (
                "---\nentry_points: {}\n...\n",
                "---\n\nsteps:\n  a:\n\nentry_points: {}\n...\n",
            ),
            ("{name: x, entry_points: {}}\n", ""),
            ("--- {name: x}\n", ""),
            ("name: x\n...\n", ""),
            ("? name\n: x\n", "? name\n: x\n\nsteps:\n  a:\n"),
        ];
        for (old, expected) in table {
            let text = insert(old, &lines()).map(|edited| edited.text);
            assert_eq!(text.unwrap_or_default(), expected, "{old}");
        }
    }

    #[test]
    fn the_change_is_shown_as_a_unified_diff() {
        let old = "a: 1\nb: 2\nc: 3\nd: 4\nentry_points: {}\n";
        let edited = insert(old, &lines()).unwrap();
        let expected = "--- MLproject\n+++ MLproject\n@@ -2,4 +2,8 @@\n b: 2\n c: 3\n d: 4\n+\n+steps:\n+  a:\n+\n entry_points: {}\n";
        assert_eq!(diff("MLproject", old, &edited), expected);
        let old = "name: x";
        let edited = insert(old, &lines()).unwrap();
        let expected = "--- MLproject\n+++ MLproject\n@@ -1,1 +1,4 @@\n-name: x\n\\ No newline at end of file\n+name: x\n+\n+steps:\n+  a:\n";
        assert_eq!(diff("MLproject", old, &edited), expected);
    }
}
