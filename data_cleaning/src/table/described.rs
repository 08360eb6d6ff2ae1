//! What a file says about its columns in the words of Arrow, looked at before polars does: it ends with
//! types that it does not know, and takes others for its own.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use anyhow::{Result, bail};
use polars::prelude::ArrowSchema;
use polars_arrow::datatypes::Metadata;
use polars_arrow::io::ipc::format::ipc::planus::{self, ReadAsRoot};
use polars_arrow::io::ipc::format::ipc::{
    FieldRef, FooterRef, MessageHeaderRef, MessageRef, SchemaRef, TypeRef,
};
use polars_arrow::io::ipc::read::deserialize_schema;
use polars_arrow::io::ipc::write::{default_ipc_fields, schema_to_bytes};

use crate::table::kinds::WAY_OUT;

/// The key of what a Parquet file says about its types besides its own.
pub(super) const TYPES: &str = "ARROW:schema";

/// Refuses a column of an Arrow file that is of a type that polars ends with.
///
/// What is wrong with the file otherwise is left to polars.
pub(super) fn check_footer(file: &mut File) -> Result<()> {
    match footer(file).as_deref().map(FooterRef::read_as_root) {
        Some(Ok(footer)) => check(footer.schema(), true),
        _ => Ok(()),
    }
}

/// The end of the file, before its length and what the file begins with, too.
fn footer(file: &mut File) -> Option<Vec<u8>> {
    const LENGTH: usize = 4;
    const MAGIC: usize = 6;

    let mut end = [0; LENGTH + MAGIC];
    let size = file.seek(SeekFrom::End(0)).ok()?;
    let at = size.checked_sub(end.len() as u64)?;
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut end).ok()?;
    let length = u32::from_le_bytes(end[..LENGTH].try_into().ok()?);
    file.seek(SeekFrom::Start(at.checked_sub(length.into())?))
        .ok()?;
    let mut footer = Vec::new();
    file.take(length.into()).read_to_end(&mut footer).ok()?;
    Some(footer)
}

/// The types that a Parquet file has noted under [`TYPES`]; nothing if they cannot be read.
pub(super) fn noted(text: &str) -> Result<Option<ArrowSchema>> {
    /// What stands before the message.
    const PREFIX: usize = 8;

    let Some(bytes) = from_base64(text) else {
        return Ok(None);
    };
    let message = match bytes.strip_prefix(&[0xff; 4]) {
        Some(_) => bytes.get(PREFIX..).unwrap_or_default(),
        None => &bytes,
    };
    if let Ok(message) = MessageRef::read_as_root(message)
        && let Ok(Some(MessageHeaderRef::Schema(schema))) = message.header()
    {
        check(Ok(Some(schema)), false)?;
    }
    Ok(deserialize_schema(message).ok().map(|(schema, ..)| schema))
}

fn check(schema: planus::Result<Option<SchemaRef<'_>>>, values: bool) -> Result<()> {
    let Ok(Some(schema)) = schema else {
        return Ok(());
    };
    let Ok(Some(fields)) = schema.fields() else {
        return Ok(());
    };
    for field in fields.iter().flatten() {
        if let Some(unknown) = unknown(field, values) {
            let name = field.name().ok().flatten().unwrap_or_default();
            bail!("the column `{name}` is of type {unknown}, which is not read; {WAY_OUT}");
        }
    }
    Ok(())
}

/// The type, or one within it, if polars ends with it; with `values`, those of which it cannot read any.
fn unknown(field: FieldRef<'_>, values: bool) -> Option<String> {
    match field.type_().ok()?? {
        TypeRef::RunEndEncoded(_) => return Some("run_end_encoded".into()),
        TypeRef::ListView(_) => return Some("list_view".into()),
        TypeRef::LargeListView(_) => return Some("large_list_view".into()),
        TypeRef::Decimal(decimal) => {
            let (bits, digits, scale) = (decimal.bit_width(), decimal.precision(), decimal.scale());
            let (bits, digits, scale) = (bits.ok()?, digits.ok()?, scale.ok()?);
            if scale < 0 || values && bits > 128 {
                return Some(format!("decimal{bits}({digits}, {scale})"));
            }
        }
        _ => (),
    }
    let children = field.children().ok()??;
    children
        .iter()
        .flatten()
        .find_map(|child| unknown(child, values))
}

/// What a Parquet file notes under [`TYPES`] for readers of Arrow.
///
/// With the metadata of the table: in some readers these count instead of those of the file itself.
pub(super) fn note(fields: &ArrowSchema, metadata: &[(String, String)]) -> String {
    let metadata = metadata.iter();
    let metadata: Metadata = metadata
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
        .collect();
    let numbers = default_ipc_fields(fields.iter_values());
    let message = schema_to_bytes(fields, &numbers, Some(&metadata));
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    to_base64(&[&[0xff; 4], &length.to_le_bytes()[..], &message].concat())
}

fn to_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |number: usize| u32::from(three.get(number).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for number in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * number) & 63) as usize];
            text.push(if number <= three.len() {
                digit.into()
            } else {
                '='
            });
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for four in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in four {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let missing = 4 - four.len();
        let whole = (bits << (6 * missing)).to_be_bytes();
        bytes.extend_from_slice(&whole[1..4 - missing]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, expected) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYmFy", Some("foobar")),
            ("Pz8/", Some("???")),
            ("Zm 8", None),
        ] {
            assert_eq!(
                from_base64(text).as_deref(),
                expected.map(str::as_bytes),
                "{text}"
            );
            if let Some(bytes) = expected {
                assert_eq!(to_base64(bytes.as_bytes()), text);
            }
        }
    }
}
