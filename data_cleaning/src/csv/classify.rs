//! Which of 64 bytes are of which class, by the widest instructions that the processor has.
//!
//! The only file with `unsafe`: the instructions of AVX2, AVX-512 and NEON may be used only where
//! they are there, and their loads take pointers.

use crate::csv::classes::Classes;

/// One bit for each of 64 bytes, the first byte being the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Masks {
    pub(crate) delimiter: u64,
    pub(crate) line_feed: u64,
    pub(crate) carriage_return: u64,
    pub(crate) quote: u64,
    /// Bytes that a null value may begin with, and perhaps some others.
    pub(crate) first: u64,
    /// Bytes that may be the second of a null value, and perhaps some others.
    pub(crate) second: u64,
}

/// A way to classify bytes.
pub(crate) trait Classifier {
    fn classify(&self, block: &[u8; 64]) -> Masks;
}

/// Something to be done with a classifier, compiled once for each of them.
pub(crate) trait Work {
    type Output;
    /// Implementations have to be `#[inline(always)]`, so that they are compiled for the
    /// processor that the classifier needs.
    fn run(self, classifier: &impl Classifier) -> Self::Output;
}

/// Does the work with the fastest classifier for this processor.
pub(crate) fn with_fastest<W: Work>(classes: &Classes, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(classifier) = x86::Avx512::detect(classes) {
        return classifier.run(work);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(classifier) = x86::Avx2::detect(classes) {
        return classifier.run(work);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(classifier) = arm::Neon::detect(classes) {
        return classifier.run(work);
    }
    work.run(&Portable::new(classes))
}

/// Classifies by a table, one byte at a time, and gathers the bits of eight bytes at once.
pub(crate) struct Portable {
    /// The classes of each byte, one bit for each class.
    classes: [u8; 256],
}

impl Portable {
    pub(crate) fn new(classes: &Classes) -> Self {
        let mut table = [0; 256];
        for (byte, entry) in (0..=u8::MAX).zip(&mut table) {
            *entry = u8::from(byte == classes.delimiter)
                | u8::from(byte == b'\n') << 1
                | u8::from(byte == b'\r') << 2
                | u8::from(byte == b'"') << 3
                | u8::from(classes.first.contains(byte)) << 4
                | u8::from(classes.second.contains(byte)) << 5;
        }
        Self { classes: table }
    }
}

impl Classifier for Portable {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Masks {
        let mut masks = [0_u64; 6];
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
        let [delimiter, line_feed, carriage_return, quote, first, second] = masks;
        Masks {
            delimiter,
            line_feed,
            carriage_return,
            quote,
            first,
            second,
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "AVX2 and AVX-512, which are there only on some processors, and loads by pointer"
)]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
        _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_setzero_si256,
        _mm256_shuffle_epi8, _mm256_srli_epi16, _mm512_and_si512, _mm512_broadcast_i32x4,
        _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_shuffle_epi8,
        _mm512_srli_epi16, _mm512_test_epi8_mask,
    };

    use super::{Classes, Classifier, Masks, Work};
    use crate::csv::classes::{FIRST, SECOND};

    /// What is looked for.
    struct Tables {
        delimiter: u8,
        low: [u8; 16],
        high: [u8; 16],
    }

    impl Tables {
        fn new(classes: &Classes) -> Self {
            let (low, high) = classes.nibbles();
            Self {
                delimiter: classes.delimiter,
                low,
                high,
            }
        }
    }

    /// Exists only on a processor with AVX2 and the bit instructions of its time.
    pub(super) struct Avx2(Tables);

    impl Avx2 {
        pub(super) fn detect(classes: &Classes) -> Option<Self> {
            let there = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            there.then(|| Self(Tables::new(classes)))
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

    impl Classifier for Avx2 {
        #[inline(always)]
        fn classify(&self, block: &[u8; 64]) -> Masks {
            // SAFETY: `detect` is the only way to a value of this type, and found the features.
            unsafe { classify_avx2(&self.0, block) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn classify_avx2(tables: &Tables, block: &[u8; 64]) -> Masks {
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
                _mm_loadu_si128(tables.low.as_ptr().cast()),
                _mm_loadu_si128(tables.high.as_ptr().cast()),
            )
        };
        let low = _mm256_broadcastsi128_si256(low);
        let high = _mm256_broadcastsi128_si256(high);
        let sets = halves.map(|half| sets(half, low, high));
        Masks {
            delimiter: equal(halves, tables.delimiter),
            line_feed: equal(halves, b'\n'),
            carriage_return: equal(halves, b'\r'),
            quote: equal(halves, b'"'),
            first: any(sets, FIRST),
            second: any(sets, SECOND),
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
        let none = sets
            .map(|set| _mm256_cmpeq_epi8(_mm256_and_si256(set, groups), _mm256_setzero_si256()));
        !gather(none)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn gather(halves: [__m256i; 2]) -> u64 {
        let [head, tail] = halves.map(|half| _mm256_movemask_epi8(half).cast_unsigned());
        u64::from(head) | u64::from(tail) << 32
    }

    /// Exists only on a processor with the instructions of AVX-512 for bytes, besides those above.
    pub(super) struct Avx512(Tables);

    impl Avx512 {
        pub(super) fn detect(classes: &Classes) -> Option<Self> {
            let there = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            let Avx2(tables) = Avx2::detect(classes)?;
            there.then_some(Self(tables))
        }

        pub(super) fn run<W: Work>(&self, work: W) -> W::Output {
            // SAFETY: `detect` is the only way to a value of this type, and found the features.
            unsafe { run_avx512(self, work) }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
    fn run_avx512<W: Work>(classifier: &Avx512, work: W) -> W::Output {
        work.run(classifier)
    }

    impl Classifier for Avx512 {
        #[inline(always)]
        fn classify(&self, block: &[u8; 64]) -> Masks {
            // SAFETY: `detect` is the only way to a value of this type, and found the features.
            unsafe { classify_avx512(&self.0, block) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn classify_avx512(tables: &Tables, block: &[u8; 64]) -> Masks {
        // SAFETY: the block is 64 bytes long and both tables 16, and the loads need no alignment.
        let (bytes, low, high) = unsafe {
            (
                _mm512_loadu_si512(block.as_ptr().cast()),
                _mm_loadu_si128(tables.low.as_ptr().cast()),
                _mm_loadu_si128(tables.high.as_ptr().cast()),
            )
        };
        let nibble = _mm512_set1_epi8(0x0f);
        let lower = _mm512_and_si512(bytes, nibble);
        let upper = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
        let sets = _mm512_and_si512(
            _mm512_shuffle_epi8(_mm512_broadcast_i32x4(low), lower),
            _mm512_shuffle_epi8(_mm512_broadcast_i32x4(high), upper),
        );
        let equal = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()));
        let any = |groups: u8| _mm512_test_epi8_mask(sets, _mm512_set1_epi8(groups.cast_signed()));
        Masks {
            delimiter: equal(tables.delimiter),
            line_feed: equal(b'\n'),
            carriage_return: equal(b'\r'),
            quote: equal(b'"'),
            first: any(FIRST),
            second: any(SECOND),
        }
    }
}

#[cfg(target_arch = "aarch64")]
#[expect(
    unsafe_code,
    reason = "NEON instructions, which could be switched off, and loads by pointer"
)]
mod arm {
    use std::arch::aarch64::{
        uint8x16_t, vaddv_u8, vandq_u8, vceqq_u8, vdupq_n_u8, vget_high_u8, vget_low_u8, vld1q_u8,
        vqtbl1q_u8, vshrq_n_u8, vtstq_u8,
    };
    use std::arch::is_aarch64_feature_detected;

    use super::{Classes, Classifier, Masks, Work};
    use crate::csv::classes::{FIRST, SECOND};

    /// Exists only on a processor with NEON.
    pub(super) struct Neon {
        delimiter: u8,
        low: [u8; 16],
        high: [u8; 16],
    }

    impl Neon {
        pub(super) fn detect(classes: &Classes) -> Option<Self> {
            let (low, high) = classes.nibbles();
            is_aarch64_feature_detected!("neon").then_some(Self {
                delimiter: classes.delimiter,
                low,
                high,
            })
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

    impl Classifier for Neon {
        #[inline(always)]
        fn classify(&self, block: &[u8; 64]) -> Masks {
            // SAFETY: `detect` is the only way to a value of this type, and found the feature.
            unsafe { classify(self, block) }
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn classify(classifier: &Neon, block: &[u8; 64]) -> Masks {
        let (low, high) = (load(&classifier.low), load(&classifier.high));
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
            delimiter: equal(classifier.delimiter),
            line_feed: equal(b'\n'),
            carriage_return: equal(b'\r'),
            quote: equal(b'"'),
            first: any(FIRST),
            second: any(SECOND),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::null_values::NullValues;

    struct Check<'a> {
        classes: &'a Classes,
        block: [u8; 64],
    }

    impl Work for Check<'_> {
        type Output = ();

        #[inline(always)]
        fn run(self, classifier: &impl Classifier) {
            let found = classifier.classify(&self.block);
            let exact = Portable::new(self.classes).classify(&self.block);
            // The sets may have some bytes more, never one less.
            let first = exact.first & found.first;
            let second = exact.second & found.second;
            assert_eq!(
                Masks {
                    first,
                    second,
                    ..found
                },
                exact
            );
        }
    }

    #[test]
    fn every_classifier_finds_the_same() {
        for values in [NullValues::pandas(), NullValues::new(vec!["?".into()])] {
            for delimiter in [b',', b'\t', 0, 0x7f] {
                let classes = Classes::new(delimiter, &values);
                for byte in 0..=u8::MAX {
                    for place in 0..64 {
                        let mut block = [b' '; 64];
                        block[place] = byte;
                        block[63 - place] = b'"';
                        let classes = &classes;
                        with_fastest(classes, Check { classes, block });
                        // Which is not the fastest everywhere.
                        #[cfg(target_arch = "x86_64")]
                        if let Some(avx2) = x86::Avx2::detect(classes) {
                            avx2.run(Check { classes, block });
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_portable_one_finds_each_byte_in_its_place() {
        let classes = Classes::new(b';', &NullValues::pandas());
        let mut block = [b'x'; 64];
        for (place, byte) in [(0, b';'), (7, b'\n'), (8, b'\r'), (31, b'"'), (63, b'N')] {
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
            }
        );
    }
}
