//! Which of 64 bytes are of which class, by the widest instructions that the processor has.
//!
//! The only folder with `unsafe`: the instructions of AVX2 and NEON may be used only where they are
//! there, and their loads take pointers.

#[cfg(target_arch = "aarch64")]
#[expect(
    unsafe_code,
    reason = "NEON instructions, which could be switched off, and loads by pointer"
)]
mod aarch64;
pub mod masks;
mod portable;
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "AVX2, which is there only on some processors, and loads by pointer"
)]
mod x86;

use crate::csv::classes::Classes;
use crate::csv::classify::masks::{Classifier, Work};
use crate::csv::classify::portable::Portable;
use crate::csv::dialect::Dialect;
use crate::null_values::NullValues;

/// The ways there are on some processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Avx2,
    Neon,
    Portable,
}

impl Kind {
    /// Those of this processor, the fastest first.
    pub fn available() -> Vec<Self> {
        [Self::Avx2, Self::Neon, Self::Portable]
            .into_iter()
            .filter(|kind| kind.is_there())
            .collect()
    }

    /// The fastest one for this processor.
    pub fn fastest() -> Self {
        Self::available().first().copied().unwrap_or(Self::Portable)
    }

    fn is_there(self) -> bool {
        struct Nothing;

        impl Work for Nothing {
            type Output = ();

            #[inline(always)]
            fn run(self, _: &impl Classifier) {}
        }

        let classes = Classes::new(&Dialect::default(), &NullValues::new(Vec::new()));
        self.try_to_run(&classes, Nothing).is_ok()
    }

    /// Does the work with this classifier; with the portable one, where it is not there.
    pub fn run<W: Work>(self, classes: &Classes, work: W) -> W::Output {
        match self.try_to_run(classes, work) {
            Ok(output) => output,
            Err(work) => work.run(&Portable::new(classes)),
        }
    }

    /// Does the work, or gives it back.
    fn try_to_run<W: Work>(self, classes: &Classes, work: W) -> Result<W::Output, W> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => match x86::Avx2::detect(classes) {
                Some(classifier) => Ok(classifier.run(work)),
                None => Err(work),
            },
            #[cfg(target_arch = "aarch64")]
            Self::Neon => match aarch64::Neon::detect(classes) {
                Some(classifier) => Ok(classifier.run(work)),
                None => Err(work),
            },
            Self::Portable => Ok(work.run(&Portable::new(classes))),
            _ => Err(work),
        }
    }
}

/// The last bytes, filled up to a block with zeros, and a bit for each that is there.
pub fn last_block(rest: &[u8]) -> ([u8; 64], u64) {
    let mut block = [0; 64];
    block[..rest.len()].copy_from_slice(rest);
    (block, (1 << rest.len()) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::classify::masks::Masks;

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
            for (delimiter, quote) in [(b',', b'"'), (b'\t', b'\''), (0, b'"'), (0x7f, 0)] {
                let dialect = Dialect {
                    delimiter,
                    quote: Some(quote),
                    ..Dialect::default()
                };
                let classes = &Classes::new(&dialect, &values);
                for (byte, place) in (0..=u8::MAX).flat_map(|b| (0..64).map(move |p| (b, p))) {
                    let mut block = [b' '; 64];
                    block[place] = byte;
                    block[63 - place] = b'"';
                    for kind in Kind::available() {
                        kind.run(classes, Check { classes, block });
                    }
                }
            }
        }
    }
}
