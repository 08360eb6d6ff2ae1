//! Unpacks what came packed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use anyhow::{Context, Result, anyhow};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use sha2::{Digest, Sha256};

use crate::content::{HEAD, Packing};
use crate::limits::MaxBytes;
use crate::output::Output;
use crate::record::hex;

const BUFFER: usize = 256 * 1024;

type Reader<'a> = Box<dyn BufRead + 'a>;

/// What is to be unpacked.
pub(crate) struct Unpacking<'a> {
    pub(crate) output: &'a Output,
    /// How the server packed the file to send it.
    pub(crate) encoding: Option<Packing>,
    /// Whether the file itself is unpacked, too, if it is packed.
    pub(crate) decompress: bool,
    /// Whether the hash of what the server packed is wanted.
    pub(crate) hashing: bool,
    pub(crate) max_bytes: MaxBytes,
    /// Whether what comes out may be packed once more.
    pub(crate) may_stay_packed: bool,
}

/// What came out.
pub(crate) struct Unpacked {
    pub(crate) file: File,
    pub(crate) length: u64,
    /// That of the file as it is on the server, if it was wanted and the server packed it.
    pub(crate) sha256: Option<String>,
}

impl Unpacking<'_> {
    /// Unpacks `packed` into the file that `make` makes, unless there is nothing to unpack. What the
    /// server packed has to pass `check`, which sees its first bytes.
    pub(crate) fn run(
        &self,
        packed: File,
        check: &dyn Fn(&[u8]) -> Result<()>,
        make: impl FnOnce() -> Result<File>,
    ) -> Result<Option<Unpacked>> {
        let cannot_unpack = || self.cannot_unpack();
        let mut hash = Sha256::new();
        let (mut reader, mut head) = peeked(buffered(packed), HEAD).with_context(cannot_unpack)?;
        // Nothing is no packed nothing, but sent as such.
        let encoding = self.encoding.filter(|_| !head.is_empty());
        if let Some(encoding) = encoding {
            let mut decoded = decoder(encoding, reader).with_context(cannot_unpack)?;
            if self.hashing {
                let hash = &mut hash;
                decoded = buffered(Hashing {
                    reader: decoded,
                    hash,
                });
            }
            (reader, head) = peeked(decoded, HEAD).with_context(cannot_unpack)?;
            check(&head)?;
        }
        match Packing::of(&head).filter(|_| self.decompress) {
            Some(packing) => {
                let unpacked = decoder(packing, reader).with_context(cannot_unpack)?;
                (reader, head) = peeked(unpacked, HEAD).with_context(cannot_unpack)?;
                if let Some(again) = Packing::of(&head).filter(|_| !self.may_stay_packed) {
                    let (outer, inner) = (packing.name(), again.name());
                    let error = anyhow!(
                        "it is packed twice, by {inner} and then by {outer}; expected once; without \
                         --decompress it is kept as it is"
                    );
                    return Err(error.context(cannot_unpack()));
                }
            }
            None if encoding.is_none() => return Ok(None),
            None => {}
        }
        let mut file = make()?;
        let length = self.copy(reader, &mut file)?;
        let is_hashed = encoding.is_some() && self.hashing;
        let sha256 = is_hashed.then(|| hex(&hash.finalize()));
        Ok(Some(Unpacked {
            file,
            length,
            sha256,
        }))
    }

    fn copy(&self, mut reader: Reader<'_>, file: &mut File) -> Result<u64> {
        let mut buffer = vec![0; BUFFER];
        let mut length = 0;
        loop {
            let count = reader.read(&mut buffer);
            let count = count.with_context(|| self.cannot_unpack())?;
            if count == 0 {
                return Ok(length);
            }
            length += count as u64;
            let checked = self.max_bytes.check(length);
            checked.with_context(|| self.cannot_unpack())?;
            let written = file.write_all(&buffer[..count]);
            written.with_context(|| self.output.cannot_write())?;
        }
    }

    fn cannot_unpack(&self) -> String {
        format!("cannot unpack what is to be `{}`", self.output.shown())
    }
}

fn buffered<'a>(reader: impl Read + 'a) -> Reader<'a> {
    Box::new(BufReader::with_capacity(BUFFER, reader))
}

/// The first bytes, at `most` so many, and a reader of these and all others.
fn peeked(mut reader: Reader<'_>, most: usize) -> io::Result<(Reader<'_>, Vec<u8>)> {
    let mut head = Vec::new();
    reader.by_ref().take(most as u64).read_to_end(&mut head)?;
    Ok((Box::new(Cursor::new(head.clone()).chain(reader)), head))
}

fn decoder(packing: Packing, packed: Reader<'_>) -> io::Result<Reader<'_>> {
    Ok(match packing {
        Packing::Gzip => buffered(Members(Some(GzDecoder::new(packed)))),
        Packing::Zstd => buffered(zstd::Decoder::with_buffer(packed)?),
        Packing::Deflate => inflating(packed)?,
    })
}

/// In the format of zlib, as the rules say, or bare, as some servers send it.
fn inflating(packed: Reader<'_>) -> io::Result<Reader<'_>> {
    let (packed, head) = peeked(packed, 2)?;
    let is_zlib = match head[..] {
        [first, second] => first & 15 == 8 && u16::from_be_bytes([first, second]) % 31 == 0,
        _ => false,
    };
    Ok(if is_zlib {
        buffered(ZlibDecoder::new(packed))
    } else {
        buffered(DeflateDecoder::new(packed))
    })
}

/// What the members of a gzip file hold, one after the other. Zeros behind them, as on a tape or in the
/// blocks of an archive, are passed over, as by gzip(1).
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.0.take() {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.0 = Some(member);
                return Ok(count);
            }
            let mut packed = member.into_inner();
            skip_zeros(&mut packed)?;
            match packed.fill_buf()? {
                [] => {}
                [0x1f, ..] => self.0 = Some(GzDecoder::new(packed)),
                _ => return Err(io::Error::other("something else follows the packed bytes")),
            }
        }
        Ok(0)
    }
}

fn skip_zeros(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = reader.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let is_over = zeros == 0 || zeros < bytes.len();
        reader.consume(zeros);
        if is_over {
            return Ok(());
        }
    }
}

/// Passes bytes on, and adds them to a hash.
struct Hashing<'a, R> {
    reader: R,
    hash: &'a mut Sha256,
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
