//! Figures for whoever runs the program as a step of something larger.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::terminal::say;

/// Names the file that the figures are appended to, one `NAME VALUE` per line.
const VARIABLE: &str = "PIPELINE_METRICS";

/// Appends the figures if somebody wants them. A download is not spoilt by a failure of this.
pub fn append(bytes: u64, time: Duration) {
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return;
    };
    if let Err(error) = write(Path::new(&path), bytes, time) {
        let path = path.display();
        say(&format!(
            "warning: cannot write the metrics to `{path}`: {error}"
        ));
    }
}

/// One write, so that lines of several programs do not mix. A pipe that nobody reads is not waited
/// for.
fn write(path: &Path, bytes: u64, time: Duration) -> io::Result<()> {
    let mut options = File::options();
    options.append(true).create(true);
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut file = options.custom_flags(flags).open(path)?;
    let seconds = time.as_secs_f64();
    file.write_all(format!("bytes {bytes}\nseconds {seconds:.6}\n").as_bytes())
}
