//! Columns that are made of the text of CSV records.

use std::borrow::Cow;

use anyhow::{Result, ensure};
use polars::prelude::{
    Column, DataFrame, IntoColumn, IntoSeries, NamedFrom, PlSmallStr, Schema, Series,
    StringChunkedBuilder,
};

use crate::csv::classes::Classes;
use crate::csv::split::split;
use crate::null_values::NullValues;
use crate::table::panics::unless_it_panics;
use crate::table::types::{Candidates, Type, boolean, date, float, integer};

/// How the fields of the records become values of a table.
pub(crate) struct Fields<'a> {
    pub(crate) nulls: &'a NullValues,
    pub(crate) classes: Classes,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(delimiter: u8, nulls: &'a NullValues) -> Self {
        Self {
            nulls,
            classes: Classes::new(delimiter, nulls),
        }
    }

    /// Gives the value of each field to the entry of its column; a field that means null has none.
    fn each<C>(
        &self,
        records: &str,
        columns: &mut [C],
        mut give: impl FnMut(&mut C, Option<&str>),
    ) {
        let mut column = 0;
        split(records, &self.classes, |field, last| {
            let value = meant(field);
            let null = value
                .as_bytes()
                .first()
                .is_none_or(|first| self.classes.first.contains(*first))
                && self.nulls.find(value.as_bytes()).is_some();
            give(&mut columns[column], (!null).then_some(&*value));
            column = if last { 0 } else { column + 1 };
        });
    }

    /// Rules the types out that the values in the records are not of.
    pub(crate) fn see(&self, records: &str, columns: &mut [Candidates]) {
        self.each(records, columns, |candidates, value| {
            if let Some(value) = value {
                candidates.see(value);
            }
        });
    }

    /// Makes a table of the records.
    pub(crate) fn table(
        &self,
        records: &str,
        names: &[String],
        types: &[Type],
    ) -> Result<DataFrame> {
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
pub(crate) fn schema(names: &[String], types: &[Type]) -> Schema {
    let columns = names.iter().zip(types);
    columns
        .map(|(name, kind)| (name.as_str().into(), kind.of_polars()))
        .collect()
}

/// The value that a field means.
fn meant(field: &str) -> Cow<'_, str> {
    match field.strip_prefix('"') {
        None => field.into(),
        Some(rest) => {
            let inner = rest.strip_suffix('"').unwrap_or(rest);
            // Few have quotes within.
            if inner.contains('"') {
                inner.replace("\"\"", "\"").into()
            } else {
                inner.into()
            }
        }
    }
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
