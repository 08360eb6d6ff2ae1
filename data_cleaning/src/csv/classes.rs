//! What the classifiers look for.

use crate::csv::dialect::Dialect;
use crate::null_values::NullValues;

/// The groups of [`Classes::low`] and [`Classes::high`] that stand for the first byte of a null value.
pub const FIRST: u8 = 0x0f;
/// Those that stand for the second one.
pub const SECOND: u8 = 0xf0;

/// The bytes that mean something in a CSV file.
pub struct Classes {
    pub delimiter: u8,
    /// Any, where the dialect has none: what is found of it does not count.
    pub quote: u8,
    /// What null values begin with.
    pub first: ByteSet,
    /// What follows on the first byte of a null value: its second byte, or the end of the field.
    pub second: ByteSet,
    /// Tables for the lower and the upper four bits of a byte: it may be in the set `first` when
    /// both entries have one of the bits of [`FIRST`] in common, and likewise for `second`.
    pub low: [u8; 16],
    pub high: [u8; 16],
}

impl Classes {
    pub fn new(dialect: &Dialect, nulls: &NullValues) -> Self {
        let (mut first, mut second) = (ByteSet::default(), ByteSet::default());
        let ends = [dialect.delimiter, b'\r', b'\n'];
        for value in nulls.values() {
            match value.as_bytes() {
                [] => (),
                [only] => {
                    first.insert(*only);
                    second.extend(&ends);
                }
                [one, two, ..] => {
                    first.insert(*one);
                    second.insert(*two);
                }
            }
        }
        if dialect.trim {
            // Behind a value of one byte.
            second.extend(b" \t");
        }
        let (mut low, mut high) = ([0; 16], [0; 16]);
        first.add_groups(&mut low, &mut high, 0);
        second.add_groups(&mut low, &mut high, 4);
        Self {
            delimiter: dialect.delimiter,
            quote: dialect.quote.unwrap_or(b'"'),
            first,
            second,
            low,
            high,
        }
    }
}

/// A set of bytes: for each value of the upper four bits, a bit for each value of the lower ones.
#[derive(Default)]
pub struct ByteSet([u16; 16]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 4)] |= 1 << (byte & 0x0f);
    }

    fn extend(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.insert(*byte);
        }
    }

    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 4)] >> (byte & 0x0f) & 1 == 1
    }

    /// Puts the set into four groups, starting with the bit `group`.
    ///
    /// A set that needs more has some of them put together, and then a few bytes too many.
    fn add_groups(&self, low: &mut [u8; 16], high: &mut [u8; 16], group: u8) {
        let mut rows: Vec<u16> = self.0.iter().copied().filter(|row| *row != 0).collect();
        rows.sort_unstable();
        rows.dedup();
        for (upper, row) in self.0.iter().enumerate() {
            let Some(number) = rows.iter().position(|known| known == row) else {
                continue;
            };
            let bit = 1 << (group + u8::try_from(number % 4).unwrap_or_default());
            high[upper] |= bit;
            for (lower, entry) in low.iter_mut().enumerate() {
                if row >> lower & 1 == 1 {
                    *entry |= bit;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let classes = Classes::new(&Dialect::default(), &NullValues::new(values));
        let (low, high) = (classes.low, classes.high);
        let of = |groups| {
            let groups_of = |byte: u8| low[usize::from(byte & 0x0f)] & high[usize::from(byte >> 4)];
            (0..=u8::MAX)
                .filter(|byte| groups_of(*byte) & groups != 0)
                .collect()
        };
        (of(FIRST), of(SECOND))
    }

    #[test]
    fn few_bytes_are_found_exactly() {
        assert_eq!(found(&[]), (vec![], vec![]));
        assert_eq!(found(&["", "?"]), (b"?".into(), b"\n\r,".into()));
        assert_eq!(found(&["NA", "nb", "-9"]), (b"-Nn".into(), b"9Ab".into()));
    }

    #[test]
    fn many_bytes_are_all_found_and_few_others() {
        let (first, second) = found(&["\u{1}a", "#b", "4c", "Ed", "Ve", "gf", "xg"]);
        assert!(b"\x01#4EVgx".iter().all(|byte| first.contains(byte)));
        assert!(first.len() < 16, "{first:?}");
        assert_eq!(second, b"abcdefg");
    }
}
