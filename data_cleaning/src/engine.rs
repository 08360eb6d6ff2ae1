//! The filtering itself, by polars. The only file that names polars.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::{Context, Result, ensure};
use polars::prelude::{
    BooleanChunked, CsvWriter, DataFrame, DataType, Engine, Field, LazyCsvReader,
    LazyFileListReader, LazyFrame, NewChunkedArray, PlanCallback, PolarsResult, ScanSources,
    Schema, SerWriter,
};

use crate::null_values::NullValues;
use crate::survey::Survey;

const INPUT_CHANGED: &str = "the input changed while it was read";

/// How many rows were kept, and the nulls of each column in those that were read.
#[derive(Debug)]
pub(crate) struct Filtered {
    pub(crate) kept: u64,
    pub(crate) nulls: Vec<u64>,
}

/// Gives the rows that hold no null to `write`, as CSV and in order.
///
/// `survey` is that of `file`. The header is left to the caller.
pub(crate) fn filter(
    file: File,
    survey: &Survey,
    nulls: &NullValues,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Filtered> {
    let mut filtered = Filtered {
        kept: 0,
        nulls: vec![0; survey.columns],
    };
    if survey.rows == 0 {
        return Ok(filtered);
    }
    refuse_zlib(&file)?;
    let mut lines = 0;
    for_each_batch(scan(file, survey)?, |batch| {
        lines += batch.height() as u64;
        let keep = rows_without_null(&batch, nulls, &mut filtered.nulls)?;
        let mut kept = batch.filter(&keep)?;
        filtered.kept += kept.height() as u64;
        let mut rows = Vec::new();
        CsvWriter::new(&mut rows)
            .include_header(false)
            .with_line_terminator(survey.line_end.into())
            .finish(&mut kept)?;
        write(&rows)
    })?;
    ensure!(lines == survey.rows + survey.blank, INPUT_CHANGED);
    // To polars a blank line is a row of nulls.
    for column in &mut filtered.nulls {
        *column = column.checked_sub(survey.blank).context(INPUT_CHANGED)?;
    }
    Ok(filtered)
}

/// Refuses a CSV file that polars would take for a compressed one, and panic.
fn refuse_zlib(file: &File) -> Result<()> {
    let mut start = [0; 2];
    file.read_exact_at(&mut start, 0)?;
    // The other starts of a zlib stream, and those of gzip and zstd, are not UTF-8.
    ensure!(
        !matches!(start, [b'x', 0x01 | b'^' | 0xda]),
        "it begins like a zlib stream, which polars would decompress; put the first column name \
         in quotes"
    );
    Ok(())
}

/// Columns of text, by number: the names in the file may be repeated, which polars does not allow.
fn text_columns(count: usize) -> Schema {
    (0..count)
        .map(|column| Field::new(column.to_string().into(), DataType::String))
        .collect()
}

fn scan(file: File, survey: &Survey) -> PolarsResult<LazyFrame> {
    let schema = text_columns(survey.columns);
    // An open file, not a path: polars takes some names for patterns or addresses.
    LazyCsvReader::new_with_sources(ScanSources::Files([file].into()))
        .with_has_header(false)
        .with_skip_rows(survey.lead)
        .with_schema(Some(Arc::new(schema)))
        .finish()
}

/// Runs the query in the streaming engine and hands its batches over in order.
///
/// The engine runs in a thread of its own, ahead by one batch, so that what is done with a batch
/// is plain code with errors of its own kind instead of a callback of the engine.
fn for_each_batch(query: LazyFrame, mut each: impl FnMut(DataFrame) -> Result<()>) -> Result<()> {
    let (sender, batches) = mpsc::sync_channel(1);
    // True ends the query: nobody takes the batches any more.
    let hand_over = PlanCallback::new(move |batch| Ok(sender.send(batch).is_err()));
    let query = query.sink_batches(hand_over, true, None)?;
    thread::scope(|scope| {
        let engine = scope.spawn(|| query.collect_with_engine(Engine::Streaming));
        for batch in batches {
            each(batch)?;
        }
        engine.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(())
    })
}

/// Marks the rows of the batch that hold no null, and adds the nulls of each column to `counts`.
///
/// Not left to polars: on a lazy frame its `drop_nulls` needs gigabytes for two thousand columns,
/// and its `null_values` looks at a field before the quotes within are undoubled.
fn rows_without_null(
    batch: &DataFrame,
    nulls: &NullValues,
    counts: &mut [u64],
) -> PolarsResult<BooleanChunked> {
    let mut keep = vec![true; batch.height()];
    for (column, count) in batch.columns().iter().zip(counts) {
        for (keep, value) in keep.iter_mut().zip(column.str()?.iter()) {
            if value.is_none_or(|value| nulls.contains(value)) {
                *keep = false;
                *count += 1;
            }
        }
    }
    Ok(BooleanChunked::from_slice("keep".into(), &keep))
}
