//! Finds the nulls of each line and decides on it.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::{memchr, memrchr};

use crate::csv::classes::Classes;
use crate::csv::classify::Kind;
use crate::csv::classify::masks::{Classifier, Work};
use crate::failure::{Fault, Malformed};
use crate::findings::Counts;
use crate::ndjson::json::{Likely, Members, Value, object};
use crate::ndjson::keys::{Keys, text};
use crate::ndjson::usual::usual_object;
use crate::null_values::NullValues;
use crate::pump::Route;
use crate::pump::units::{Kept, Unit};
use crate::rules::Verdict;

/// How the lines of a file are judged.
pub struct Lines<'a> {
    /// How the bytes of usual lines are classified, and [what for](crate::ndjson::usual::classes).
    pub classifier: Kind,
    pub classes: Classes,
    pub keys: &'a Keys,
    /// The texts and numbers that mean null, if any do.
    pub nulls: Option<&'a NullValues>,
    pub verdict: &'a Verdict,
    /// Whether a line had a name that was not known, so that all before it were judged wrongly.
    pub surprised: &'a AtomicBool,
}

/// Looks through units, and counts.
pub struct Scanner {
    pub counts: Counts,
    /// The names that were not known, each with the number of its unit.
    pub unknown: Vec<(u64, Vec<u8>)>,
    /// For each column the last line that had it.
    seen: Vec<u64>,
    line: u64,
    /// The nulls of the line, with the number of the null value.
    nulls: Vec<(usize, usize)>,
}

impl Route for Lines<'_> {
    type Scanner = Scanner;

    fn scanner(&self) -> Scanner {
        Scanner {
            counts: Counts::new(self.keys.count()),
            unknown: Vec::new(),
            seen: vec![0; self.keys.count()],
            line: 0,
            nulls: Vec::new(),
        }
    }

    fn last_end(&self, bytes: &[u8]) -> Option<usize> {
        memrchr(b'\n', bytes).map(|place| place + 1)
    }

    fn scan(&self, scanner: &mut Scanner, unit: &Unit, kept: &mut Kept) -> Result<u64, Malformed> {
        let bytes = unit.bytes();
        // Nearly all are ASCII, which is seen faster.
        if !bytes.is_ascii()
            && let Err(error) = str::from_utf8(bytes)
        {
            // A line before it may be malformed in another way.
            let valid = &bytes[..error.valid_up_to()];
            let start = self.last_end(valid).unwrap_or(0);
            let lines = self.lines(scanner, unit.number, &valid[..start], kept)?;
            let fault = Fault::Json {
                column: valid.len() - start + 1,
                what: "the text is not UTF-8".to_owned(),
            };
            return Err(Malformed::new(lines, fault));
        }
        self.lines(scanner, unit.number, bytes, kept)
    }
}

impl Lines<'_> {
    /// Looks through whole lines.
    fn lines(
        &self,
        scanner: &mut Scanner,
        unit: u64,
        text: &[u8],
        kept: &mut Kept,
    ) -> Result<u64, Malformed> {
        let look = Look {
            lines: self,
            scanner,
            unit,
            text,
            kept,
        };
        self.classifier.run(&self.classes, look)
    }

    /// Where the line ends that the text begins with, and whether it stays.
    #[inline(always)]
    fn judge(
        &self,
        classifier: &impl Classifier,
        scanner: &mut Scanner,
        unit: u64,
        text: &[u8],
    ) -> Result<(usize, bool), Fault> {
        let mut row = Row::new(self, scanner, unit);
        let Some(length) = usual_object(classifier, text, &mut row) else {
            return self.judge_unusual(scanner, unit, text);
        };
        row.end();
        Ok((length, self.stays(scanner)))
    }

    #[inline(never)]
    fn judge_unusual(
        &self,
        scanner: &mut Scanner,
        unit: u64,
        text: &[u8],
    ) -> Result<(usize, bool), Fault> {
        if let Some(length) = blank(text) {
            return Ok((length, false));
        }
        let mut row = Row::new(self, scanner, unit);
        let length = object(text, &mut row)?;
        row.end();
        Ok((length, self.stays(scanner)))
    }

    /// The number of the null value that this one is.
    #[inline(always)]
    fn marker(&self, value: Value) -> Option<usize> {
        match (value, self.nulls) {
            (Value::Null | Value::NotANumber, _) => Some(0),
            (Value::Text(raw), Some(nulls)) if raw.contains(&b'\\') => {
                nulls.find(text(raw).as_bytes())
            }
            (Value::Text(raw), Some(nulls)) => nulls.find(raw),
            (Value::Number(number), Some(nulls)) => nulls.find_number(number),
            _ => None,
        }
    }

    /// Counts the nulls of the line, and says whether it stays.
    fn stays(&self, scanner: &mut Scanner) -> bool {
        let counts = &mut scanner.counts;
        let mut nulls = 0;
        for (column, marker) in &scanner.nulls {
            counts.columns[*column].add(*marker);
            nulls += usize::from(self.verdict.counts(*column));
        }
        let stays = self.verdict.keeps(nulls);
        counts.rows += 1;
        counts.kept += u64::from(stays);
        stays
    }
}

