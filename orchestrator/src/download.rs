//! Fetches one small file over http(s): a zipped project, or the value of a `path` parameter.
//!
//! Deliberately without resume, progress and retries; large data is the business of a step.

use std::io;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error(transparent)]
    Http(reqwest::Error),
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    #[error("cannot write the file")]
    Write(#[from] io::Error),
}

/// Downloads `url` to `target`, whole or not at all; the folder must exist.
pub(crate) fn to_file(url: &str, target: &Path) -> Result<(), DownloadError> {
    // Errors of reqwest name the URL with its credentials, so it is taken out of them.
    let http = |error: reqwest::Error| DownloadError::Http(error.without_url());
    let client = client().map_err(http)?;
    let mut response = client.get(url).send().map_err(http)?;
    if !response.status().is_success() {
        return Err(DownloadError::Status(response.status()));
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut partial = tempfile::NamedTempFile::new_in(folder)?;
    response.copy_to(partial.as_file_mut()).map_err(http)?;
    partial.persist(target).map_err(|error| error.error)?;
    Ok(())
}

/// Chooses who does the cryptography of TLS, which has to be done before the first client is made.
pub(crate) fn install_crypto() {
    // Fails only if there is a provider already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}

fn client() -> reqwest::Result<reqwest::blocking::Client> {
    install_crypto();
    reqwest::blocking::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        // The default would end every transfer after 30 s.
        .timeout(None)
        .build()
}
