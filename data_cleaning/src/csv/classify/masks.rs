//! What every classifier gives, and what is done with it: bits of a block.

/// One bit for each of 64 bytes, the first byte being the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Masks {
    pub delimiter: u64,
    pub line_feed: u64,
    pub carriage_return: u64,
    pub quote: u64,
    /// Bytes that a null value may begin with, and perhaps some others.
    pub first: u64,
    /// Bytes that may be the second of a null value, and perhaps some others.
    pub second: u64,
    /// Blanks and tabs. Where nobody asks for them, they cost nothing.
    pub blank: u64,
}

/// A way to classify bytes.
pub trait Classifier {
    fn classify(&self, block: &[u8; 64]) -> Masks;
}

/// Something to be done with a classifier, compiled once for each of them.
pub trait Work {
    type Output;
    /// Implementations have to be `#[inline(always)]`, so that they are compiled for the
    /// processor that the classifier needs.
    fn run(self, classifier: &impl Classifier) -> Self::Output;
}

impl Masks {
    /// The masks of a block of which only these bytes are those of the file.
    #[must_use]
    pub fn only(self, there: u64) -> Self {
        Self {
            delimiter: self.delimiter & there,
            line_feed: self.line_feed & there,
            carriage_return: self.carriage_return & there,
            quote: self.quote & there,
            first: self.first & there,
            // A value of one byte may end where the file does.
            second: self.second | !there,
            blank: self.blank & there,
        }
    }
}

/// The quotes that open or close a field, where others are text, and the bytes that are within them.
///
/// Of what is before the block: whether it is within quotes, and in the lowest bits, whether a field
/// ends or a quote closes there.
///
/// Nearly always these are all. Else they are looked at one after the other, as each depends on those
/// before it.
#[inline(always)]
pub fn without_strays(masks: Masks, [inside, field_start, after_quote]: [u64; 3]) -> (u64, u64) {
    let all = masks.quote;
    let starts = (masks.delimiter | masks.line_feed) << 1 | field_start;
    let parity = prefix_parity(all) ^ inside;
    let closed = (all & !parity) << 1 | after_quote;
    if all & parity & !(starts | closed) == 0 {
        return (all, parity);
    }
    let quotes = one_by_one(all, starts, inside, after_quote);
    (quotes, prefix_parity(quotes) ^ inside)
}

#[inline(never)]
fn one_by_one(mut rest: u64, starts: u64, inside: u64, after_quote: u64) -> u64 {
    let mut found = 0;
    let (mut inside, mut closed) = (inside != 0, after_quote);
    while rest != 0 {
        let quote = rest & rest.wrapping_neg();
        rest ^= quote;
        if inside {
            (inside, closed) = (false, quote << 1);
        } else if (starts | closed) & quote != 0 {
            inside = true;
        } else {
            continue;
        }
        found |= quote;
    }
    found
}

/// For each bit whether it and those before it have an odd number of ones.
#[inline(always)]
pub fn prefix_parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The bits up to this one, and with it.
#[inline(always)]
pub fn up_to_bit(bit: usize) -> u64 {
    !0 >> (63 - bit)
}

/// How many of the bits before this one are set.
#[inline(always)]
pub fn count_before(bits: u64, bit: u32) -> usize {
    (bits & ((1 << bit) - 1)).count_ones() as usize
}
