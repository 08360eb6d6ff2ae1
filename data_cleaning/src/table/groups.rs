//! Writes Parquet files by groups of rows.
//!
//! Not left to the writer of polars, which packs one column after the other and makes every column one
//! that may hold nulls.

use anyhow::Result;
use polars::io::parquet::write::{ParquetCompression, StatisticsOptions, get_encodings};
use polars::prelude::{CompatLevel, DataFrame, PolarsError, PolarsResult, Schema, SchemaExt};
use polars_arrow::array::ArrayRef;
use polars_buffer::Buffer;
use polars_parquet::write::{
    CompressedPage, DynIter, DynStreamingIterator, Encoding, FileWriter, KeyValue, ParquetType,
    RowGroupIterColumns, Version, WriteOptions, array_to_columns, compress,
    fallible_streaming_iterator, schema_to_metadata_key,
};
use rayon::prelude::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use crate::files::output::Target;

/// A file that is being written.
pub(super) struct Groups<'a> {
    file: FileWriter<&'a mut Target>,
    columns: Vec<ParquetType>,
    encodings: Buffer<Vec<Encoding>>,
    metadata: Vec<(String, String)>,
}

/// The pages of one column, which has several of these if there are values within its values.
type Pages = Vec<CompressedPage>;

impl<'a> Groups<'a> {
    /// Starts a file with these columns, of which some hold no null, and with what is said about them.
    pub(super) fn new(
        schema: &Schema,
        required: &[String],
        metadata: Vec<(String, String)>,
        target: &'a mut Target,
    ) -> Result<Self> {
        let mut schema = schema.to_arrow(CompatLevel::newest());
        for (name, field) in schema.iter_mut() {
            field.is_nullable = !required.iter().any(|required| name == required);
        }
        let options = WriteOptions {
            statistics: StatisticsOptions::default(),
            version: Version::V1,
            compression: ParquetCompression::default().into(),
            data_page_size: None,
        };
        let encodings = get_encodings(&schema);
        let file = FileWriter::try_new(target, schema, options)?;
        Ok(Self {
            columns: file.parquet_schema().fields().to_vec(),
            file,
            encodings,
            metadata,
        })
    }

    /// Writes the rows as one group.
    pub(super) fn write(&mut self, rows: &DataFrame) -> Result<()> {
        for batch in rows.iter_chunks(CompatLevel::newest(), false) {
            let columns = batch.columns().par_iter().zip(&self.columns);
            let columns = columns.zip(self.encodings.as_slice());
            let options = self.file.options();
            let pages: Vec<Vec<Pages>> = columns
                .map(|((values, kind), encodings)| pack(values, kind, encodings, options))
                .collect::<Result<_>>()?;
            let pages = pages.iter().flatten().map(|pages| {
                let pages = pages.iter().map(PolarsResult::Ok);
                let pages = fallible_streaming_iterator::convert(pages);
                Ok(DynStreamingIterator::new(pages))
            });
            let group: RowGroupIterColumns<PolarsError> = DynIter::new(pages);
            self.file.write(batch.len() as u64, group)?;
        }
        Ok(())
    }

    /// Writes the end of the file.
    pub(super) fn finish(mut self) -> Result<()> {
        let types = schema_to_metadata_key(self.file.schema());
        let entries = self.metadata.into_iter().map(|(key, value)| KeyValue {
            key,
            value: Some(value),
        });
        self.file
            .end(Some([types].into_iter().chain(entries).collect()))?;
        Ok(())
    }
}

/// The values of a column in pages.
fn pack(
    values: &ArrayRef,
    kind: &ParquetType,
    encodings: &[Encoding],
    options: WriteOptions,
) -> Result<Vec<Pages>> {
    let columns = array_to_columns(values, kind.clone(), options, encodings)?;
    let packed = columns.into_iter().map(|pages| {
        let pages = pages.map(|page| Ok(compress(page?, Vec::new(), options.compression)?));
        pages.collect()
    });
    packed.collect()
}
