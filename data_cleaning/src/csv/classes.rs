//! What the classifiers look for.

use crate::null_values::NullValues;

/// The groups of [`Classes::nibbles`] that stand for the first byte of a null value.
pub(crate) const FIRST: u8 = 0x0f;
/// Those that stand for the second one.
pub(crate) const SECOND: u8 = 0xf0;

/// The bytes that mean something in a CSV file.
pub(crate) struct Classes {
    pub(crate) delimiter: u8,
    /// What null values begin with.
    pub(crate) first: ByteSet,
    /// What follows on the first byte of a null value: its second byte, or the end of the field.
    pub(crate) second: ByteSet,
}

impl Classes {
    pub(crate) fn new(delimiter: u8, nulls: &NullValues) -> Self {
        let (mut first, mut second) = (ByteSet::default(), ByteSet::default());
        for value in nulls.values() {
            match value.as_bytes() {
                [] => (),
                [only] => {
                    first.insert(*only);
                    for end in [delimiter, b'\r', b'\n'] {
                        second.insert(end);
                    }
                }
                [one, two, ..] => {
                    first.insert(*one);
                    second.insert(*two);
                }
            }
        }
        Self {
            delimiter,
            first,
            second,
        }
    }

    /// Tables for the lower and the upper four bits of a byte: it may be in the set `first` when
    /// both entries have one of the bits of [`FIRST`] in common, and likewise for `second`.
    pub(crate) fn nibbles(&self) -> ([u8; 16], [u8; 16]) {
        let (mut low, mut high) = ([0; 16], [0; 16]);
        self.first.add_groups(&mut low, &mut high, 0);
        self.second.add_groups(&mut low, &mut high, 4);
        (low, high)
    }
}

/// A set of bytes: for each value of the upper four bits, a bit for each value of the lower ones.
#[derive(Default)]
pub(crate) struct ByteSet([u16; 16]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 4)] |= 1 << (byte & 0x0f);
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
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
        let (low, high) = Classes::new(b',', &NullValues::new(values)).nibbles();
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
