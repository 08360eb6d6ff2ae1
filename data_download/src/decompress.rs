//! Unpacks a file that is packed.

use std::fs::File;
use std::io::{BufReader, Read, Write};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

use crate::limits::MaxBytes;
use crate::output::Output;

const BUFFER: usize = 256 * 1024;

/// How a file is packed.
#[derive(Debug, PartialEq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Tells it by the first bytes; a name may lie.
    pub(crate) fn of(head: &[u8]) -> Option<Packing> {
        match head {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            // A frame, or one that readers skip: such a one may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Packing::Zstd)
            }
            _ => None,
        }
    }
}

/// Unpacks `packed` into `file`, which is to become the output; returns its length.
pub(crate) fn unpack(
    packing: &Packing,
    (packed, file): (File, &mut File),
    output: &Output,
    max_bytes: MaxBytes,
) -> Result<u64> {
    let cannot_unpack = || format!("cannot unpack what is to be `{}`", output.shown());
    let packed = BufReader::with_capacity(BUFFER, packed);
    let mut reader: Box<dyn Read> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Packing::Zstd => {
            let decoder = zstd::Decoder::with_buffer(packed).with_context(cannot_unpack)?;
            Box::new(decoder)
        }
    };
    let mut buffer = vec![0; BUFFER];
    let mut length = 0;
    loop {
        let count = reader.read(&mut buffer).with_context(cannot_unpack)?;
        if count == 0 {
            return Ok(length);
        }
        length += count as u64;
        max_bytes.check(length).with_context(cannot_unpack)?;
        let written = file.write_all(&buffer[..count]);
        written.with_context(|| output.cannot_write())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_packed_files() {
        assert_eq!(Packing::of(&[0x1f, 0x8b, 8]), Some(Packing::Gzip));
        assert_eq!(Packing::of(&[0x28, 0xb5, 0x2f, 0xfd]), Some(Packing::Zstd));
        assert_eq!(Packing::of(&[0x5a, 0x2a, 0x4d, 0x18]), Some(Packing::Zstd));
        assert_eq!(Packing::of(b"a,b\n"), None);
        assert_eq!(Packing::of(b""), None);
    }
}
