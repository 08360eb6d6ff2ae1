//! 64 bytes at a time, by NEON.

use std::arch::aarch64::{
    uint8x16_t, vaddv_u8, vandq_u8, vceqq_u8, vdupq_n_u8, vget_high_u8, vget_low_u8, vld1q_u8,
    vqtbl1q_u8, vshrq_n_u8, vtstq_u8,
};
use std::arch::is_aarch64_feature_detected;

use crate::csv::classes::{Classes, FIRST, SECOND};
use crate::csv::classify::masks::{Classifier, Masks, Work};

/// Exists only on a processor with NEON.
pub(super) struct Neon<'a>(&'a Classes);

impl<'a> Neon<'a> {
    pub(super) fn detect(classes: &'a Classes) -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(classes))
    }

    pub(super) fn run<W: Work>(&self, work: W) -> W::Output {
        // SAFETY: `detect` is the only way to a value of this type, and found the feature.
        unsafe { run(self, work) }
    }
}

#[target_feature(enable = "neon")]
fn run<W: Work>(classifier: &Neon, work: W) -> W::Output {
    work.run(classifier)
}

impl Classifier for Neon<'_> {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Masks {
        // SAFETY: `detect` is the only way to a value of this type, and found the feature.
        unsafe { classify(self.0, block) }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn classify(classes: &Classes, block: &[u8; 64]) -> Masks {
    let (low, high) = (load(&classes.low), load(&classes.high));
    let mut quarters = [vdupq_n_u8(0); 4];
    for (quarter, bytes) in quarters.iter_mut().zip(block.as_chunks::<16>().0) {
        *quarter = load(bytes);
    }
    let sets = quarters.map(|bytes| {
        let low = vqtbl1q_u8(low, vandq_u8(bytes, vdupq_n_u8(0x0f)));
        vandq_u8(low, vqtbl1q_u8(high, vshrq_n_u8::<4>(bytes)))
    });
    let equal = |byte| gather(quarters.map(|bytes| vceqq_u8(bytes, vdupq_n_u8(byte))));
    let any = |groups| gather(sets.map(|set| vtstq_u8(set, vdupq_n_u8(groups))));
    Masks {
        delimiter: equal(classes.delimiter),
        line_feed: equal(b'\n'),
        carriage_return: equal(b'\r'),
        quote: equal(classes.quote),
        first: any(FIRST),
        second: any(SECOND),
        blank: equal(b' ') | equal(b'\t'),
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: there are 16 bytes, and the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// One bit for each byte, out of bytes that have all bits or none.
#[inline]
#[target_feature(enable = "neon")]
fn gather(quarters: [uint8x16_t; 4]) -> u64 {
    let weights = load(&[1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
    let mut mask = 0;
    for (quarter, shift) in quarters.into_iter().zip([0, 16, 32, 48]) {
        let bits = vandq_u8(quarter, weights);
        let low = u64::from(vaddv_u8(vget_low_u8(bits)));
        let high = u64::from(vaddv_u8(vget_high_u8(bits)));
        mask |= (low | high << 8) << shift;
    }
    mask
}
