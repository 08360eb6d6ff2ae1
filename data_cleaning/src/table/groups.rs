//! Writes Parquet files by groups of rows.
//!
//! Not left to the writer of polars, which packs one column after the other and makes every column one
//! that may hold nulls.

use anyhow::Result;
use polars::io::parquet::write::{ParquetCompression, StatisticsOptions, get_encodings};
use polars::prelude::{
    ArrowDataType, CompatLevel, DataFrame, PolarsError, PolarsResult, Schema, SchemaExt,
};
use polars_arrow::array::ArrayRef;
use polars_buffer::Buffer;
use polars_parquet::write::{
    CompressedPage, DynIter, DynStreamingIterator, Encoding, FileWriter, KeyValue, Page,
    ParquetType, RowGroupIterColumns, SchemaDescriptor, Version, WriteOptions, array_to_columns,
    compress, fallible_streaming_iterator, to_parquet_schema,
};
use rayon::prelude::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator,
};

use crate::files::format::Format;
use crate::files::output::Target;
use crate::table::described;
use crate::table::origin::{Origin, convert_column};

/// A file that is being written.
pub(super) struct Groups<'a> {
    file: FileWriter<&'a mut Target>,
    /// The types of the values, and what Parquet makes of these.
    types: Vec<ArrowDataType>,
    columns: Vec<ParquetType>,
    encodings: Buffer<Vec<Encoding>>,
    metadata: Vec<(String, String)>,
}

/// The pages of one column, which has several of these if there are values within its values.
type Pages = Vec<CompressedPage>;

impl<'a> Groups<'a> {
    /// Starts a file with these columns, in the types that they came with, and with what is said about
    /// them.
    pub(super) fn new(
        schema: &Schema,
        origin: &Origin,
        metadata: Vec<(String, String)>,
        target: &'a mut Target,
    ) -> Result<Self> {
        let mut metadata = metadata;
        if origin.parquet.is_none() {
            // For readers of Arrow, the types that Parquet has no names for.
            let types = schema.to_arrow(CompatLevel::oldest());
            let types = described::note(&origin.describe(types), &metadata);
            metadata.push((described::TYPES.to_owned(), types));
        }
        let fields = origin.restore(schema.to_arrow(CompatLevel::newest()), Format::Parquet);
        let made = to_parquet_schema(&fields)?;
        let columns = origin.restore_parquet(made.fields());
        let kinds = SchemaDescriptor::new(made.name().into(), columns.clone());
        let options = WriteOptions {
            statistics: StatisticsOptions::default(),
            version: Version::V1,
            compression: ParquetCompression::default().into(),
            data_page_size: None,
        };
        Ok(Self {
            encodings: get_encodings(&fields),
            types: fields
                .iter_values()
                .map(|field| field.dtype.clone())
                .collect(),
            file: FileWriter::new_with_parquet_schema(target, fields, kinds, options),
            columns,
            metadata,
        })
    }

    /// Writes the rows as one group.
    pub(super) fn write(&mut self, rows: &DataFrame) -> Result<()> {
        for batch in rows.iter_chunks(CompatLevel::newest(), false) {
            let columns = batch.columns().par_iter().zip(&self.types);
            let columns = columns.zip(&self.columns).zip(self.encodings.as_slice());
            let options = self.file.options();
            let pages: Vec<Vec<Pages>> = columns
                .map(|(((values, dtype), kind), encodings)| {
                    if values.dtype() == dtype {
                        return pack(values, kind, encodings, options);
                    }
                    pack(
                        &convert_column(kind.name(), values.as_ref(), dtype)?,
                        kind,
                        encodings,
                        options,
                    )
                })
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
        let entries = self.metadata.into_iter().map(|(key, value)| KeyValue {
            key,
            value: Some(value),
        });
        self.file.end(Some(entries.collect()))?;
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
        // Side by side too, as one column may have most of the bytes.
        let pages = pages.collect::<PolarsResult<Vec<Page>>>()?.into_par_iter();
        let pages = pages.map(|page| Ok(compress(page, Vec::new(), options.compression)?));
        pages.collect()
    });
    packed.collect()
}
