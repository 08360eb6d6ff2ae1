//! How a CSV file is written.

/// The characters and habits of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dialect {
    pub delimiter: u8,
    /// What stands around fields; without, every character but delimiter and line end is text.
    pub quote: Option<u8>,
    /// Whether a quote in a field that does not begin with one is text, instead of an error.
    pub stray_quotes: bool,
    /// Whether the first record has the names of the columns.
    pub has_header: bool,
    /// The lines before the header, or the first record, that are passed over.
    pub skip_lines: u64,
    /// Whether blanks around a value do not count when it is compared with the null values.
    pub trim: bool,
    pub ragged: Ragged,
}

/// What becomes of a record that has more or fewer fields than the header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ragged {
    Error,
    Drop,
    /// Missing fields are null, and empty ones too many do not count.
    Null,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            stray_quotes: false,
            has_header: true,
            skip_lines: 0,
            trim: false,
            ragged: Ragged::Error,
        }
    }
}

impl Dialect {
    /// Whether this byte ends a field that is not within quotes.
    #[inline]
    pub fn ends(&self, byte: u8) -> bool {
        byte == self.delimiter || matches!(byte, b'\r' | b'\n')
    }
}
