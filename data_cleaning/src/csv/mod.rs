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
use crate::csv::classify::masks::{Classifier, Work, without_strays};
use crate::csv::classify::{Kind, last_block};
use crate::csv::dialect::Dialect;
use crate::csv::field::{fields, meaning};
use crate::csv::header::Header;
use crate::csv::judge::Judge;
use crate::csv::scan::{BLOCK, Scanner};
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
                 apart, and `--delimiter '{ours}'` keeps it as one column"
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
            Some(_) if self.judge.dialect.stray_quotes => {
                let work = LastEndAmongStrays { bytes };
                self.classifier.run(&self.classes, work)
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
/// doubled: which those are is only known from the start on.
struct LastEndAmongStrays<'a> {
    bytes: &'a [u8],
}

impl Work for LastEndAmongStrays<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self, classifier: &impl Classifier) -> Option<usize> {
        let (blocks, rest) = self.bytes.as_chunks::<BLOCK>();
        let (last, there) = last_block(rest);
        let blocks = blocks
            .iter()
            .map(|block| (block, !0))
            .chain([(&last, there)]);
        let (mut inside, mut field_start, mut after_quote) = (0, 1, 0);
        // The last block with an end of a record, and all of these in it.
        let mut found = (0, 0);
        for (number, (block, there)) in blocks.enumerate() {
            let masks = classifier.classify(block).only(there);
            let mut outside = !inside;
            let mut closing = 0;
            if masks.quote != 0 {
                let (quotes, within) = without_strays(masks, [inside, field_start, after_quote]);
                outside = !within;
                closing = quotes & outside;
            }
            let ends = masks.line_feed & outside;
            if ends != 0 {
                found = (number, ends);
            }
            field_start = (masks.delimiter & outside | ends) >> (BLOCK - 1);
            after_quote = closing >> (BLOCK - 1);
            inside = (!outside >> (BLOCK - 1)).wrapping_neg();
        }
        let (number, ends) = found;
        (ends != 0).then(|| number * BLOCK + ends.ilog2() as usize + 1)
    }
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
            let classes = Classes::new(&Dialect::default(), &NullValues::pandas());
            for kind in Kind::available() {
                // Wherever it lies in a block.
                for before in 0..130 {
                    let text = format!("{}{text}", "x\n".repeat(before));
                    let work = LastEndAmongStrays {
                        bytes: text.as_bytes(),
                    };
                    let before = 2 * before;
                    let expected = lenient.map(|end| end + before);
                    let expected = expected.or((before > 0).then_some(before));
                    assert_eq!(kind.run(&classes, work), expected, "{text:?}");
                }
            }
            assert_eq!(line_end(bytes), none, "{text:?}");
            // What is malformed is told by the unit that it is in, wherever that ends.
            if !text.contains("12\"") && !text.contains("5\"") {
                assert_eq!(last_end(bytes, b'"'), strict, "{text:?}");
            }
        }
    }
}
