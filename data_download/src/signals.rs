//! Leaves nothing behind when the download is interrupted.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Makes SIGINT and SIGTERM remove `file` before they end the process as they always do, so that
/// the caller sees a death by signal. A thread of its own, as the main one may be blocked in a
/// read, a write or a name lookup.
///
/// SIGHUP is left alone: a handler would defeat `nohup`.
pub(crate) fn remove_when_terminated(file: &Path) -> Result<()> {
    let cannot_watch = "cannot watch for signals";
    let mut signals = Signals::new([SIGINT, SIGTERM]).context(cannot_watch)?;
    let file = file.to_owned();
    let watch = move || {
        for signal in &mut signals {
            // It is gone already if the download has just been put into place.
            fs::remove_file(&file).ok();
            emulate_default_handler(signal).ok();
        }
    };
    thread::Builder::new().spawn(watch).context(cannot_watch)?;
    Ok(())
}
