//! The progress bar on stderr.

use indicatif::{ProgressBar, ProgressStyle};

/// Makes a bar that counts bytes from `start`; it is drawn only if stderr is a terminal, and
/// clears itself when dropped.
pub fn bar(length: Option<u64>, start: u64) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bytes} of {total_bytes} [{wide_bar}] {bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::no_length(), "{bytes} {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template).expect("the templates are well-formed");
    let bar = bar.with_style(style).with_position(start);
    // The rate is that of the bytes that come now.
    bar.reset_eta();
    bar
}
