//! Writes Arrow files by record batches.

use std::sync::Arc;

use anyhow::Result;
use polars::prelude::{ArrowSchema, CompatLevel, DataFrame, Schema, SchemaExt};
use polars_arrow::array::ArrayRef;
use polars_arrow::io::ipc::write::{FileWriter, WriteOptions};
use polars_arrow::record_batch::RecordBatch;

use crate::files::format::Format;
use crate::files::output::Target;
use crate::table::described::TYPES;
use crate::table::origin::{Origin, convert_column};

/// A file that is being written.
pub(super) struct Batches<'a> {
    file: FileWriter<&'a mut Target>,
    fields: Arc<ArrowSchema>,
}

impl<'a> Batches<'a> {
    /// Starts a file with these columns, in the types that they came with, and with what is said about
    /// them.
    pub(super) fn new(
        schema: &Schema,
        origin: &Origin,
        metadata: Vec<(String, String)>,
        target: &'a mut Target,
    ) -> Result<Self> {
        // The types of text that every reader of Arrow knows.
        let fields = schema.to_arrow(CompatLevel::oldest());
        let fields = Arc::new(origin.restore(fields, Format::Arrow));
        let options = WriteOptions { compression: None };
        let mut file = FileWriter::new(target, fields.clone(), None, options);
        let metadata = metadata.into_iter().filter(|(name, _)| name != TYPES);
        let metadata = metadata.map(|(name, value)| (name.into(), value.into()));
        file.set_custom_schema_metadata(Arc::new(metadata.collect()));
        file.start()?;
        Ok(Self { file, fields })
    }

    /// Writes the rows as one record batch.
    pub(super) fn write(&mut self, rows: &DataFrame) -> Result<()> {
        for batch in rows.iter_chunks(CompatLevel::newest(), false) {
            let columns = batch.columns().iter().zip(self.fields.iter());
            let columns = columns
                .map(|(values, (name, field))| convert_column(name, values.as_ref(), &field.dtype));
            let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
            let batch = RecordBatch::try_new(batch.len(), self.fields.clone(), columns)?;
            self.file.write(&batch, None)?;
        }
        Ok(())
    }

    /// Writes the end of the file.
    pub(super) fn finish(mut self) -> Result<()> {
        Ok(self.file.finish()?)
    }
}
