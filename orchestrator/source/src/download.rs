//! Fetches one small file over http(s): a zipped project, or the value of a `path` parameter.
//!
//! Deliberately without resume, progress and retries; large data is the business of a step.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No answer: a bad address, no connection within ten seconds, too many redirects, or the time was
    /// over. It does not name the URL, which may hold credentials.
    #[error(transparent)]
    Http(reqwest::Error),
    /// An answer other than 2xx, where the redirects led.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// More bytes came than this limit.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// The answer ended too early, or the time was over in the middle of it.
    #[error("the transfer failed")]
    Transfer(#[source] io::Error),
    /// The folder is not there, its disk is full, or the file cannot get its name.
    #[error("cannot write the file")]
    Write(#[source] io::Error),
}

/// How much may come, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For all of it; none when somebody waits for it who can interrupt it.
    pub time: Option<Duration>,
    /// The most that the file may have.
    pub bytes: u64,
}

impl Limits {
    /// As long and as large as it gets.
    pub const NONE: Limits = Limits {
        time: None,
        bytes: u64::MAX - 1,
    };
}

/// Downloads `url` by one GET to `target`, whole or not at all; the folder must exist, and a file that
/// was there before is replaced.
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
