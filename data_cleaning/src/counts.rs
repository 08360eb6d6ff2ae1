//! What was seen in the rows.

/// The figures of the rows read so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) kept: u64,
    /// The dropped rows that had more or fewer fields than the header.
    pub(crate) ragged: u64,
    pub(crate) columns: Vec<ColumnNulls>,
}

/// The nulls of one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ColumnNulls {
    /// Those that are marked by nothing: empty fields, or the nulls of a format that has some.
    pub(crate) empty: u64,
    /// Those with a marker, in the order of the null values; nothing as long as there are none,
    /// because a file may have many columns and markers.
    marked: Vec<u64>,
}

impl Counts {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            rows: 0,
            kept: 0,
            ragged: 0,
            columns: vec![ColumnNulls::default(); columns],
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.rows - self.kept
    }
}

impl ColumnNulls {
    /// Counts a null whose value is the one of this number; 0 is the empty one.
    pub(crate) fn add(&mut self, marker: usize) {
        if marker == 0 {
            self.empty += 1;
            return;
        }
        if self.marked.len() <= marker {
            self.marked.resize(marker + 1, 0);
        }
        self.marked[marker] += 1;
    }

    /// Forgets a null that was counted.
    pub(crate) fn take_back(&mut self, marker: usize) {
        match marker {
            0 => self.empty -= 1,
            _ => self.marked[marker] -= 1,
        }
    }

    /// How many nulls there are of the value of this number.
    pub(crate) fn of(&self, marker: usize) -> u64 {
        match marker {
            0 => self.empty,
            _ => self.marked.get(marker).copied().unwrap_or(0),
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.empty + self.marked.iter().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
