//! Tables that are not CSV, read batch by batch.

use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::Result;
use polars::prelude::{DataFrame, Schema};

use crate::failure::Failure;
use crate::table::origin::Origin;
use crate::table::panics::unless_it_panics;

/// About the bytes in memory of the rows that are handed over together.
pub(super) const PORTION: usize = 64 << 20;

/// What each value takes besides its text: a reference to it.
pub(super) const REFERENCE: usize = 16;

/// Rows of a table, and how far the reading is with them.
pub(super) struct Batch {
    pub(super) rows: DataFrame,
    /// The part of `all` that was read, in whatever is counted.
    pub(super) read: u64,
    pub(super) all: u64,
}

/// A file with a table, read from its start.
pub(super) trait Table: Send {
    /// The columns.
    fn schema(&self) -> &Schema;

    /// What is said about the table, by name, for those who know what it means.
    fn metadata(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What the file says about its columns.
    fn origin(&self) -> Origin {
        Origin::default()
    }

    /// The next rows, until there are none.
    fn next(&mut self) -> Result<Option<Batch>>;
}

/// Hands the batches over in order: one thread reads them, another one writes what `judge` leaves of
/// them, each ahead by one.
pub(super) fn for_each_batch(
    mut table: Box<dyn Table>,
    mut judge: impl FnMut(Batch) -> Result<DataFrame>,
    mut write: impl FnMut(DataFrame) -> Result<()> + Send,
) -> Result<(), Failure> {
    thread::scope(|scope| {
        // A batch that waits is one that is in memory.
        let (sender, batches) = sync_channel(1);
        let reader = scope.spawn(move || read(table.as_mut(), &sender));
        let (sender, kept) = sync_channel(1);
        let writer = scope.spawn(move || kept.into_iter().try_for_each(&mut write));
        let mut judged = Ok(true);
        for batch in &batches {
            judged = judge(batch).map(|rows| sender.send(rows).is_ok());
            // Nobody takes them any more if the writing failed.
            if !matches!(judged, Ok(true)) {
                break;
            }
        }
        drop((sender, batches));
        let written = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
        let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        judged.and(read).map_err(Failure::Input)?;
        written.map_err(Failure::Output)
    })
}

fn read(table: &mut dyn Table, sender: &SyncSender<Batch>) -> Result<()> {
    while let Some(batch) = unless_it_panics(|| table.next())? {
        for rows in portions(&batch.rows) {
            // Nobody takes the batches any more if the writing failed.
            if sender.send(Batch { rows, ..batch }).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The rows in portions of about the same size: a file may have all of its rows in one batch.
fn portions(rows: &DataFrame) -> impl Iterator<Item = DataFrame> {
    let (height, width) = rows.shape();
    let size = rows.estimated_size() + REFERENCE * height * width;
    let length = portion(height, size);
    (0..height)
        .step_by(length)
        .map(move |start| rows.slice(i64::try_from(start).unwrap_or(i64::MAX), length))
}

/// How many of the rows make a portion, if all of them have that size.
pub(super) fn portion(rows: usize, size: usize) -> usize {
    rows.div_ceil(size.div_ceil(PORTION).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_of_about_the_same_size() {
        for (rows, size, expected) in [
            (0, 0, 1),
            (10, 0, 10),
            (10, PORTION, 10),
            (10, PORTION + 1, 5),
            (10, 3 * PORTION, 4),
            (1, 9 * PORTION, 1),
        ] {
            assert_eq!(portion(rows, size), expected, "{rows} {size}");
        }
    }

    #[test]
    fn a_large_batch_is_handed_over_in_portions() {
        let rows = 3 * PORTION / REFERENCE;
        let values = polars::prelude::Column::full_null(
            "a".into(),
            rows,
            &polars::prelude::DataType::Boolean,
        );
        let table = DataFrame::new_infer_height(vec![values]).unwrap();
        let heights: Vec<usize> = portions(&table).map(|part| part.height()).collect();
        assert!(heights.len() > 2, "{heights:?}");
        assert_eq!(heights.iter().sum::<usize>(), rows);
    }
}
