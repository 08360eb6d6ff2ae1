//! The types of columns in a file, as far as polars does not take them for what they are.

use anyhow::{Result, bail};
use polars::prelude::{ArrowDataType, ArrowSchema, ArrowTimeUnit};
use polars_arrow::datatypes::ExtensionType;
use polars_parquet::parquet::schema::types::{
    GroupConvertedType, GroupLogicalType, ParquetType, PrimitiveConvertedType,
    PrimitiveLogicalType, PrimitiveType, TimeUnit,
};

use crate::files::format::Format;

const MAPS: &str = "map, which would become a list";

/// What to do about it.
pub(super) const WAY_OUT: &str = "expected a file without it, or with another type of it";

/// The most digits of a decimal number that polars holds.
const DIGITS: usize = 38;

/// Makes those types what the values of a Parquet file really are.
///
/// Besides its own types a file may have those of Arrow, which were those of the table that it was made
/// of. Parquet may store others: times in milliseconds for those in seconds, days for dates in
/// milliseconds, and whatever unit was asked for.
pub(super) fn as_stored(fields: &mut ArrowSchema, columns: &[ParquetType]) {
    for (field, column) in fields.iter_values_mut().zip(columns) {
        store(&mut field.dtype, column);
    }
}

fn store(dtype: &mut ArrowDataType, column: &ParquetType) {
    use ArrowDataType::{
        BinaryView, Date32, Date64, Extension, FixedSizeBinary, FixedSizeList, Float16, LargeList,
        List, Struct, Time32, Time64, Timestamp, Utf8View,
    };

    match (dtype, column) {
        (Extension(extension), column) => store(&mut extension.inner, column),
        (
            Struct(fields),
            ParquetType::GroupType {
                fields: columns, ..
            },
        ) => {
            for (field, column) in fields.iter_mut().zip(columns) {
                store(&mut field.dtype, column);
            }
        }
        (
            List(inner) | LargeList(inner) | FixedSizeList(inner, _),
            ParquetType::GroupType { fields, .. },
        ) => match fields.first() {
            Some(ParquetType::GroupType { fields, .. }) if fields.len() == 1 => {
                store(&mut inner.dtype, &fields[0]);
            }
            _ => (),
        },
        (dtype, ParquetType::PrimitiveType(column)) => match dtype {
            Date64 => *dtype = Date32,
            BinaryView if column.logical_type == Some(PrimitiveLogicalType::Json) => {
                *dtype = Utf8View;
            }
            FixedSizeBinary(2) if column.logical_type == Some(PrimitiveLogicalType::Float16) => {
                *dtype = Float16;
            }
            Timestamp(unit, _) => *unit = unit_of(column).unwrap_or(*unit),
            Time32(_) | Time64(_) => match unit_of(column) {
                Some(ArrowTimeUnit::Millisecond) => *dtype = Time32(ArrowTimeUnit::Millisecond),
                Some(unit) => *dtype = Time64(unit),
                None => (),
            },
            _ => (),
        },
        _ => (),
    }
}

/// The unit in which a column of a Parquet file has its times or points of time.
fn unit_of(column: &PrimitiveType) -> Option<ArrowTimeUnit> {
    use PrimitiveConvertedType::{TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};
    use PrimitiveLogicalType::{Time, Timestamp};

    match (column.logical_type, column.converted_type) {
        (Some(Time { unit, .. } | Timestamp { unit, .. }), _) => Some(match unit {
            TimeUnit::Milliseconds => ArrowTimeUnit::Millisecond,
            TimeUnit::Microseconds => ArrowTimeUnit::Microsecond,
            TimeUnit::Nanoseconds => ArrowTimeUnit::Nanosecond,
        }),
        (_, Some(TimeMillis | TimestampMillis)) => Some(ArrowTimeUnit::Millisecond),
        (_, Some(TimeMicros | TimestampMicros)) => Some(ArrowTimeUnit::Microsecond),
        _ => None,
    }
}

/// What readers of Arrow, as pyarrow, make of the columns of a Parquet file that says nothing of its
/// types but its own.
pub(super) fn usual(inferred: &ArrowSchema, columns: &[ParquetType]) -> ArrowSchema {
    let mut fields = inferred.clone();
    change_all(&mut fields, |dtype| match dtype {
        ArrowDataType::Utf8View => *dtype = ArrowDataType::Utf8,
        ArrowDataType::BinaryView => *dtype = ArrowDataType::Binary,
        ArrowDataType::LargeList(inner) => *dtype = ArrowDataType::List(std::mem::take(inner)),
        ArrowDataType::Timestamp(_, zone @ Some(_)) => *zone = Some("UTC".into()),
        _ => (),
    });
    for (field, column) in fields.iter_values_mut().zip(columns) {
        let ParquetType::PrimitiveType(column) = column else {
            continue;
        };
        let (name, inner) = match column.logical_type {
            Some(PrimitiveLogicalType::Unknown) => {
                field.dtype = ArrowDataType::Null;
                continue;
            }
            Some(PrimitiveLogicalType::Uuid) => ("arrow.uuid", field.dtype.clone()),
            Some(PrimitiveLogicalType::Json) => ("arrow.json", ArrowDataType::Utf8),
            _ => continue,
        };
        field.dtype = ArrowDataType::Extension(Box::new(ExtensionType {
            name: name.into(),
            inner,
            metadata: None,
        }));
    }
    fields
}

