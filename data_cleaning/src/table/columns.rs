//! Columns that are made of the text of CSV records.

use anyhow::{Result, ensure};
use polars::prelude::{
    Column, DataFrame, IntoColumn, IntoSeries, NamedFrom, PlSmallStr, Schema, Series,
    StringChunkedBuilder,
};

use crate::csv::classes::Classes;
use crate::csv::dialect::Dialect;
use crate::csv::field::{blanks_off, meaning};
use crate::csv::split::split;
use crate::null_values::NullValues;
use crate::table::panics::unless_it_panics;
use crate::table::types::{Candidates, Type, boolean, date, float, integer};

/// How the fields of the records become values of a table.
pub struct Fields<'a> {
    pub nulls: &'a NullValues,
    dialect: Dialect,
    classes: Classes,
}

impl<'a> Fields<'a> {
    pub fn new(dialect: Dialect, nulls: &'a NullValues) -> Self {
        Self {
            nulls,
            dialect,
            classes: Classes::new(&dialect, nulls),
        }
    }

    /// Gives the value of each field to the entry of its column; a field that means null has none, nor
    /// has one that its record lacks.
    fn each<C>(
        &self,
        records: &str,
        columns: &mut [C],
        mut give: impl FnMut(&mut C, Option<&str>),
    ) {
        let mut column = 0;
        split(records, &self.dialect, &self.classes, |field, last| {
            let value = meaning(field.as_bytes(), &self.dialect);
            let first = value.first();
            let may_be_null = first.is_none_or(|first| self.classes.first.contains(*first));
            let is_null = may_be_null && self.is_null(&value);
            // Those too many are empty.
            if let Some(column) = columns.get_mut(column) {
                // Of text without its quotes.
                let text = str::from_utf8(&value).unwrap_or_default();
                give(column, (!is_null).then_some(text));
            }
            column += 1;
            if last {
                let missing = columns.iter_mut().skip(column);
                missing.for_each(|column| give(column, None));
                column = 0;
            }
        });
    }

    fn is_null(&self, value: &[u8]) -> bool {
        let value = if self.dialect.trim {
            blanks_off(value)
        } else {
            value
        };
        self.nulls.find(value).is_some()
    }

    /// Rules the types out that the values in the records are not of.
    pub fn see(&self, records: &str, columns: &mut [Candidates]) {
        self.each(records, columns, |candidates, value| {
            if let Some(value) = value {
                candidates.see(value);
            }
        });
    }

    /// Makes a table of the records.
    pub fn table(&self, records: &str, names: &[String], types: &[Type]) -> Result<DataFrame> {
        let mut columns: Vec<Values> = types.iter().map(|kind| Values::new(*kind)).collect();
        let mut other = false;
        self.each(records, &mut columns, |values, value| {
            other |= !values.push(value);
        });
        // The types are those of these very values.
        ensure!(!other, "the input changed while it was read");
        unless_it_panics(|| {
            let columns = names.iter().zip(columns);
            let columns = columns.map(|(name, values)| values.finish(name.as_str().into()));
            Ok(DataFrame::new_infer_height(columns.collect())?)
        })
    }
}

/// The columns of a table of these types.
pub fn schema(names: &[String], types: &[Type]) -> Schema {
    let columns = names.iter().zip(types);
    columns
        .map(|(name, kind)| (name.as_str().into(), kind.of_polars()))
        .collect()
}

/// The values of one column.
enum Values {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Date(Vec<Option<i32>>),
    Text(StringChunkedBuilder),
}

impl Values {
    fn new(kind: Type) -> Self {
        match kind {
            Type::Boolean => Self::Boolean(Vec::new()),
            Type::Integer => Self::Integer(Vec::new()),
            Type::Float => Self::Float(Vec::new()),
            Type::Date => Self::Date(Vec::new()),
            Type::Text => Self::Text(StringChunkedBuilder::new(PlSmallStr::EMPTY, 0)),
        }
    }

    /// Adds a value or a null, and says whether it was of the type.
    fn push(&mut self, value: Option<&str>) -> bool {
        fn parsed<T>(
            values: &mut Vec<Option<T>>,
            value: Option<&str>,
            parse: impl Fn(&str) -> Option<T>,
        ) -> bool {
            let parsed = value.and_then(parse);
            let good = parsed.is_some() == value.is_some();
            values.push(parsed);
            good
        }
        match self {
            Self::Boolean(values) => parsed(values, value, boolean),
            Self::Integer(values) => parsed(values, value, integer),
            Self::Float(values) => parsed(values, value, float),
            Self::Date(values) => parsed(values, value, date),
            Self::Text(values) => {
                values.append_option(value);
                true
            }
        }
    }

    fn finish(self, name: PlSmallStr) -> Column {
        match self {
            Self::Boolean(values) => Series::new(name, values).into_column(),
            Self::Integer(values) => Series::new(name, values).into_column(),
            Self::Float(values) => Series::new(name, values).into_column(),
            Self::Date(values) => Series::new(name, values).into_date().into_column(),
            Self::Text(values) => values.finish().into_series().with_name(name).into_column(),
        }
    }
}
