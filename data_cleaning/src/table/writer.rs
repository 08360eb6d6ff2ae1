//! Writes a table batch by batch.

use anyhow::{Result, ensure};
use polars::io::csv::write::BatchedWriter as Csv;
use polars::io::json::BatchedWriter as Ndjson;
use polars::prelude::{CsvWriter, DataFrame, DataType, Schema, SerWriter};

use crate::files::format::Format;
use crate::files::output::Target;
use crate::table::batches::Batches;
use crate::table::groups::Groups;
use crate::table::origin::Origin;
use crate::table::panics::unless_it_panics;
use crate::table::scan::REFERENCE;

/// About the bytes in memory of the rows that are written together. Parquet and Arrow are read well
/// only if these are many; a reader has to hold some such groups.
const GROUP: usize = 32 << 20;

/// The same for text, in which nothing tells them apart.
const LINES: usize = 4 << 20;

/// How a table is written.
pub(super) struct Form {
    pub(super) format: Format,
    pub(super) delimiter: u8,
    /// What is said about the table, by name, where the format has room for it.
    pub(super) metadata: Vec<(String, String)>,
    /// How the columns were described where they come from.
    pub(super) origin: Origin,
}

/// Writes tables of the same columns one below the other.
pub(super) struct Writer<'a> {
    file: File<'a>,
    /// What is too little to be written yet.
    pending: DataFrame,
}

enum File<'a> {
    Csv(Csv<&'a mut Target>),
    Parquet(Box<Groups<'a>>),
    Arrow(Box<Batches<'a>>),
    Ndjson(Ndjson<&'a mut Target>),
}

impl<'a> Writer<'a> {
    /// Starts a table with these columns.
    pub(super) fn new(form: Form, schema: &Schema, target: &'a mut Target) -> Result<Self> {
        check(form.format, schema)?;
        let schema = written_as(form.format, schema);
        unless_it_panics(|| Self::start(form, &schema, target))
    }

    fn start(form: Form, schema: &Schema, target: &'a mut Target) -> Result<Self> {
        let file = match form.format {
            Format::Csv => {
                // With one column only, a null would be a blank line, which is no row.
                let null = if schema.len() == 1 { "\"\"" } else { "" };
                let writer = CsvWriter::new(target).with_separator(form.delimiter);
                File::Csv(writer.with_null_value(null.into()).batched(schema)?)
            }
            Format::Parquet => {
                let groups = Groups::new(schema, &form.origin, form.metadata, target)?;
                File::Parquet(groups.into())
            }
            Format::Arrow => {
                let batches = Batches::new(schema, &form.origin, form.metadata, target)?;
                File::Arrow(batches.into())
            }
            Format::Ndjson => File::Ndjson(Ndjson::new(target)),
        };
        let pending = DataFrame::empty_with_schema(schema);
        Ok(Self { file, pending })
    }

    pub(super) fn write(&mut self, batch: DataFrame) -> Result<()> {
        unless_it_panics(|| self.take(batch))
    }

    fn take(&mut self, mut batch: DataFrame) -> Result<()> {
        match self.file {
            File::Arrow(_) => make_text(&mut batch)?,
            File::Ndjson(_) => refuse_infinite(&batch)?,
            _ => (),
        }
        self.pending.vstack_mut_owned(batch)?;
        let (rows, columns) = self.pending.shape();
        let enough = match self.file {
            File::Csv(_) | File::Ndjson(_) => LINES,
            File::Parquet(_) | File::Arrow(_) => GROUP,
        };
        if self.pending.estimated_size() + REFERENCE * rows * columns >= enough {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let empty = self.pending.clear();
        let mut batch = std::mem::replace(&mut self.pending, empty);
        if batch.height() == 0 {
            return Ok(());
        }
        batch.rechunk_mut_par();
        match &mut self.file {
            File::Csv(file) => file.write_batch(&batch)?,
            File::Parquet(file) => file.write(&batch)?,
            File::Arrow(file) => file.write(&batch)?,
            File::Ndjson(file) => file.write_batch(&batch)?,
        }
        Ok(())
    }

    /// Writes what is left, and the end of the file.
    pub(super) fn finish(mut self) -> Result<()> {
        unless_it_panics(|| {
            self.flush()?;
            match self.file {
                File::Csv(mut file) => file.finish()?,
                File::Parquet(file) => file.finish()?,
                File::Arrow(file) => file.finish()?,
                File::Ndjson(_) => (),
            }
            Ok(())
        })
    }
}

/// Refuses columns that the format has no way to write.
fn check(format: Format, schema: &Schema) -> Result<()> {
    ensure!(!schema.is_empty(), "there are no columns");
    for (name, dtype) in schema.iter() {
        let written = match format {
            Format::Parquet | Format::Arrow => true,
            Format::Csv => !dtype.is_nested() && !dtype.is_duration() && !holds_bytes(dtype),
            Format::Ndjson => !holds_bytes(dtype),
        };
        ensure!(
            written,
            "the column `{name}` is of type {dtype}, which {format} cannot hold, expected Parquet or \
             Arrow for it"
        );
    }
    Ok(())
}

fn holds_bytes(dtype: &DataType) -> bool {
    match dtype {
        DataType::Binary | DataType::BinaryOffset => true,
        DataType::List(inner) | DataType::Array(inner, _) => holds_bytes(inner),
        DataType::Struct(fields) => fields.iter().any(|field| holds_bytes(field.dtype())),
        _ => false,
    }
}

/// The columns as they are written: in an Arrow file the categories of a column would have to be
/// known before the first batch.
fn written_as(format: Format, schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for dtype in schema.iter_values_mut() {
        if format == Format::Arrow && dtype.is_categorical() {
            *dtype = DataType::String;
        }
    }
    schema
}

fn make_text(batch: &mut DataFrame) -> Result<()> {
    for number in 0..batch.width() {
        let column = &batch.columns()[number];
        if column.dtype().is_categorical() {
            let text = column.cast(&DataType::String)?;
            batch.replace_column(number, text)?;
        }
    }
    Ok(())
}

/// JSON has no number for it, and polars would write a null.
fn refuse_infinite(batch: &DataFrame) -> Result<()> {
    for column in batch.columns() {
        ensure!(
            !column.dtype().is_float() || !column.is_infinite()?.any(),
            "the column `{}` has an infinite number, which NDJSON cannot hold",
            column.name()
        );
    }
    Ok(())
}
