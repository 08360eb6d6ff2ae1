//! Which rows of a table stay.

use anyhow::Result;
use polars::prelude::{
    BooleanChunked, ChunkedArray, Column, DataFrame, DataType, NewChunkedArray, PolarsNumericType,
    PolarsResult,
};
use polars_arrow::array::Array;

use crate::findings::{ColumnNulls, Counts};
use crate::null_values::NullValues;
use crate::rules::Verdict;
use crate::table::panics::unless_it_panics;

/// How the rows of a table are judged.
pub(super) struct Judge<'a> {
    /// The texts that mean null, if any do.
    pub(super) nulls: Option<&'a NullValues>,
    pub(super) verdict: &'a Verdict,
}

impl Judge<'_> {
    /// The rows that stay, in their order, counted together with those that go.
    ///
    /// Not left to polars, which would not count them.
    pub(super) fn filter(&self, batch: &DataFrame, counts: &mut Counts) -> Result<DataFrame> {
        let mut nulls = vec![0_usize; batch.height()];
        for (number, column) in batch.columns().iter().enumerate() {
            let mut marked = Marked {
                counts: &mut counts.columns[number],
                rows: self.verdict.counts(number).then_some(&mut nulls),
            };
            unless_it_panics(|| Ok(self.mark(column, &mut marked)?))?;
        }
        let keep = nulls.iter().map(|nulls| self.verdict.keeps(*nulls));
        let keep = BooleanChunked::from_iter_values("keep".into(), keep);
        let kept = unless_it_panics(|| Ok(batch.filter(&keep)?))?;
        counts.rows += batch.height() as u64;
        counts.kept += kept.height() as u64;
        Ok(kept)
    }

    /// Finds the nulls of a column: those of the format, numbers that are none, and marked text.
    fn mark(&self, column: &Column, marked: &mut Marked) -> PolarsResult<()> {
        if column.null_count() > 0 {
            nulls(column, marked);
        }
        match column.dtype() {
            DataType::Float32 => not_numbers(column.f32()?, |value| value.is_nan(), marked),
            DataType::Float64 => not_numbers(column.f64()?, |value| value.is_nan(), marked),
            _ => (),
        }
        match (column.dtype(), self.nulls) {
            (DataType::Float32, Some(nulls)) => {
                marked.each(column.f32()?.iter(), |number| nulls.find_single(number));
            }
            (DataType::Float64, Some(nulls)) => {
                marked.each(column.f64()?.iter(), |number| nulls.find_float(number));
            }
            (dtype, Some(nulls)) if nulls.has_numbers() && dtype.is_primitive_numeric() => {
                let texts = column.cast(&DataType::String)?;
                marked.each(texts.str()?.iter(), |text| {
                    nulls.find_number(text.as_bytes())
                });
            }
            (DataType::Decimal(..), Some(nulls)) if nulls.has_numbers() => {
                let texts = column.cast(&DataType::String)?;
                marked.each(texts.str()?.iter(), |text| {
                    nulls.find_number(text.as_bytes())
                });
            }
            (DataType::String | DataType::Categorical(..) | DataType::Enum(..), Some(nulls)) => {
                let texts = column.cast(&DataType::String)?;
                marked.each(texts.str()?.iter(), |text| nulls.find(text.as_bytes()));
            }
            _ => (),
        }
        Ok(())
    }
}

/// Takes the nulls of one column.
struct Marked<'a> {
    counts: &'a mut ColumnNulls,
    /// The nulls of each row, if those of this column count.
    rows: Option<&'a mut Vec<usize>>,
}

impl Marked<'_> {
    fn add(&mut self, row: usize, marker: usize) {
        self.counts.add(marker);
        if let Some(rows) = &mut self.rows {
            rows[row] += 1;
        }
    }

    /// Takes those rows for nulls whose value is found among the null values.
    fn each<T>(
        &mut self,
        values: impl Iterator<Item = Option<T>>,
        find: impl Fn(T) -> Option<usize>,
    ) {
        for (row, value) in values.enumerate() {
            if let Some(marker) = value.and_then(&find) {
                self.add(row, marker);
            }
        }
    }
}

/// The nulls of the format. Their bits are looked through here, as a mask of polars would be slower.
fn nulls(column: &Column, marked: &mut Marked) {
    let series = column.as_materialized_series();
    let mut start = 0;
    for chunk in series.chunks() {
        if chunk.null_count() == chunk.len() {
            (start..start + chunk.len()).for_each(|row| marked.add(row, 0));
        } else if let Some(validity) = chunk.validity() {
            let missing = !validity;
            missing
                .true_idx_iter()
                .for_each(|row| marked.add(start + row, 0));
        }
        start += chunk.len();
    }
}

/// The values that are no numbers.
fn not_numbers<T: PolarsNumericType>(
    column: &ChunkedArray<T>,
    is_nan: impl Fn(&T::Native) -> bool,
    marked: &mut Marked,
) {
    let mut start = 0;
    for chunk in column.downcast_iter() {
        for (row, value) in chunk.values().iter().enumerate() {
            if is_nan(value) && chunk.is_valid(row) {
                marked.add(start + row, 0);
            }
        }
        start += chunk.len();
    }
}
