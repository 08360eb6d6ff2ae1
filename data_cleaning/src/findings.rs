//! What was found in the rows.

use crate::null_values::NullValues;
use crate::rules::Verdict;

/// All that is known of a file whose rows were judged.
pub struct Findings {
    /// The names of the columns.
    pub names: Vec<String>,
    pub counts: Counts,
    /// The values that meant null.
    pub nulls: NullValues,
    pub verdict: Verdict,
}

/// The figures of the rows read so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    pub rows: u64,
    pub kept: u64,
    /// The dropped rows that had more or fewer fields than the header.
    pub ragged: u64,
    pub columns: Vec<ColumnNulls>,
}

/// The nulls of one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnNulls {
    /// Those that are marked by nothing: empty fields, or the nulls of a format that has some.
    pub empty: u64,
    /// Those with a marker, in the order of the null values; nothing as long as there are none,
    /// because a file may have many columns and markers.
    marked: Vec<u64>,
}

impl Counts {
    pub fn new(columns: usize) -> Self {
        Self {
            rows: 0,
            kept: 0,
            ragged: 0,
            columns: vec![ColumnNulls::default(); columns],
        }
    }

    /// Adds the figures of other rows of the same file.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.kept += other.kept;
        self.ragged += other.ragged;
        for (nulls, others) in self.columns.iter_mut().zip(&other.columns) {
            nulls.empty += others.empty;
            for (marker, count) in others.marked.iter().enumerate().skip(1) {
                nulls.add_marked(marker, *count);
            }
        }
    }

    pub fn dropped(&self) -> u64 {
        self.rows - self.kept
    }
}

impl ColumnNulls {
    /// Counts a null whose value is the one of this number; 0 is the empty one.
    #[inline(always)]
    pub fn add(&mut self, marker: usize) {
        match marker {
            0 => self.empty += 1,
            _ => self.add_marked(marker, 1),
        }
    }

    /// Not a part of the loop that counts empty fields, which are the most.
    #[inline(never)]
    fn add_marked(&mut self, marker: usize, nulls: u64) {
        if self.marked.len() <= marker {
            self.marked.resize(marker + 1, 0);
        }
        self.marked[marker] += nulls;
    }

    /// Forgets a null that was counted.
    pub fn take_back(&mut self, marker: usize) {
        match marker {
            0 => self.empty -= 1,
            _ => self.marked[marker] -= 1,
        }
    }

    /// How many nulls there are of the value of this number.
    pub fn of(&self, marker: usize) -> u64 {
        match marker {
            0 => self.empty,
            _ => self.marked.get(marker).copied().unwrap_or(0),
        }
    }

    pub fn total(&self) -> u64 {
        self.empty + self.marked.iter().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_parts_are_those_of_the_whole() {
        let counts = |rows, nulls: &[(usize, usize)]| {
            let mut counts = Counts::new(2);
            (counts.rows, counts.kept, counts.ragged) = (rows, rows / 2, rows / 4);
            for (column, marker) in nulls {
                counts.columns[*column].add(*marker);
            }
            counts
        };
        let mut sum = counts(4, &[(0, 0), (1, 1)]);
        sum.add(&counts(8, &[(0, 0), (0, 3), (1, 1)]));
        assert_eq!(sum, counts(12, &[(0, 0), (0, 0), (0, 3), (1, 1), (1, 1)]));
    }

    #[test]
    fn nulls_are_counted_by_marker() {
        let mut nulls = ColumnNulls::default();
        for marker in [0, 3, 3, 1, 0] {
            nulls.add(marker);
        }
        for marker in [3, 0] {
            nulls.add(marker);
            nulls.take_back(marker);
        }
        let found: Vec<u64> = (0..5).map(|marker| nulls.of(marker)).collect();
        assert_eq!((found, nulls.total()), (vec![2, 1, 0, 2, 0], 5));
    }
}
