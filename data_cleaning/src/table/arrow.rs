//! Arrow files, record batch by record batch.

use std::fs::File;

use anyhow::Result;
use polars::prelude::{DataFrame, Schema, SchemaExt};
use polars_arrow::io::ipc::read::{FileReader, read_file_metadata};

use crate::files::format::Format;
use crate::table::kinds;
use crate::table::scan::{Batch, Table};

/// An open Arrow file.
pub(super) struct ArrowFile {
    reader: FileReader<File>,
    schema: Schema,
}

impl ArrowFile {
    pub(super) fn open(mut file: File, output: Format) -> Result<Self> {
        let metadata = read_file_metadata(&mut file)?;
        kinds::check(&metadata.schema, output)?;
        let schema = Schema::from_arrow_schema(&metadata.schema);
        let reader = FileReader::new(file, metadata, None, None);
        Ok(Self { reader, schema })
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

    fn next(&mut self) -> Result<Option<Batch>> {
        let Some(batch) = self.reader.next() else {
            return Ok(None);
        };
        Ok(Some(Batch {
            rows: DataFrame::from(batch?),
            read: self.reader.get_current_block() as u64,
            all: self.reader.metadata().blocks.len() as u64,
        }))
    }
}
