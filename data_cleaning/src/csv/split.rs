//! The fields of records that are known to be well-formed.

use crate::csv::classes::Classes;
use crate::csv::classify::masks::{Classifier, Masks, Work, prefix_parity, without_strays};
use crate::csv::classify::{Kind, last_block};
use crate::csv::dialect::Dialect;
use crate::csv::scan::BLOCK;

/// Gives each field of the records to `each`, as it stands in the text, and whether it is the last
/// one of its record.
///
/// The text begins with a record and ends with one; there are no blank lines in it.
pub fn split(records: &str, dialect: &Dialect, classes: &Classes, each: impl FnMut(&str, bool)) {
    let split = Split {
        records,
        dialect,
        each,
    };
    Kind::fastest().run(classes, split);
}

struct Split<'a, F> {
    records: &'a str,
    dialect: &'a Dialect,
    each: F,
}

impl<F: FnMut(&str, bool)> Work for Split<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(mut self, classifier: &impl Classifier) {
        let bytes = self.records.as_bytes();
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let (last, there) = last_block(rest);
        let last = (!rest.is_empty()).then_some((&last, there));
        let (mut start, mut inside, mut field_start, mut after_quote) = (0, 0, 1, 0);
        let blocks = blocks.iter().map(|block| (block, !0)).chain(last);
        for (number, (block, there)) in blocks.enumerate() {
            let masks = classifier.classify(block).only(there);
            let (quotes, parity) = quotes(masks, self.dialect, [inside, field_start, after_quote]);
            inside = (parity >> (BLOCK - 1)).wrapping_neg();
            let mut ends = (masks.delimiter | masks.line_feed) & !parity;
            field_start = ends >> (BLOCK - 1);
            after_quote = (quotes & !parity) >> (BLOCK - 1);
            while ends != 0 {
                let place = ends.trailing_zeros();
                let end = number * BLOCK + place as usize;
                let is_last = masks.line_feed >> place & 1 == 1;
                self.field(start, end, is_last);
                start = end + 1;
                ends &= ends - 1;
            }
        }
        // The last line of a file may lack its end.
        if start < bytes.len() || !matches!(bytes.last(), None | Some(b'\n')) {
            self.field(start, bytes.len(), true);
        }
    }
}

impl<F: FnMut(&str, bool)> Split<'_, F> {
    #[inline(always)]
    fn field(&mut self, start: usize, end: usize, last: bool) {
        let field = &self.records[start..end];
        // Only at the end of a line, and within quotes, can there be a carriage return.
        let field = if last {
            field.strip_suffix('\r').unwrap_or(field)
        } else {
            field
        };
        (self.each)(field, last);
    }
}

/// The quotes of a block that open or close a field, and the bytes within them.
#[inline(always)]
fn quotes(masks: Masks, dialect: &Dialect, before: [u64; 3]) -> (u64, u64) {
    let all = masks.quote;
    match dialect.quote {
        None => (0, before[0]),
        Some(_) if dialect.stray_quotes && all != 0 => without_strays(masks, before),
        Some(_) => (all, prefix_parity(all) ^ before[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::null_values::NullValues;

    fn records(text: &str) -> Vec<Vec<String>> {
        let dialect = Dialect {
            delimiter: b';',
            ..Dialect::default()
        };
        let classes = Classes::new(&dialect, &NullValues::pandas());
        let mut records = vec![vec![]];
        split(text, &dialect, &classes, |field, last| {
            records.last_mut().unwrap().push(field.to_owned());
            if last {
                records.push(vec![]);
            }
        });
        assert_eq!(records.pop(), Some(vec![]), "the last record has an end");
        records
    }

    #[test]
    fn fields_are_found_wherever_they_lie_in_a_block() {
        for before in 0..130 {
            let long = "x".repeat(before);
            let text = format!("{long};\"a;\r\n\"\"\";b\r\n;;\n\"\";{long};ünï\n");
            assert_eq!(
                records(&text),
                [
                    [long.as_str(), "\"a;\r\n\"\"\"", "b"],
                    ["", "", ""],
                    ["\"\"", &long, "ünï"]
                ]
            );
        }
    }

    #[test]
    fn the_last_line_may_lack_its_end() {
        assert_eq!(records(""), [[""; 0]; 0]);
        assert_eq!(records("a"), [["a"]]);
        assert_eq!(records("a;"), [["a", ""]]);
        assert_eq!(records("a;b\n;"), [["a", "b"], ["", ""]]);
        assert_eq!(records("\"a\n\""), [["\"a\n\""]]);
        assert_eq!(records(&";".repeat(64)), [[""; 65]]);
    }
}
