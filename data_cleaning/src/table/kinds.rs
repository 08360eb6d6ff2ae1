//! The types of columns in a file, as far as polars does not take them for what they are.

use anyhow::{Result, bail};
use polars::prelude::{ArrowDataType, ArrowField, ArrowSchema, ArrowTimeUnit};
use polars_parquet::parquet::schema::types::{GroupConvertedType, GroupLogicalType, ParquetType};

use crate::files::format::Format;

const MAPS: &str = "maps, which would become lists";

const WAY_OUT: &str = "expected a file without it, or with another type of it";

/// The most digits of a decimal number that polars holds.
const DIGITS: usize = 38;

/// Makes those types what the values of a Parquet file really are.
///
/// Besides its own types a file may have those of Arrow, which were those of the table that it was made
/// of: times in seconds, which Parquet does not have and stores as milliseconds, and dates in
/// milliseconds, which it stores as days.
pub(super) fn as_stored(fields: &mut ArrowSchema) {
    fields.iter_values_mut().for_each(store);
}

fn store(field: &mut ArrowField) {
    match &mut field.dtype {
        dtype @ ArrowDataType::Time32(ArrowTimeUnit::Second) => {
            *dtype = ArrowDataType::Time32(ArrowTimeUnit::Millisecond);
        }
        dtype @ ArrowDataType::Date64 => *dtype = ArrowDataType::Date32,
        ArrowDataType::List(inner)
        | ArrowDataType::LargeList(inner)
        | ArrowDataType::FixedSizeList(inner, _)
        | ArrowDataType::Map(inner, _) => store(inner),
        ArrowDataType::Struct(fields) => fields.iter_mut().for_each(store),
        _ => (),
    }
}

/// Refuses the first column of a type that cannot be read, or that the output would not have.
pub(super) fn check(fields: &ArrowSchema, output: Format) -> Result<()> {
    for (name, field) in fields.iter() {
        let Some(reason) = refused(&field.dtype, output) else {
            continue;
        };
        bail!("the column `{name}` holds {reason}; {WAY_OUT}");
    }
    Ok(())
}

/// The same for maps in a Parquet file, which polars takes for lists of pairs.
pub(super) fn check_maps(columns: &[ParquetType], output: Format) -> Result<()> {
    let map = columns.iter().find(|column| is_map(column));
    match map {
        Some(map) if keeps_types(output) => {
            bail!("the column `{}` holds {MAPS}; {WAY_OUT}", map.name())
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

fn keeps_types(output: Format) -> bool {
    matches!(output, Format::Parquet | Format::Arrow)
}

/// What is wrong with the type, or one within it.
fn refused(dtype: &ArrowDataType, output: Format) -> Option<String> {
    use ArrowDataType::{
        Decimal, Decimal256, Dictionary, Extension, FixedSizeBinary, FixedSizeList, Float16,
        Interval, LargeList, List, Map, Struct, UInt128, Union,
    };

    let keeps_types = keeps_types(output);
    match dtype {
        Float16 => Some("numbers of 16 bits, which are not read".into()),
        UInt128 => Some("whole numbers of 128 bits, which are not read".into()),
        Interval(_) => Some("intervals, which are not read".into()),
        Union(_) => Some("unions, which are not read".into()),
        Decimal(digits, _) | Decimal256(digits, _) if *digits > DIGITS => Some(format!(
            "decimal numbers of more than {DIGITS} digits, which are not read"
        )),
        Extension(extension) => Some(format!("the type `{}`, which is not read", extension.name)),
        FixedSizeBinary(16) if keeps_types => {
            Some("16 bytes each, as a UUID, which would become bytes of any number".into())
        }
        FixedSizeBinary(size) if keeps_types => Some(format!(
            "{size} bytes each, which would become bytes of any number"
        )),
        Map(..) if keeps_types => Some(MAPS.into()),
        Dictionary(_, _, true) if keeps_types => {
            Some("categories in an order of their own, which would be lost".into())
        }
        List(inner) | LargeList(inner) | FixedSizeList(inner, _) | Map(inner, _) => {
            refused(&inner.dtype, output)
        }
        Struct(fields) => fields
            .iter()
            .find_map(|field| refused(&field.dtype, output)),
        Dictionary(_, values, _) => refused(values, output),
        _ => None,
    }
}
