//! The parts of a unit that stay.

/// Collects everything but what is cut, in runs as long as possible.
pub struct Kept<'a> {
    unit: &'a [u8],
    /// Up to where everything has been collected or cut.
    from: usize,
    bytes: &'a mut Vec<u8>,
}

impl<'a> Kept<'a> {
    /// Nothing is cut of the unit yet; `bytes` is memory to use.
    pub fn new(unit: &'a [u8], bytes: &'a mut Vec<u8>) -> Self {
        bytes.clear();
        Self {
            unit,
            from: 0,
            bytes,
        }
    }

    /// Takes out what lies between these two places. Comes in the order of the unit.
    #[inline(always)]
    pub fn cut(&mut self, start: usize, end: usize) {
        if start > self.from {
            self.bytes.extend_from_slice(&self.unit[self.from..start]);
        }
        self.from = end;
    }

    /// What stays. A unit of which nothing was cut has not been copied.
    pub fn finish(self) -> &'a [u8] {
        if self.from == 0 {
            return self.unit;
        }
        self.bytes.extend_from_slice(&self.unit[self.from..]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_what_is_cut_stays() {
        for (cuts, expected) in [
            (&[][..], "abcdef"),
            (&[(0, 2)], "cdef"),
            (&[(0, 2), (2, 3)], "def"),
            (&[(1, 2), (4, 6)], "acd"),
            (&[(0, 6)], ""),
        ] {
            let mut bytes = b"used before".to_vec();
            let mut kept = Kept::new(b"abcdef", &mut bytes);
            for (start, end) in cuts {
                kept.cut(*start, *end);
            }
            assert_eq!(kept.finish(), expected.as_bytes(), "{cuts:?}");
        }
    }
}