/// Makes those types what polars reads: dates in milliseconds, which it takes for points of time, days,
/// numbers of 16 bits, which it was built without, such of 32, and decimal numbers those of 128 bits,
/// which within other types it takes the others for.
pub(super) fn as_read(fields: &mut ArrowSchema) {
    change_all(fields, |dtype| match dtype {
        ArrowDataType::Date64 => *dtype = ArrowDataType::Date32,
        ArrowDataType::Float16 => *dtype = ArrowDataType::Float32,
        ArrowDataType::Decimal32(digits, scale) | ArrowDataType::Decimal64(digits, scale) => {
            *dtype = ArrowDataType::Decimal(*digits, *scale);
        }
        _ => (),
    });
}

/// Makes types of somebody's own, such as `arrow.uuid`, those that their values are stored as.
pub(super) fn without_extensions(fields: &mut ArrowSchema) {
    change_all(fields, |dtype| {
        while let ArrowDataType::Extension(extension) = dtype {
            *dtype = std::mem::take(&mut extension.inner);
        }
    });
}

fn change_all(fields: &mut ArrowSchema, by: fn(&mut ArrowDataType)) {
    for field in fields.iter_values_mut() {
        change(&mut field.dtype, by);
    }
}

fn change(dtype: &mut ArrowDataType, by: fn(&mut ArrowDataType)) {
    by(dtype);
    match dtype {
        ArrowDataType::List(inner)
        | ArrowDataType::LargeList(inner)
        | ArrowDataType::FixedSizeList(inner, _)
        | ArrowDataType::Map(inner, _) => change(&mut inner.dtype, by),
        ArrowDataType::Struct(fields) => {
            for field in fields {
                change(&mut field.dtype, by);
            }
        }
        ArrowDataType::Extension(extension) => change(&mut extension.inner, by),
        _ => (),
    }
}

/// Refuses the first column of a type that cannot be read, or that the output would not have.
pub(super) fn check(fields: &ArrowSchema, output: Format) -> Result<()> {
    for (name, field) in fields.iter() {
        let reason = refused(&field.dtype, output);
        let nested = || bytes_within(&field.dtype).filter(|_| output == Format::Parquet);
        let Some(reason) = reason.or_else(nested) else {
            continue;
        };
        bail!("the column `{name}` is of type {reason}; {WAY_OUT}");
    }
    Ok(())
}

/// The same for maps in a Parquet file, which polars takes for lists of pairs.
pub(super) fn check_maps(columns: &[ParquetType], output: Format) -> Result<()> {
    let map = columns.iter().find(|column| is_map(column));
    match map {
        Some(map) if keeps_types(output) => {
            bail!("the column `{}` is of type {MAPS}; {WAY_OUT}", map.name())
        }
        _ => Ok(()),
    }
}

fn is_map(column: &ParquetType) -> bool {
    match column {
        ParquetType::PrimitiveType(_) => false,
        ParquetType::GroupType {
            logical_type,
            converted_type,
            fields,
            ..
        } => {
            matches!(logical_type, Some(GroupLogicalType::Map))
                || matches!(converted_type, Some(GroupConvertedType::Map))
                || fields.iter().any(is_map)
        }
    }
}

/// Bytes of a fixed number within another type, which polars does not write to Parquet.
fn bytes_within(dtype: &ArrowDataType) -> Option<String> {
    let inner = |dtype: &ArrowDataType| match dtype.to_storage() {
        ArrowDataType::FixedSizeBinary(size) => Some(format!(
            "fixed_size_binary[{size}] within another, which cannot be written"
        )),
        other => bytes_within(other),
    };
    match dtype.to_storage() {
        ArrowDataType::List(field)
        | ArrowDataType::LargeList(field)
        | ArrowDataType::FixedSizeList(field, _) => inner(&field.dtype),
        ArrowDataType::Struct(fields) => fields.iter().find_map(|field| inner(&field.dtype)),
        _ => None,
    }
}

fn keeps_types(output: Format) -> bool {
    matches!(output, Format::Parquet | Format::Arrow)
}

/// The type, and what is wrong with it or with one within it.
fn refused(dtype: &ArrowDataType, output: Format) -> Option<String> {
    use ArrowDataType::{
        Decimal, Decimal256, Dictionary, Extension, FixedSizeBinary, FixedSizeList, Interval,
        LargeList, List, Map, Struct, UInt128, Union,
    };

    match dtype {
        UInt128 => Some("uint128, which is not read".into()),
        Interval(_) => Some("interval, which is not read".into()),
        Union(_) => Some("union, which is not read".into()),
        FixedSizeBinary(0) => Some("fixed_size_binary[0], which is not read".into()),
        Decimal(digits, scale) | Decimal256(digits, scale) if *digits > DIGITS => Some(format!(
            "decimal({digits}, {scale}), of which no more than {DIGITS} digits are read"
        )),
        Map(..) if keeps_types(output) => Some(MAPS.into()),
        Dictionary(_, _, true) if keeps_types(output) => {
            Some("ordered dictionary, whose order would be lost".into())
        }
        List(inner) | LargeList(inner) | FixedSizeList(inner, _) | Map(inner, _) => {
            refused(&inner.dtype, output)
        }
        Struct(fields) => fields
            .iter()
            .find_map(|field| refused(&field.dtype, output)),
        Dictionary(_, values, _) => refused(values, output),
        Extension(extension) => refused(&extension.inner, output),
        _ => None,
    }
}
