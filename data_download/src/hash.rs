//! The SHA-256 of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::files;

/// Reads a whole file, and returns its hash as hex digits.
pub fn hash_of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let (mut file, _) = files::open(path, File::options().read(true))?;
    add(&mut hash, &mut file)?;
    Ok(hex(&hash.finalize()))
}

/// Adds all bytes of a file, from where it stands.
pub fn add(hash: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// Writes bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digit = |value| char::from_digit(u32::from(value), 16);
    digits.filter_map(digit).collect()
}
