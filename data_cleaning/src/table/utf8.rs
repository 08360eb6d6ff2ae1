//! Text that has to be UTF-8, checked while it is read.

use std::io::{self, ErrorKind, Read};

/// Passes bytes on as long as they are UTF-8, and else says on which line they are not.
pub(super) struct Utf8<R> {
    source: R,
    line: u64,
    /// The first bytes of a character that was cut by the end of a read.
    cut: Vec<u8>,
}

impl<R> Utf8<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            line: 1,
            cut: Vec::new(),
        }
    }

    fn check(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((first, rest)) = bytes.split_first()
            && !self.cut.is_empty()
        {
            self.cut.push(*first);
            bytes = rest;
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) if error.error_len().is_none() => (),
                Err(_) => return Err(self.error()),
            }
        }
        let (valid, rest) = match std::str::from_utf8(bytes) {
            Ok(_) => (bytes, &[][..]),
            Err(error) => bytes.split_at(error.valid_up_to()),
        };
        self.line += valid
            .iter()
            .map(|byte| u64::from(*byte == b'\n'))
            .sum::<u64>();
        if std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_some()) {
            return Err(self.error());
        }
        self.cut.extend_from_slice(rest);
        Ok(())
    }

    fn error(&self) -> io::Error {
        let message = format!(
            "line {}: the text is not UTF-8, expected it as the output is not CSV; `iconv -f ENCODING -t UTF-8` converts it",
            self.line
        );
        io::Error::new(ErrorKind::InvalidData, message)
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.cut.is_empty() {
            return Err(self.error());
        }
        self.check(&buffer[..read])?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads so many bytes at a time.
    fn read(text: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let (mut reader, mut all) = (Utf8::new(text), Vec::new());
        let mut buffer = vec![0; size];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(all),
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn what_is_utf8_passes() {
        let text = "a\nünï €\n😀\n".as_bytes();
        for size in 1..=text.len() {
            assert_eq!(read(text, size), Ok(text.to_vec()));
        }
    }

    #[test]
    fn says_on_which_line_it_is_not() {
        let message = "line 3: the text is not UTF-8, expected it as the output is not CSV; `iconv -f ENCODING -t UTF-8` converts it";
        for bad in [
            &b"\xff"[..],
            b"\xe9t\xe9",
            b"\xe2\x82",
            b"\xe2\x82x",
            b"\xed\xa0\x80\n",
        ] {
            let text = ["a,é\nb\nc".as_bytes(), bad].concat();
            for size in 1..=text.len() {
                assert_eq!(
                    read(&text, size),
                    Err(message.to_owned()),
                    "{bad:?}, {size}"
                );
            }
        }
    }
}
