//! What every classifier gives, and what is done with it.

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
