//! The types that columns had where they came from, as far as polars has others for them.
//!
//! Polars has one type for all text, one for times of a day, and so on. The values of rows that stay
//! are written with the types that they had, where the output has these.

use anyhow::{Result, anyhow, ensure};
use polars::prelude::{ArrowDataType, ArrowField, ArrowSchema, ArrowTimeUnit, pf16};
use polars_arrow::array::{
    Array, FixedSizeListArray, ListArray, PrimitiveArray, StructArray, Utf8ViewArray,
};
use polars_arrow::types::NativeType;
use polars_compute::cast::{CastOptionsImpl, cast, utf8view_to_utf8};
use polars_parquet::parquet::schema::types::{ParquetType, PrimitiveLogicalType, PrimitiveType};

use crate::files::format::Format;

/// Keys of what polars itself says about a column, such as that it holds categories.
const OF_POLARS: &str = "_PL_";

/// How a table described its columns.
#[derive(Default)]
pub(super) struct Origin {
    /// The columns in the types of Arrow.
    pub(super) fields: ArrowSchema,
    /// In a Parquet file, the columns in its own types.
    pub(super) parquet: Option<Vec<ParquetType>>,
}

impl Origin {
    /// The columns as they are written, of which polars would `make` others.
    pub(super) fn restore(&self, mut made: ArrowSchema, format: Format) -> ArrowSchema {
        for (name, field) in made.iter_mut() {
            let Some(origin) = self.fields.get(name) else {
                continue;
            };
            field.dtype = restored(&field.dtype, &origin.dtype, format);
            field.is_nullable = origin.is_nullable;
            let mut metadata = field.metadata.as_deref().cloned().unwrap_or_default();
            let others = origin.metadata.iter().flat_map(|metadata| metadata.iter());
            for (key, value) in others.filter(|(key, _)| !key.starts_with(OF_POLARS)) {
                metadata.insert(key.clone(), value.clone());
            }
            field.metadata = (!metadata.is_empty()).then(|| metadata.into());
        }
        made
    }

    /// The columns as a Parquet file notes them besides its own types.
    pub(super) fn describe(&self, made: ArrowSchema) -> ArrowSchema {
        let mut fields = self.restore(made, Format::Arrow);
        for (name, field) in fields.iter_mut() {
            if let Some(origin) = self.fields.get(name)
                && let (ArrowDataType::Dictionary(..), ArrowDataType::Dictionary(..)) =
                    (&field.dtype, &origin.dtype)
            {
                field.dtype = origin.dtype.clone();
            }
        }
        fields
    }

    /// The same for the types of a Parquet file: a name for what is in a list, a number of a column,
    /// a meaning that polars does not know, as that of a UUID.
    pub(super) fn restore_parquet(&self, made: &[ParquetType]) -> Vec<ParquetType> {
        let origin = self.parquet.as_deref().unwrap_or_default();
        let restored = made.iter().map(|made| {
            let origin = origin.iter().find(|column| column.name() == made.name());
            match origin {
                Some(origin) if same_shape(made, origin) => {
                    let mut column = merged(made, origin);
                    let repetition = origin.get_field_info().repetition;
                    match &mut column {
                        ParquetType::PrimitiveType(column) => {
                            column.field_info.repetition = repetition;
                        }
                        ParquetType::GroupType { field_info, .. } => {
                            field_info.repetition = repetition;
                        }
                    }
                    column
                }
                _ => made.clone(),
            }
        });
        restored.collect()
    }
}