/// Lines to look through.
struct Look<'a, 'b, 'c> {
    lines: &'a Lines<'b>,
    scanner: &'a mut Scanner,
    unit: u64,
    text: &'a [u8],
    kept: &'a mut Kept<'c>,
}

impl Work for Look<'_, '_, '_> {
    type Output = Result<u64, Malformed>;

    #[inline(always)]
    fn run(self, classifier: &impl Classifier) -> Self::Output {
        let (mut start, mut lines) = (0, 0);
        while start < self.text.len() {
            let rest = &self.text[start..];
            let judged = self.lines.judge(classifier, self.scanner, self.unit, rest);
            let (length, stays) = judged.map_err(|fault| Malformed::new(lines, fault))?;
            let feed = usize::from(length < rest.len());
            let end = start + length + feed;
            if !stays {
                self.kept.cut(start, end);
            }
            start = end;
            lines += feed as u64;
        }
        Ok(lines)
    }
}

/// The line that is looked at.
struct Row<'a, 'b> {
    lines: &'a Lines<'b>,
    scanner: &'a mut Scanner,
    unit: u64,
    /// The column that probably comes next.
    next: usize,
    /// How many columns it has.
    there: usize,
}

impl<'a, 'b> Row<'a, 'b> {
    #[inline(always)]
    fn new(lines: &'a Lines<'b>, scanner: &'a mut Scanner, unit: u64) -> Self {
        scanner.line += 1;
        scanner.nulls.clear();
        Self {
            lines,
            scanner,
            unit,
            next: 0,
            there: 0,
        }
    }

    /// Takes the columns that the line lacks for null.
    #[inline(always)]
    fn end(self) {
        if self.there < self.scanner.seen.len() {
            self.scanner.miss();
        }
    }
}

impl<'a> Members<'a> for &mut Row<'_, '_> {
    #[inline(always)]
    fn likely(&self) -> Option<&Likely> {
        self.lines.keys.likely(self.next)
    }

    #[inline(always)]
    fn take(&mut self, name: Option<&'a [u8]>, value: Value<'a>) {
        let column = match name.map(|name| (name, self.lines.keys.find(name))) {
            None => self.next,
            Some((_, Some(column))) => column,
            Some((name, None)) => {
                self.scanner.note(self.unit, name);
                self.lines.surprised.store(true, Ordering::Relaxed);
                return;
            }
        };
        self.next = column + 1;
        let scanner = &mut *self.scanner;
        if mem::replace(&mut scanner.seen[column], scanner.line) == scanner.line {
            // Of a name that comes twice, the last value counts.
            scanner.nulls.retain(|(earlier, _)| *earlier != column);
        } else {
            self.there += 1;
        }
        if let Some(marker) = self.lines.marker(value) {
            scanner.nulls.push((column, marker));
        }
    }
}

impl Scanner {
    /// Takes the columns that the line lacks for null.
    fn miss(&mut self) {
        let missing = self.seen.iter().enumerate();
        let missing = missing.filter(|(_, line)| **line != self.line);
        self.nulls.extend(missing.map(|(column, _)| (column, 0)));
    }

    #[cold]
    fn note(&mut self, unit: u64, name: &[u8]) {
        if !self.unknown.iter().any(|(_, known)| known == name) {
            self.unknown.push((unit, name.into()));
        }
    }
}

/// Where the line ends that the text begins with, if it is blank.
#[inline]
fn blank(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'{') {
        return None;
    }
    let length = memchr(b'\n', text).unwrap_or(text.len());
    text[..length].trim_ascii().is_empty().then_some(length)
}

