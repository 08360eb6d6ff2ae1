//! Decides which records of a CSV file stay, and counts them and their nulls.

use crate::csv::dialect::{Dialect, Ragged};
use crate::csv::field::{fields, meaning};
use crate::failure::{Fault, Malformed};
use crate::findings::Counts;
use crate::null_values::NullValues;
use crate::pump::units::Kept;
use crate::rules::Verdict;

/// How the records of a file are judged.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub dialect: Dialect,
    pub nulls: &'a NullValues,
    pub verdict: &'a Verdict,
}

/// The records of some units, as far as they were judged.
pub struct Judged<'a> {
    judge: Judge<'a>,
    drops_ragged: bool,
    counts: Counts,
    /// Place, column and number of each null that has been counted in a record whose end has not
    /// been seen, to take them back if it is ragged. Empty unless such records are dropped.
    found: Vec<(usize, usize, usize)>,
}

/// The record that the next byte belongs to.
#[derive(Clone, Copy)]
pub struct Record {
    pub start: usize,
    /// The line feeds before it.
    pub lines: u64,
    /// The fields that have ended.
    pub fields: usize,
    /// The nulls so far in columns that count.
    pub nulls: usize,
}

impl<'a> Judged<'a> {
    pub fn new(judge: Judge<'a>, columns: usize) -> Self {
        Self {
            drops_ragged: judge.dialect.ragged == Ragged::Drop,
            judge,
            counts: Counts::new(columns),
            found: Vec::new(),
        }
    }

    /// Forgets the record that was not seen to its end.
    pub fn begin_unit(&mut self) {
        self.found.clear();
    }

    /// Counts the null at `offset`, and says whether it counts for its record.
    #[inline(always)]
    pub fn null(&mut self, offset: usize, column: usize, marker: usize) -> bool {
        // A record with so many fields is ragged.
        let Some(nulls) = self.counts.columns.get_mut(column) else {
            return false;
        };
        nulls.add(marker);
        if self.drops_ragged {
            self.found.push((offset, column, marker));
        }
        self.judge.verdict.counts(column)
    }

    /// Decides on a record, which ends at `end`.
    #[inline(always)]
    pub fn end_record(
        &mut self,
        record: &Record,
        blank: bool,
        end: usize,
        unit: &[u8],
        kept: &mut Kept,
    ) -> Result<(), Malformed> {
        let ragged = !blank && record.fields != self.counts.columns.len();
        let (mut nulls, mut stays) = (record.nulls, !blank);
        if ragged || self.drops_ragged {
            match self.uneven(record, end, ragged, unit)? {
                Some(missing) => nulls += missing,
                None => stays = false,
            }
        }
        let counts = &mut self.counts;
        counts.rows += u64::from(!blank);
        if stays && self.judge.verdict.keeps(nulls) {
            counts.kept += 1;
        } else {
            kept.cut(record.start, end);
        }
        Ok(())
    }

    /// What a record of too many or too few fields comes to: the nulls that it lacks, or that it goes.
    ///
    /// Where such records go, comes for all of them.
    #[inline(never)]
    fn uneven(
        &mut self,
        record: &Record,
        end: usize,
        ragged: bool,
        unit: &[u8],
    ) -> Result<Option<usize>, Malformed> {
        match self.judge.dialect.ragged {
            Ragged::Error => Err(self.ragged(record, false)),
            Ragged::Null => self.even_out(record, &unit[record.start..end]).map(Some),
            Ragged::Drop => {
                self.settle(end, ragged);
                Ok((!ragged).then_some(0))
            }
        }
    }

    /// Counts the fields that the record lacks as nulls, and gives those that count; refuses those too
    /// many that are not empty.
    #[cold]
    fn even_out(&mut self, record: &Record, bytes: &[u8]) -> Result<usize, Malformed> {
        let dialect = &self.judge.dialect;
        let columns = self.counts.columns.len();
        let surplus = fields(bytes, dialect).into_iter().skip(columns);
        if surplus
            .into_iter()
            .any(|field| !meaning(field, dialect).trim_ascii().is_empty())
        {
            return Err(self.ragged(record, true));
        }
        let mut nulls = 0;
        for column in record.fields..columns {
            self.counts.columns[column].add(0);
            nulls += usize::from(self.judge.verdict.counts(column));
        }
        Ok(nulls)
    }

    #[cold]
    fn ragged(&self, record: &Record, is_surplus: bool) -> Malformed {
        let (expected, found) = (self.counts.columns.len(), record.fields);
        let fault = if is_surplus {
            Fault::Surplus { expected, found }
        } else {
            Fault::Ragged { expected, found }
        };
        Malformed::new(record.lines, fault)
    }

    /// Counts a record that ends at `end`, if it is ragged.
    fn settle(&mut self, end: usize, ragged: bool) {
        let of_record = self.found.iter().take_while(|(offset, ..)| *offset < end);
        let nulls = of_record.count();
        for (_, column, marker) in self.found.drain(..nulls) {
            if ragged {
                self.counts.columns[column].take_back(marker);
            }
        }
        self.counts.ragged += u64::from(ragged);
    }

    /// The figures of all records.
    pub fn into_counts(self) -> Counts {
        self.counts
    }
}

impl Record {
    pub fn new(start: usize, lines: u64) -> Self {
        Self {
            start,
            lines,
            fields: 0,
            nulls: 0,
        }
    }
}
