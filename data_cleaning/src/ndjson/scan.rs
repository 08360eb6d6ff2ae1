//! Finds the nulls of each line and decides on it.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::{memchr, memchr_iter, memrchr};

use crate::failure::{Fault, Malformed};
use crate::findings::Counts;
use crate::ndjson::json::{Members, Value, object};
use crate::ndjson::keys::{Keys, text};
use crate::null_values::NullValues;
use crate::pump::Route;
use crate::pump::units::{Kept, Unit};
use crate::rules::Verdict;

/// How the lines of a file are judged.
pub struct Lines<'a> {
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
        if let Err(error) = str::from_utf8(bytes) {
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
    fn lines(
        &self,
        scanner: &mut Scanner,
        unit: u64,
        bytes: &[u8],
        kept: &mut Kept,
    ) -> Result<u64, Malformed> {
        let (mut start, mut lines) = (0, 0);
        while start < bytes.len() {
            let feed = memchr(b'\n', &bytes[start..]);
            let end = feed.map_or(bytes.len(), |feed| start + feed + 1);
            let line = &bytes[start..feed.map_or(end, |_| end - 1)];
            let is_blank = line.first() != Some(&b'{') && line.trim_ascii().is_empty();
            let stays = if is_blank {
                false
            } else {
                let judged = self.judge(scanner, unit, line);
                judged.map_err(|fault| Malformed::new(lines, fault))?
            };
            if !stays {
                kept.cut(start, end);
            }
            start = end;
            lines += u64::from(feed.is_some());
        }
        Ok(lines)
    }

    /// Whether the line stays.
    #[inline]
    fn judge(&self, scanner: &mut Scanner, unit: u64, line: &[u8]) -> Result<bool, Fault> {
        scanner.line += 1;
        scanner.nulls.clear();
        let mut row = Row {
            lines: self,
            scanner,
            unit,
            next: 0,
            there: 0,
        };
        object(line, &mut row)?;
        if row.there < row.scanner.seen.len() {
            row.scanner.miss();
        }
        Ok(self.stays(scanner))
    }

    /// The number of the null value that this one is.
    #[inline]
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

impl<'a> Members<'a> for &mut Row<'_, '_> {
    #[inline]
    fn likely(&self) -> &[u8] {
        self.lines.keys.raw(self.next)
    }

    #[inline]
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

/// The names in the whole lines that the bytes begin with, up to the first that is malformed.
pub fn first_keys(bytes: &[u8]) -> Keys {
    let mut keys = Keys::default();
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes).chain([bytes.len()]) {
        let mut names = Vec::new();
        let line = &bytes[start..end];
        let blank = line.trim_ascii().is_empty();
        if !blank && object(line, |name, _| names.push(name)).is_err() {
            break;
        }
        for name in names {
            keys.add(name);
        }
        start = end + 1;
        if start > bytes.len() {
            break;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::{Map, Value as Json};

    use super::*;
    use crate::findings::ColumnNulls;
    use crate::pump::pump;
    use crate::pump::units::Units;

    /// What stays of the text, its rows, and the nulls of each column.
    fn filter(text: &str, keys: &Keys, unit: usize) -> (String, u64, Vec<u64>) {
        let lines = Lines {
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
            for unit in [1, 7, 64, 1_000] {
                assert_eq!(filter(&text, &keys, unit), expected, "{unit}: {text}");
            }
            stayed += expected.0.lines().count() as u64;
            went += expected.1 - expected.0.lines().count() as u64;
        }
        assert!(stayed > 1_000 && went > 1_000, "{stayed} {went}");
    }
}