/// The type that values are written with if they came with the type `origin` and polars would have
/// written them as `made`.
fn restored(made: &ArrowDataType, origin: &ArrowDataType, format: Format) -> ArrowDataType {
    use ArrowDataType::{
        Binary, BinaryView, Date32, Date64, Decimal, Decimal32, Decimal64, Duration, Extension,
        FixedSizeBinary, FixedSizeList, Float16, Float32, LargeBinary, LargeList, LargeUtf8, List,
        Null, Struct, Time32, Time64, Timestamp, Utf8, Utf8View,
    };
    use ArrowTimeUnit::{Millisecond, Second};

    let is_arrow = format == Format::Arrow;
    let inner = |made: &ArrowField, origin: &ArrowField| restored_inner(made, origin, format);
    match (made, origin) {
        (_, Extension(extension)) => {
            let storage = restored(made, &extension.inner, format);
            if !is_arrow {
                return storage;
            }
            let mut extension = extension.clone();
            extension.inner = storage;
            Extension(extension)
        }
        // In Parquet these are the same but for what is said beside.
        (Utf8View | LargeUtf8, Utf8 | LargeUtf8 | Utf8View)
        | (BinaryView | LargeBinary, Binary | LargeBinary | BinaryView)
        | (Decimal(..), Decimal32(..) | Decimal64(..))
            if is_arrow =>
        {
            origin.clone()
        }
        // Parquet has neither seconds nor days in milliseconds.
        (Time64(_), Time32(Second)) if !is_arrow => Time32(Millisecond),
        (Timestamp(..), Timestamp(Second, zone)) if !is_arrow => {
            Timestamp(Millisecond, zone.clone())
        }
        (BinaryView | LargeBinary, FixedSizeBinary(_))
        | (Duration(_), Duration(_))
        | (Float32, Float16)
        | (_, Null)
        | (Time64(_), Time32(_) | Time64(_))
        | (Timestamp(..), Timestamp(..)) => origin.clone(),
        (Date32, Date64) if is_arrow => Date64,
        (LargeList(made), List(origin)) if is_arrow => List(inner(made, origin).into()),
        (LargeList(made), List(origin) | LargeList(origin)) => {
            LargeList(inner(made, origin).into())
        }
        (FixedSizeList(made, length), FixedSizeList(origin, _)) => {
            FixedSizeList(inner(made, origin).into(), *length)
        }
        (Struct(made), Struct(origin)) if made.len() == origin.len() => {
            let fields = made.iter().zip(origin);
            Struct(fields.map(|(made, origin)| inner(made, origin)).collect())
        }
        _ => made.clone(),
    }
}

/// The same for what is in a list or a struct.
fn restored_inner(made: &ArrowField, origin: &ArrowField, format: Format) -> ArrowField {
    let dtype = restored(&made.dtype, &origin.dtype, format);
    let dtype = match (dtype, format) {
        // Polars does not count their buffers there.
        (ArrowDataType::Utf8View, Format::Arrow) => ArrowDataType::LargeUtf8,
        (ArrowDataType::BinaryView, Format::Arrow) => ArrowDataType::LargeBinary,
        (dtype, _) => dtype,
    };
    ArrowField {
        dtype,
        // Polars makes the fields of a missing value missing.
        is_nullable: true,
        ..origin.clone()
    }
}

/// Whether the types are built in the same way; lists were once written in others.
fn same_shape(made: &ParquetType, origin: &ParquetType) -> bool {
    match (made, origin) {
        (ParquetType::PrimitiveType(_), ParquetType::PrimitiveType(_)) => true,
        (
            ParquetType::GroupType { fields: made, .. },
            ParquetType::GroupType { fields: origin, .. },
        ) => made.len() == origin.len() && made.iter().zip(origin).all(|(m, o)| same_shape(m, o)),
        _ => false,
    }
}

/// The type `made` with what `origin` says besides, but for whether values may be missing.
fn merged(made: &ParquetType, origin: &ParquetType) -> ParquetType {
    let mut field_info = origin.get_field_info().clone();
    field_info.repetition = made.get_field_info().repetition;
    match (made, origin) {
        (ParquetType::PrimitiveType(made), ParquetType::PrimitiveType(origin)) => {
            let source = if stored_alike(made, origin) {
                origin
            } else {
                made
            };
            ParquetType::PrimitiveType(PrimitiveType {
                field_info,
                ..source.clone()
            })
        }
        (
            ParquetType::GroupType { fields: made, .. },
            ParquetType::GroupType {
                fields: origin,
                logical_type,
                converted_type,
                ..
            },
        ) => ParquetType::GroupType {
            field_info,
            logical_type: *logical_type,
            converted_type: *converted_type,
            fields: made.iter().zip(origin).map(|(m, o)| merged(m, o)).collect(),
        },
        (made, _) => made.clone(),
    }
}

/// Whether the same bytes mean the same as both types.
fn stored_alike(made: &PrimitiveType, origin: &PrimitiveType) -> bool {
    use PrimitiveLogicalType::{Bson, Enum, Json, String, Time, Unknown, Uuid};

    made.physical_type == origin.physical_type
        && match (made.logical_type, origin.logical_type) {
            (Some(Time { unit: made, .. }), Some(Time { unit: origin, .. })) => made == origin,
            (None, Some(Uuid | Bson | Unknown)) | (None | Some(String), Some(Json | Enum)) => true,
            (made, origin) => made == origin,
        }
}

/// The values of a column as those of another type, none of which may be lost.
pub(super) fn convert_column(
    name: &str,
    values: &dyn Array,
    to: &ArrowDataType,
) -> Result<Box<dyn Array>> {
    convert(values, to).map_err(|error| anyhow!("the column `{name}` {error}"))
}

