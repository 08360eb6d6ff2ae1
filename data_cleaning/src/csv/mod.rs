//! CSV as bytes: which records go is decided without taking the others apart.
//!
//! `header` reads the first record, and then the `pump` gives units of whole records to `scan`, which
//! finds their nulls in the masks that `classify` makes of the bytes, and has each one judged by `judge`;
//! `field` looks at the few fields that could be null values. `split` takes records apart for formats
//! other than CSV.

pub mod classes;
pub mod classify;
pub mod dialect;
pub mod field;
pub mod header;
pub mod judge;
pub mod scan;
#[cfg(feature = "tables")]
pub mod split;

use std::io::Read;

use anyhow::{Result, bail};
use memchr::{memchr_iter, memrchr};

use crate::csv::classes::Classes;
use crate::csv::classify::Kind;
use crate::csv::dialect::Dialect;
use crate::csv::field::{fields, meaning};
use crate::csv::header::Header;
use crate::csv::judge::Judge;
use crate::csv::scan::Scanner;
use crate::failure::{Failure, Malformed};
use crate::findings::Counts;
use crate::null_values::NullValues;
use crate::pump::units::{Kept, Unit, Units};
use crate::pump::{Put, Route, pump};
use crate::rules::Verdict;

/// A CSV file whose header has been read.
pub struct Csv {
    units: Units,
    dialect: Dialect,
    pub header: Header,
    /// How its bytes are going to be classified.
    pub classifier: Kind,
}

impl Csv {
    /// Reads the header. The rest is going to be read in units of about `usual` bytes.
    pub fn open(text: impl Read + Send + 'static, dialect: Dialect, usual: usize) -> Result<Self> {
        let mut units = Units::new(text, usual);
        let header = loop {
            if let Some(header) = Header::read(units.bytes(), &dialect, units.at_eof())? {
                break header;
            }
            units.read()?;
        };
        units.skip(header.end);
        Ok(Self {
            units,
            dialect,
            header,
            classifier: Kind::fastest(),
        })
    }

    /// Refuses a header that seems to have another delimiter, if that of the dialect was `guessed`.
    pub fn expected(self, guessed: bool) -> Result<Self> {
        const OTHERS: [(u8, &str); 4] = [(b';', ";"), (b'\t', "\\t"), (b'|', "|"), (b',', ",")];

        let dialect = &self.dialect;
        let [only] = *fields(&self.header.text, dialect) else {
            return Ok(self);
        };
        // Within quotes it is meant.
        let is_plain = *meaning(only, dialect) == *only;
        let other = OTHERS
            .iter()
            .find(|(character, _)| only.contains(character));
        if let Some((_, other)) = other.filter(|_| guessed && is_plain) {
            let ours = if dialect.delimiter == b'\t' {
                "\\t"
            } else {
                ","
            };
            bail!(
                "the first line is one field, with `{other}` in it; `--delimiter '{other}'` takes it \
                 apart, and `--delimiter '{ours}'` as it is"
            );
        }
        Ok(self)
    }

    /// Gives the records that stay to `put`, without the header.
    pub fn filter(
        self,
        nulls: &NullValues,
        verdict: &Verdict,
        put: &mut Put,
    ) -> Result<Counts, Failure> {
        let columns = self.header.names.len();
        let route = Records {
            classes: Classes::new(&self.dialect, nulls),
            judge: Judge {
                dialect: self.dialect,
                nulls,
                verdict,
            },
            columns,
            classifier: self.classifier,
        };
        let mut counts = Counts::new(columns);
        for scanner in pump(&route, self.units, self.header.lines, put)? {
            counts.add(&scanner.into_counts());
        }
        Ok(counts)
    }
}

struct Records<'a> {
    judge: Judge<'a>,
    classes: Classes,
    columns: usize,
    classifier: Kind,
}

impl<'a> Route for Records<'a> {
    type Scanner = Scanner<'a>;

    fn scanner(&self) -> Scanner<'a> {
        Scanner::new(self.judge, self.columns)
    }

    fn last_end(&self, bytes: &[u8]) -> Option<usize> {
        match self.judge.dialect.quote {
            None => line_end(bytes),
            Some(quote) if self.judge.dialect.stray_quotes => {
                last_end_among_strays(bytes, quote, self.judge.dialect.delimiter)
            }
            Some(quote) => last_end(bytes, quote),
        }
    }

    fn scan(
        &self,
        scanner: &mut Scanner<'a>,
        unit: &Unit,
        kept: &mut Kept,
    ) -> Result<u64, Malformed> {
        scanner.run(self.classifier, &self.classes, unit.bytes(), kept)
    }
}

/// Behind the last line feed.
fn line_end(bytes: &[u8]) -> Option<usize> {
    memrchr(b'\n', bytes).map(|place| place + 1)
}

/// Behind the last line feed that is not within quotes.
///
/// To count them is enough in a well-formed file; in one that is not, some unit has an error before
/// the first wrong end.
fn last_end(bytes: &[u8], quote: u8) -> Option<usize> {
    let is_odd = |bytes| memchr_iter(quote, bytes).count() % 2 == 1;
    let mut inside = is_odd(bytes);
    let mut rest = bytes;
    while let Some(end) = line_end(rest) {
        inside ^= is_odd(&rest[end..]);
        if !inside {
            return Some(end);
        }
        rest = &rest[..end - 1];
    }
    None
}

/// The same where a quote counts only at the start of a field, and then the next one that is not
/// doubled.
fn last_end_among_strays(bytes: &[u8], quote: u8, delimiter: u8) -> Option<usize> {
    let (mut found, mut outside, mut inside) = (None, 0, false);
    // Behind the quote that closed last, where another one opens the same field again.
    let mut closed = None;
    for place in memchr_iter(quote, bytes) {
        let before = place.checked_sub(1).map(|before| bytes[before]);
        if inside {
            (inside, outside, closed) = (false, place + 1, Some(place + 1));
        } else if closed == Some(place)
            || before.is_none_or(|before| before == delimiter || before == b'\n')
        {
            inside = true;
            let end = line_end(&bytes[outside..place]);
            found = end.map(|end| outside + end).or(found);
        }
    }
    let end = if inside {
        None
    } else {
        line_end(&bytes[outside..])
    };
    end.map(|end| outside + end).or(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_at_line_feeds_outside_of_quotes() {
        for (text, strict, lenient, none) in [
            ("", None, None, None),
            ("a,b", None, None, None),
            ("a\nb", Some(2), Some(2), Some(2)),
            ("a\n\"b\n", Some(2), Some(2), Some(5)),
            ("a\n\"b\n\"\nc", Some(7), Some(7), Some(7)),
            ("\"\n\n", None, None, Some(3)),
            ("\"a\"\"\n\"\n\"", Some(7), Some(7), Some(7)),
            ("12\" x\n1,\"\n\"\ny", Some(10), Some(12), Some(12)),
            ("x,5\"\n\"\"\n", Some(8), Some(8), Some(8)),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(
                last_end_among_strays(bytes, b'"', b','),
                lenient,
                "{text:?}"
            );
            assert_eq!(line_end(bytes), none, "{text:?}");
            // What is malformed is told by the unit that it is in, wherever that ends.
            if !text.contains("12\"") && !text.contains("5\"") {
                assert_eq!(last_end(bytes, b'"'), strict, "{text:?}");
            }
        }
    }
}
