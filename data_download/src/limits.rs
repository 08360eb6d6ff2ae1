//! How long is waited, and how much is taken.

use std::time::Duration;

use anyhow::{Result, ensure};

/// The longest that is waited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes. The whole transfer may take any time.
    pub idle: Duration,
}

/// The most bytes that a file may have, packed or unpacked; without a number, any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxBytes(pub Option<u64>);

impl MaxBytes {
    /// Refuses a file of more bytes than these.
    pub fn check(self, bytes: u64) -> Result<()> {
        if let Some(most) = self.0 {
            ensure!(
                bytes <= most,
                "the file has more than {most} bytes, the limit of --max_bytes"
            );
        }
        Ok(())
    }
}
