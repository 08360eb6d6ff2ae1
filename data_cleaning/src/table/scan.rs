//! Tables that are not CSV, read batch by batch.

use std::fs::File;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::Result;
use polars::prelude::{
    DataFrame, Engine, HiveOptions, IpcScanOptions, LazyFileListReader, LazyFrame,
    LazyJsonLineReader, PlanCallback, ScanArgsParquet, ScanSources, UnifiedScanArgs, len,
};

use crate::csv::Failure;
use crate::format::Format;
use crate::table::ndjson;

/// The table in the file.
pub(crate) fn scan(file: File, format: Format) -> Result<LazyFrame> {
    let start = file.try_clone()?;
    // An open file, not a path: polars takes some names for patterns or addresses.
    let sources = ScanSources::Files([file].into());
    // It has no folders whose names would be columns, too.
    let hive_options = HiveOptions::new_disabled();
    Ok(match format {
        Format::Parquet => {
            let options = ScanArgsParquet {
                hive_options,
                ..Default::default()
            };
            LazyFrame::scan_parquet_sources(sources, options)?
        }
        Format::Arrow => {
            let options = UnifiedScanArgs {
                hive_options,
                ..Default::default()
            };
            LazyFrame::scan_ipc_sources(sources, IpcScanOptions::default(), options)?
        }
        Format::Ndjson => LazyJsonLineReader::new_with_sources(sources)
            .with_schema(Some(Arc::new(ndjson::schema(start)?)))
            .finish()?,
        Format::Csv => unreachable!("CSV is read record by record"),
    })
}

/// The rows of the table.
pub(crate) fn height(table: LazyFrame) -> Result<u64> {
    let query = table.select([len()]);
    let counted = query
        .collect_with_engine(Engine::Streaming)?
        .unwrap_single();
    Ok(counted.columns()[0].get(0)?.try_extract()?)
}

/// Runs the query in the streaming engine and hands its batches over in order.
///
/// The engine runs in a thread of its own, ahead by one batch, so that what is done with a batch
/// is plain code with errors of its own kind instead of a callback of the engine.
pub(crate) fn for_each_batch(
    query: LazyFrame,
    mut each: impl FnMut(DataFrame) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (sender, batches) = mpsc::sync_channel(1);
    // True ends the query: nobody takes the batches any more.
    let hand_over = PlanCallback::new(move |batch| Ok(sender.send(batch).is_err()));
    let input = |error| Failure::Input(anyhow::Error::from(error));
    let query = query.sink_batches(hand_over, true, None).map_err(input)?;
    thread::scope(|scope| {
        let engine = scope.spawn(|| query.collect_with_engine(Engine::Streaming));
        for batch in batches {
            each(batch)?;
        }
        let result = engine.join().unwrap_or_else(|panic| resume_unwind(panic));
        result.map(drop).map_err(input)
    })
}
