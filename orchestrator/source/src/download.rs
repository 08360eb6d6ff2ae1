//! Fetches one small file over http(s): a zipped project, or the value of a `path` parameter.
//!
//! Deliberately without resume, progress and retries; large data is the business of a step.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error(transparent)]
    Http(reqwest::Error),
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("the transfer failed")]
    Transfer(#[source] io::Error),
    #[error("cannot write the file")]
    Write(#[source] io::Error),
}

/// How much may come, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For all of it; none when somebody waits for it who can interrupt it.
    pub time: Option<Duration>,
    pub bytes: u64,
}

impl Limits {
    pub const NONE: Limits = Limits {
        time: None,
        bytes: u64::MAX - 1,
    };
}

/// Downloads `url` to `target`, whole or not at all; the folder must exist.
pub fn to_file(url: &str, target: &Path, limits: Limits) -> Result<(), DownloadError> {
    // Errors of reqwest name the URL with its credentials, so it is taken out of them.
    let http = |error: reqwest::Error| DownloadError::Http(error.without_url());
    let client = client(limits.time).map_err(http)?;
    let mut response = client.get(url).send().map_err(http)?;
    if !response.status().is_success() {
        return Err(DownloadError::Status(response.status()));
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut partial = tempfile::NamedTempFile::new_in(folder).map_err(DownloadError::Write)?;
    copy(&mut response, partial.as_file_mut(), limits.bytes)?;
    let kept = partial.persist(target);
    kept.map_err(|error| DownloadError::Write(error.error))?;
    Ok(())
}

fn copy(
    source: &mut impl Read,
    target: &mut impl io::Write,
    limit: u64,
) -> Result<(), DownloadError> {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(DownloadError::Transfer(error)),
        };
        total += length as u64;
        if total > limit {
            return Err(DownloadError::TooLarge(limit));
        }
        let written = target.write_all(&buffer[..length]);
        written.map_err(DownloadError::Write)?;
    }
}

fn client(time: Option<Duration>) -> reqwest::Result<reqwest::blocking::Client> {
    // Fails only if somebody has chosen already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    reqwest::blocking::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        // The default would end every transfer after 30 s.
        .timeout(time)
        .build()
}
