//! The files: what comes in, what goes out, and their formats.

pub mod access;
pub mod format;
pub mod input;
pub mod output;
pub mod progress;
mod temporary;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use signal_hook::consts::SIGXFSZ;

/// The name that means standard input or output.
pub const STANDARD: &str = "-";

/// Whether the path means standard input or output, and not a file.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// Makes a limit on the size of files an error of writing, where the signal would end the program
/// without a word. No other signal is touched, so that those stay ignored that are.
pub fn limit_tells_itself() -> Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}
