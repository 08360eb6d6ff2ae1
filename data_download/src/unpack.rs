//! Unpacks what came packed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Seek, Write};

use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::content::{HEAD, Packing};
use crate::hash::hex;
use crate::limits::MaxBytes;
use crate::output::Output;

const BUFFER: usize = 256 * 1024;

/// The way out for what cannot be unpacked.
const KEPT: &str = "without --decompress it is kept as it is";

type Reader<'a> = Box<dyn BufRead + 'a>;

/// How the unpacked bytes are to be.
pub struct Unpacking<'a> {
    /// Where they are going to be.
    pub output: &'a Output,
    pub max_bytes: MaxBytes,
    /// Whether their hash is wanted.
    pub hashing: bool,
}

/// What came out.
pub struct Unpacked {
    pub file: File,
    pub length: u64,
    /// Of these bytes, if it was wanted.
    pub sha256: Option<String>,
}

impl Unpacking<'_> {
    /// Unpacks what a server packed to send it into the file that `make` makes.
    pub fn decode(
        &self,
        mut packed: File,
        encoding: Packing,
        make: impl FnOnce() -> Result<File>,
    ) -> Result<Unpacked> {
        packed.rewind().with_context(|| self.cannot_unpack())?;
        let reader = decoder(encoding, buffered(packed));
        self.copy(reader.with_context(|| self.cannot_unpack())?, make()?)
    }

    /// Unpacks a file into the one that `make` makes, unless it is not packed.
    pub fn decompress(
        &self,
        mut packed: File,
        make: impl FnOnce() -> Result<File>,
    ) -> Result<Option<Unpacked>> {
        let cannot_unpack = || self.cannot_unpack();
        packed.rewind().with_context(cannot_unpack)?;
        let mut archive;
        let (packed, head) = peeked(packed, HEAD).with_context(cannot_unpack)?;
        let reader = match Packing::of(&head) {
            None => return Ok(None),
            Some(Packing::Zip) => {
                let (_, mut packed) = packed.into_inner();
                packed.rewind().with_context(cannot_unpack)?;
                let opened = ZipArchive::new(BufReader::with_capacity(BUFFER, packed));
                archive = opened.with_context(cannot_unpack)?;
                only_member(&mut archive).with_context(cannot_unpack)?
            }
            Some(packing) => decoder(packing, buffered(packed)).with_context(cannot_unpack)?,
        };
        let (reader, unpacked) = peeked(reader, HEAD).with_context(cannot_unpack)?;
        check_packed_once(&self.output.shown(), &head, &unpacked).with_context(cannot_unpack)?;
        self.copy(Box::new(reader), make()?).map(Some)
    }

    fn copy(&self, mut reader: Reader<'_>, mut file: File) -> Result<Unpacked> {
        let mut hash = self.hashing.then(Sha256::new);
        let mut buffer = vec![0; BUFFER];
        let mut length = 0;
        loop {
            let count = reader.read(&mut buffer);
            let count = count.with_context(|| self.cannot_unpack())?;
            if count == 0 {
                let sha256 = hash.map(|hash| hex(&hash.finalize()));
                return Ok(Unpacked {
                    file,
                    length,
                    sha256,
                });
            }
            length += count as u64;
            let checked = self.max_bytes.check(length);
            checked.with_context(|| self.cannot_unpack())?;
            if let Some(hash) = &mut hash {
                hash.update(&buffer[..count]);
            }
            let written = file.write_all(&buffer[..count]);
            written.with_context(|| self.output.cannot_write())?;
        }
    }

    fn cannot_unpack(&self) -> String {
        format!("cannot unpack what is to be `{}`", self.output.shown())
    }
}

/// Refuses what begins with `unpacked`, if that is packed once more and the output is not called so.
fn check_packed_once(output: &str, head: &[u8], unpacked: &[u8]) -> Result<()> {
    if let (Some(outer), Some(inner)) = (Packing::of(head), Packing::of(unpacked)) {
        ensure!(
            Packing::is_in_any(output),
            "it is packed twice, by {} and then by {}; expected once; {KEPT}",
            inner.name(),
            outer.name()
        );
    }
    Ok(())
}

/// The one file in an archive. Its name is that of a stranger, and not looked at further.
fn only_member<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Reader<'_>> {
    let name = |index| Some(archive.name_for_index(index)?.ok()?.into_owned());
    // Folders, and what a Mac adds to a file.
    let is_none = |name: &String| name.ends_with('/') || name.starts_with("__MACOSX/");
    let is_file = |index: &usize| !name(*index).as_ref().is_some_and(is_none);
    let files: Vec<_> = (0..archive.len()).filter(is_file).collect();
    let [index] = files[..] else {
        let count = files.len();
        bail!("it is a zip archive of {count} files, expected one; {KEPT}");
    };
    let member = archive.by_index(index)?;
    ensure!(
        !member.is_symlink(),
        "what is in the zip archive is a link, expected a file"
    );
    Ok(buffered(member))
}

fn buffered<'a>(reader: impl Read + 'a) -> Reader<'a> {
    Box::new(BufReader::with_capacity(BUFFER, reader))
}

/// A reader whose first bytes are known already.
type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// The first bytes, at `most` so many, and a reader of these and all others.
fn peeked<R: Read>(mut reader: R, most: usize) -> io::Result<(Peeked<R>, Vec<u8>)> {
    let mut head = Vec::new();
    reader.by_ref().take(most as u64).read_to_end(&mut head)?;
    Ok((Cursor::new(head.clone()).chain(reader), head))
}

fn decoder(packing: Packing, packed: Reader<'_>) -> Result<Reader<'_>> {
    Ok(match packing {
        Packing::Gzip => buffered(Members(Some(GzDecoder::new(packed)))),
        Packing::Zstd => buffered(zstd::Decoder::with_buffer(packed)?),
        Packing::Deflate => inflating(packed)?,
        Packing::Zip => bail!("a zip archive has no beginning to read it from"),
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
