//! Arrow files, record batch by record batch.

use std::fs::File;
use std::sync::Arc;

use anyhow::{Error, Result};
use polars::prelude::{ArrowDataType, ArrowSchema, DataFrame, Schema, SchemaExt};
use polars_arrow::array::ArrayRef;
use polars_arrow::io::ipc::read::{FileReader, read_file_metadata};
use polars_arrow::record_batch::RecordBatch;

use crate::files::format::Format;
use crate::table::described::check_footer;
use crate::table::kinds;
use crate::table::origin::{Origin, convert_column};
use crate::table::panics::unless_it_panics;
use crate::table::scan::{Batch, Table};

/// An open Arrow file.
pub(super) struct ArrowFile {
    reader: FileReader<File>,
    /// The columns as the file describes them, and as they are read.
    described: ArrowSchema,
    fields: Arc<ArrowSchema>,
    schema: Schema,
}

impl ArrowFile {
    pub(super) fn open(mut file: File, output: Format) -> Result<Self> {
        check_footer(&mut file)?;
        let mut metadata = read_file_metadata(&mut file)?;
        let described = metadata.schema.as_ref().clone();
        kinds::check(&described, output)?;
        kinds::without_extensions(Arc::make_mut(&mut metadata.schema));
        let mut fields = metadata.schema.as_ref().clone();
        kinds::as_read(&mut fields);
        Ok(Self {
            reader: FileReader::new(file, metadata, None, None),
            described,
            schema: Schema::from_arrow_schema(&fields),
            fields: fields.into(),
        })
    }

    /// Why a batch could not be read.
    ///
    /// Polars expects that each packed buffer has some bytes, and pyarrow writes an empty one for the
    /// long texts where all are short.
    fn explained(&self, error: Error) -> Error {
        let view = self
            .described
            .iter()
            .find_map(|(name, field)| match field.dtype {
                ArrowDataType::Utf8View => Some((name, "string_view")),
                ArrowDataType::BinaryView => Some((name, "binary_view")),
                _ => None,
            });
        match view {
            Some((name, dtype)) => error.context(format!(
                "the column `{name}` is of type {dtype}, which is not read from every packed file; \
                 expected the file written without compression, or another type of it"
            )),
            None => error,
        }
    }

    /// The batch in the types that are read.
    fn converted(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = batch.len();
        let columns = batch.into_arrays().into_iter().zip(self.fields.iter());
        let columns = columns.map(|(values, (name, field))| {
            if *values.dtype() == field.dtype {
                return Ok(values);
            }
            convert_column(name, values.as_ref(), &field.dtype)
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(rows, self.fields.clone(), columns)?)
    }
}

impl Table for ArrowFile {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let metadata = self.reader.metadata().custom_schema_metadata.as_ref();
        let entries = metadata.into_iter().flat_map(|metadata| metadata.iter());
        entries
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    fn origin(&self) -> Origin {
        Origin {
            fields: self.described.clone(),
            parquet: None,
        }
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        let batch = unless_it_panics(|| Ok(self.reader.next().transpose()?));
        let Some(batch) = batch.map_err(|error| self.explained(error))? else {
            return Ok(None);
        };
        Ok(Some(Batch {
            rows: DataFrame::from(self.converted(batch)?),
            read: self.reader.get_current_block() as u64,
            all: self.reader.metadata().blocks.len() as u64,
        }))
    }
}
