//! 32 bytes at a time, by AVX2.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use crate::csv::classes::{Classes, FIRST, SECOND};
use crate::csv::classify::masks::{Classifier, Masks, Work};

/// Exists only on a processor with AVX2 and the bit instructions of its time.
pub(super) struct Avx2<'a>(&'a Classes);

impl<'a> Avx2<'a> {
    pub(super) fn detect(classes: &'a Classes) -> Option<Self> {
        let there = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        there.then_some(Self(classes))
    }

    pub(super) fn run<W: Work>(&self, work: W) -> W::Output {
        // SAFETY: `detect` is the only way to a value of this type, and found the features.
        unsafe { run_avx2(self, work) }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<W: Work>(classifier: &Avx2, work: W) -> W::Output {
    work.run(classifier)
}

impl Classifier for Avx2<'_> {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Masks {
        // SAFETY: `detect` is the only way to a value of this type, and found the features.
        unsafe { classify_avx2(self.0, block) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn classify_avx2(classes: &Classes, block: &[u8; 64]) -> Masks {
    let (head, tail) = block.split_at(32);
    // SAFETY: both halves are 32 bytes long, and the loads need no alignment.
    let halves = unsafe {
        [
            _mm256_loadu_si256(head.as_ptr().cast()),
            _mm256_loadu_si256(tail.as_ptr().cast()),
        ]
    };
    // SAFETY: both tables are 16 bytes long, and the loads need no alignment.
    let (low, high) = unsafe {
        (
            _mm_loadu_si128(classes.low.as_ptr().cast()),
            _mm_loadu_si128(classes.high.as_ptr().cast()),
        )
    };
    let low = _mm256_broadcastsi128_si256(low);
    let high = _mm256_broadcastsi128_si256(high);
    let sets = halves.map(|half| sets(half, low, high));
    Masks {
        delimiter: equal(halves, classes.delimiter),
        line_feed: equal(halves, b'\n'),
        carriage_return: equal(halves, b'\r'),
        quote: equal(halves, classes.quote),
        first: any(sets, FIRST),
        second: any(sets, SECOND),
        blank: equal(halves, b' ') | equal(halves, b'\t'),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(halves: [__m256i; 2], byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte.cast_signed());
    gather(halves.map(|half| _mm256_cmpeq_epi8(half, byte)))
}

/// The groups of each byte: those that both its halves of four bits belong to.
#[inline]
#[target_feature(enable = "avx2")]
fn sets(bytes: __m256i, low: __m256i, high: __m256i) -> __m256i {
    let nibble = _mm256_set1_epi8(0x0f);
    let low = _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble));
    let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
    _mm256_and_si256(low, _mm256_shuffle_epi8(high, upper))
}

/// The bytes that are in one of the groups.
#[inline]
#[target_feature(enable = "avx2")]
fn any(sets: [__m256i; 2], groups: u8) -> u64 {
    let groups = _mm256_set1_epi8(groups.cast_signed());
    let none =
        sets.map(|set| _mm256_cmpeq_epi8(_mm256_and_si256(set, groups), _mm256_setzero_si256()));
    !gather(none)
}

#[inline]
#[target_feature(enable = "avx2")]
fn gather(halves: [__m256i; 2]) -> u64 {
    let [head, tail] = halves.map(|half| _mm256_movemask_epi8(half).cast_unsigned());
    u64::from(head) | u64::from(tail) << 32
}
