//! Parquet files, by parts of their groups of rows.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};

use anyhow::{Result, ensure};
use polars::prelude::{
    ArrowField, ArrowSchema, Column, DataFrame, DataType, IntoColumn, Schema, SchemaExt, Series,
};
use polars_buffer::Buffer;
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, Filter, PageReader, RowGroupMetadata,
    column_iter_to_arrays, infer_schema, read_metadata,
};
use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use crate::files::format::Format;
use crate::table::described::{self, TYPES};
use crate::table::kinds;
use crate::table::origin::{Origin, convert_column};
use crate::table::scan::{Batch, REFERENCE, Table, portion};

/// An open Parquet file.
pub(super) struct ParquetFile {
    file: File,
    metadata: FileMetadata,
    /// The columns as the file describes them, as they are stored, and as they are read.
    described: ArrowSchema,
    stored: ArrowSchema,
    fields: ArrowSchema,
    schema: Schema,
    /// The group that is read, its bytes by column, and the first row that was not read yet.
    group: usize,
    chunks: Vec<Buffer<u8>>,
    row: usize,
    /// The rows that were read.
    read: u64,
}

impl ParquetFile {
    pub(super) fn open(mut file: File, output: Format) -> Result<Self> {
        let metadata = read_metadata(&mut file)?;
        let mut entries = metadata.key_value_metadata().iter().flatten();
        let types = entries.find(|entry| entry.key == TYPES);
        let types = types.and_then(|entry| entry.value.as_deref());
        let noted = types.map(described::noted).transpose()?.flatten();
        let mut stored = infer_schema(&metadata)?;
        kinds::as_stored(&mut stored, metadata.schema().fields());
        let mut described = match noted {
            Some(noted) => noted,
            None => kinds::usual(&stored, metadata.schema().fields()),
        };
        kinds::as_stored(&mut described, metadata.schema().fields());
        kinds::check_maps(metadata.schema().fields(), output)?;
        kinds::check(&described, output)?;
        for (name, field) in described.iter_mut() {
            let columns = metadata.schema().fields().iter();
            let mut columns = columns.filter(|column| column.name() == name.as_str());
            let column = columns.next();
            let repetition = column.map(|column| column.get_field_info().repetition);
            field.is_nullable = repetition != Some(Repetition::Required);
        }
        kinds::without_extensions(&mut stored);
        let mut fields = stored.clone();
        kinds::as_read(&mut fields);
        Ok(Self {
            file,
            described,
            stored,
            schema: Schema::from_arrow_schema(&fields),
            metadata,
            fields,
            group: 0,
            chunks: Vec::new(),
            row: 0,
            read: 0,
        })
    }

    /// How many rows of the group are read at once.
    ///
    /// Only columns without values inside of values: of others polars would unpack all pages for
    /// each part of the rows.
    fn rows_at_once(&self, group: &RowGroupMetadata) -> usize {
        let rows = group.num_rows();
        if self.schema.iter_values().any(DataType::is_nested) {
            return rows;
        }
        portion(
            rows,
            group.total_byte_size() + REFERENCE * rows * self.fields.len(),
        )
    }

    /// These rows of a column, which may have values inside of values and so several chunks.
    fn column(
        &self,
        group: &RowGroupMetadata,
        (start, end): (usize, usize),
        field: &ArrowField,
    ) -> Result<Column> {
        let numbers = group.columns_idxs_under_root_iter(&field.name);
        let numbers = numbers.unwrap_or_default();
        ensure!(
            !numbers.is_empty(),
            "a group of rows has no column `{}`",
            field.name
        );
        let (mut pages, mut types) = (Vec::new(), Vec::new());
        for number in numbers {
            let chunk = &group.parquet_columns()[*number];
            let bytes = Cursor::new(self.chunks[*number].clone());
            let reader = PageReader::new(bytes, chunk, Vec::new(), usize::MAX);
            pages.push(BasicDecompressor::new(reader, Vec::new()));
            types.push(&chunk.descriptor().descriptor.primitive_type);
        }
        let all = (start, end) == (0, group.num_rows());
        let rows = (!all).then(|| Filter::new_ranged(start, end));
        let (arrays, _) = column_iter_to_arrays(pages, types, field.clone(), rows)?;
        let read = self.fields.get(&field.name).unwrap_or(field);
        let arrays = if read.dtype == field.dtype {
            arrays
        } else {
            let arrays = arrays.iter();
            let arrays =
                arrays.map(|values| convert_column(&field.name, values.as_ref(), &read.dtype));
            arrays.collect::<Result<_>>()?
        };
        let values = Series::try_from((read, arrays))?;
        ensure!(
            values.len() == end - start,
            "the column `{}` has another number of rows than its group says",
            field.name
        );
        Ok(values.into_column())
    }

    /// The bytes of a column in a group.
    fn bytes(&self, chunk: &ColumnChunkMetadata) -> Result<Buffer<u8>> {
        let range = chunk.byte_range();
        // What a damaged file says must not become a demand for memory.
        let in_file = range.end <= self.file.metadata()?.len();
        ensure!(in_file, "a column lies behind the end of the file");
        let length = usize::try_from(range.end - range.start)?;
        let mut bytes = Vec::with_capacity(length);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(range.start))?;
        file.take(length as u64).read_to_end(&mut bytes)?;
        ensure!(bytes.len() == length, "a column ends with the file");
        Ok(bytes.into())
    }
}

impl Table for ParquetFile {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let entries = self.metadata.key_value_metadata().iter().flatten();
        entries
            .filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)))
            .collect()
    }

    fn origin(&self) -> Origin {
        Origin {
            fields: self.described.clone(),
            parquet: Some(self.metadata.schema().fields().to_vec()),
        }
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        let groups = &self.metadata.row_groups;
        while groups
            .get(self.group)
            .is_some_and(|group| self.row >= group.num_rows())
        {
            (self.group, self.row) = (self.group + 1, 0);
        }
        let Some(group) = groups.get(self.group) else {
            return Ok(None);
        };
        if self.row == 0 {
            self.chunks.clear();
            let chunks = group.parquet_columns().iter();
            self.chunks = chunks
                .map(|chunk| self.bytes(chunk))
                .collect::<Result<_>>()?;
        }
        let end = group.num_rows().min(self.row + self.rows_at_once(group));
        let columns: Result<Vec<Column>> = (0..self.fields.len())
            .into_par_iter()
            .map(|number| {
                let (_, field) = self.stored.get_at_index(number).expect("it is one of them");
                self.column(group, (self.row, end), field)
            })
            .collect();
        let rows = DataFrame::new_infer_height(columns?)?;
        self.read += (end - self.row) as u64;
        self.row = end;
        Ok(Some(Batch {
            rows,
            read: self.read,
            all: self.metadata.num_rows as u64,
        }))
    }
}
