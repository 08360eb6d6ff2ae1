//! Byte by byte, for processors without the other instructions; what these have to agree with.

use crate::csv::classes::Classes;
use crate::csv::classify::masks::{Classifier, Masks};

/// Classifies by a table, one byte at a time, and gathers the bits of eight bytes at once.
pub(super) struct Portable {
    /// The classes of each byte, one bit for each class.
    classes: [u8; 256],
}

impl Portable {
    pub(super) fn new(classes: &Classes) -> Self {
        let mut table = [0; 256];
        for (byte, entry) in (0..=u8::MAX).zip(&mut table) {
            *entry = u8::from(byte == classes.delimiter)
                | u8::from(byte == b'\n') << 1
                | u8::from(byte == b'\r') << 2
                | u8::from(byte == classes.quote) << 3
                | u8::from(classes.first.contains(byte)) << 4
                | u8::from(classes.second.contains(byte)) << 5
                | u8::from(matches!(byte, b' ' | b'\t')) << 6;
        }
        Self { classes: table }
    }
}

impl Classifier for Portable {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Masks {
        let mut masks = [0_u64; 7];
        for (i, bytes) in block.chunks_exact(8).enumerate() {
            let mut word = 0;
            for (j, byte) in bytes.iter().enumerate() {
                word |= u64::from(self.classes[usize::from(*byte)]) << (8 * j);
            }
            for (class, mask) in masks.iter_mut().enumerate() {
                // The lowest bits of eight bytes, moved into the highest byte.
                let bits = (word >> class) & 0x0101_0101_0101_0101;
                *mask |= (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
            }
        }
        let [
            delimiter,
            line_feed,
            carriage_return,
            quote,
            first,
            second,
            blank,
        ] = masks;
        Masks {
            delimiter,
            line_feed,
            carriage_return,
            quote,
            first,
            second,
            blank,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::dialect::Dialect;
    use crate::null_values::NullValues;

    #[test]
    fn each_byte_is_found_in_its_place() {
        let dialect = Dialect {
            delimiter: b';',
            ..Dialect::default()
        };
        let classes = Classes::new(&dialect, &NullValues::pandas());
        let mut block = [b'x'; 64];
        for (place, byte) in [
            (0, b';'),
            (7, b'\n'),
            (8, b'\r'),
            (31, b'"'),
            (62, b' '),
            (63, b'N'),
        ] {
            block[place] = byte;
        }
        assert_eq!(
            Portable::new(&classes).classify(&block),
            Masks {
                delimiter: 1,
                line_feed: 1 << 7,
                carriage_return: 1 << 8,
                quote: 1 << 31,
                first: 1 << 63,
                second: 1 << 63,
                blank: 1 << 62,
            }
        );
    }
}