fn convert(array: &dyn Array, to: &ArrowDataType) -> Result<Box<dyn Array>> {
    use ArrowDataType::{Extension, FixedSizeList, LargeList, List, Struct};

    let validity = || array.validity().cloned();
    Ok(match (array.dtype(), to) {
        (from, to) if from == to => array.to_boxed(),
        (_, Extension(extension)) => convert(array, &extension.inner)?,
        (LargeList(_), LargeList(to_inner)) => {
            let list: &ListArray<i64> = downcast(array);
            let values = convert(list.values().as_ref(), &to_inner.dtype)?;
            ListArray::<i64>::new(to.clone(), list.offsets().clone(), values, validity()).boxed()
        }
        (LargeList(_), List(to_inner)) => {
            let list: &ListArray<i64> = downcast(array);
            let values = convert(list.values().as_ref(), &to_inner.dtype)?;
            let offsets = list.offsets().try_into()?;
            ListArray::<i32>::new(to.clone(), offsets, values, validity()).boxed()
        }
        (List(_), List(to_inner)) => {
            let list: &ListArray<i32> = downcast(array);
            let values = convert(list.values().as_ref(), &to_inner.dtype)?;
            ListArray::<i32>::new(to.clone(), list.offsets().clone(), values, validity()).boxed()
        }
        (FixedSizeList(..), FixedSizeList(to_inner, _)) => {
            let list: &FixedSizeListArray = downcast(array);
            let values = convert(list.values().as_ref(), &to_inner.dtype)?;
            FixedSizeListArray::new(to.clone(), array.len(), values, validity()).boxed()
        }
        (Struct(_), Struct(fields)) => {
            let table: &StructArray = downcast(array);
            let columns = table.values().iter().zip(fields);
            let columns: Result<_> = columns
                .map(|(column, field)| convert(column.as_ref(), &field.dtype))
                .collect();
            StructArray::new(to.clone(), array.len(), columns?, validity()).boxed()
        }
        _ => convert_flat(array, to)?,
    })
}

/// The same for values without values in them.
fn convert_flat(array: &dyn Array, to: &ArrowDataType) -> Result<Box<dyn Array>> {
    use ArrowDataType::{
        Binary, BinaryView, Date32, Date64, Decimal, Decimal32, Decimal64, Duration, Float16,
        Float32, LargeBinary, Utf8, Utf8View,
    };
    use ArrowTimeUnit::{Millisecond, Second};

    Ok(match (array.dtype(), to) {
        (Utf8View, Utf8) => utf8view_to_utf8::<i32>(downcast::<Utf8ViewArray>(array)).boxed(),
        (BinaryView, Binary) => convert(convert(array, &LargeBinary)?.as_ref(), to)?,
        (Duration(Millisecond), Duration(Second)) => {
            map(array, to, |milliseconds: i64| milliseconds / 1000)
        }
        (Float16, Float32) => map(array, to, |number: pf16| f32::from(number)),
        (Float32, Float16) => map(array, to, |number: f32| pf16::from(number)),
        (Decimal32(..), Decimal(..)) => map(array, to, |number: i32| i128::from(number)),
        (Decimal64(..), Decimal(..)) => map(array, to, |number: i64| i128::from(number)),
        // They came from as many bits; only behind a null there may be anything.
        (Decimal(..), Decimal32(..)) => map(array, to, |number: i128| {
            i32::try_from(number).unwrap_or_default()
        }),
        (Decimal(..), Decimal64(..)) => map(array, to, |number: i128| {
            i64::try_from(number).unwrap_or_default()
        }),
        (Date64, Date32) => {
            let days = exact(array, to)?;
            ensure!(
                exact(days.as_ref(), &Date64)?.as_ref() == array,
                "is of type date64 and has a time of day, expected whole days"
            );
            days
        }
        _ => exact(array, to)?,
    })
}

/// The conversion of polars, which makes nulls of what does not fit.
fn exact(array: &dyn Array, to: &ArrowDataType) -> Result<Box<dyn Array>> {
    let converted = cast(array, to, CastOptionsImpl::default())?;
    ensure!(
        converted.null_count() == array.null_count(),
        "has a value of type {:?} that does not fit type {to:?}",
        array.dtype()
    );
    Ok(converted)
}

fn map<T: NativeType, U: NativeType>(
    array: &dyn Array,
    to: &ArrowDataType,
    convert: impl Fn(T) -> U,
) -> Box<dyn Array> {
    let values = downcast::<PrimitiveArray<T>>(array).values().iter();
    let values: Vec<U> = values.map(|value| convert(*value)).collect();
    PrimitiveArray::new(to.clone(), values.into(), array.validity().cloned()).boxed()
}

fn downcast<T: 'static>(array: &dyn Array) -> &T {
    array
        .as_any()
        .downcast_ref()
        .expect("an array is of the kind that its type says")
}