/// The names in the whole lines that the text begins with, up to the first that is malformed.
pub fn first_keys(mut text: &[u8]) -> Keys {
    let mut keys = Keys::default();
    while !text.is_empty() {
        let mut names = Vec::new();
        let length = match blank(text) {
            Some(length) => length,
            None => match object(text, |name, _| names.push(name)) {
                Ok(length) => length,
                Err(_) => break,
            },
        };
        for name in names {
            keys.add(name);
        }
        text = text.get(length + 1..).unwrap_or_default();
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::{Map, Value as Json};

    use super::*;
    use crate::findings::ColumnNulls;
    use crate::ndjson::usual::classes;
    use crate::pump::pump;
    use crate::pump::units::Units;

    /// What stays of the text, its rows, and the nulls of each column.
    fn filter(text: &str, keys: &Keys, unit: usize, kind: Kind) -> (String, u64, Vec<u64>) {
        let lines = Lines {
            classifier: kind,
            classes: classes(),
            keys,
            nulls: Some(&NullValues::new(vec!["NA".into(), "-1".into()])),
            verdict: &Verdict::strict(),
            surprised: &AtomicBool::new(false),
        };
        let mut kept = Vec::new();
        let units = Units::new(Cursor::new(text.to_owned()), unit);
        let mut put = |bytes: &[u8]| {
            kept.extend_from_slice(bytes);
            Ok(())
        };
        let scanners = pump(&lines, units, 0, &mut put).unwrap();
        let mut counts = Counts::new(keys.count());
        for scanner in scanners {
            assert_eq!(scanner.unknown, []);
            counts.add(&scanner.counts);
        }
        let nulls = counts.columns.iter().map(ColumnNulls::total);
        (
            String::from_utf8(kept).unwrap(),
            counts.rows,
            nulls.collect(),
        )
    }

    /// The same by another parser, line by line.
    fn filter_slowly(text: &str, keys: &Keys) -> (String, u64, Vec<u64>) {
        let (mut kept, mut rows, mut nulls) = (String::new(), 0, vec![0; keys.count()]);
        for line in text.split_inclusive('\n') {
            if line.trim().is_empty() {
                continue;
            }
            let object: Map<String, Json> = serde_json::from_str(line).unwrap();
            let is_null = |name: &String| match object.get(name) {
                None | Some(Json::Null) => true,
                Some(Json::String(text)) => ["", "NA", "-1"].contains(&text.as_str()),
                Some(Json::Number(number)) => number.as_f64() == Some(-1.0),
                Some(_) => false,
            };
            let found: Vec<bool> = keys.names().iter().map(is_null).collect();
            rows += 1;
            for (nulls, found) in nulls.iter_mut().zip(&found) {
                *nulls += u64::from(*found);
            }
            if !found.contains(&true) {
                kept += line;
            }
        }
        (kept, rows, nulls)
    }

    #[test]
    fn another_parser_finds_the_same() {
        const NAMES: [&str; 5] = ["\"a\"", "\"b\"", "\"\\u0061\"", "\"c \"", "\"\u{e9}\""];
        const VALUES: [&str; 12] = [
            "null",
            "1",
            "-1.0",
            "-1e0",
            "\"NA\"",
            "\"\\u004eA\"",
            "\"\"",
            "\"x, {\\\"null\\\":1}\"",
            "[null]",
            "{\"a\":null}",
            "true",
            "1.50",
        ];
        let mut random = 11_u64;
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 33).unwrap() % limit
        };
        let (mut stayed, mut went) = (0, 0);
        for _ in 0..3_000 {
            let mut text = String::new();
            for _ in 0..below(12) {
                let members = (0..below(6)).map(|member| {
                    // Mostly in the same order.
                    let name = if below(4) == 0 {
                        below(NAMES.len())
                    } else {
                        member.min(4)
                    };
                    let value = VALUES[if below(2) == 0 {
                        1
                    } else {
                        below(VALUES.len())
                    }];
                    format!("{}{}:{value}", NAMES[name], [" ", ""][below(2)])
                });
                let members: Vec<String> = members.collect();
                let members = members.join([",", " , "][below(2)]);
                text += &["{", &members, "}"].concat();
                text += ["\n", "\r\n", "\n\n", " \n"][below(4)];
            }
            let keys = first_keys(text.as_bytes());
            let expected = filter_slowly(&text, &keys);
            for unit in [1, 7, 64, 1_000, 10_000] {
                for kind in Kind::available() {
                    let found = filter(&text, &keys, unit, kind);
                    assert_eq!(found, expected, "{unit}, {kind:?}: {text}");
                }
            }
            stayed += expected.0.lines().count() as u64;
            went += expected.1 - expected.0.lines().count() as u64;
        }
        assert!(stayed > 1_000 && went > 1_000, "{stayed} {went}");
    }
}
