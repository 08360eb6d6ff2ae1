//! Streams an http(s) URL into the partial file.
//!
//! One request, no retries. A body that ends early is an error: hyper knows the announced length
//! and the end mark of a chunked body. The bytes are kept as they were sent, never decompressed.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, ensure};
use reqwest::header::ACCEPT_ENCODING;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use crate::partial::Partial;
use crate::progress;
use crate::source::redacted;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest silence that is waited for. The whole transfer may take any time.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

const MAX_REDIRECTS: usize = 10;

/// Downloads `url` and returns the number of bytes.
pub(crate) fn download(url: &Url, partial: &mut Partial) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    runtime
        .block_on(async { receive(request(url).await?, partial).await })
        .with_context(|| format!("cannot download `{}`", redacted(url)))
}

async fn request(url: &Url) -> Result<Response> {
    let client = client(url)
        .map_err(explained)
        .context("cannot set up the http client")?;
    let response = client
        .get(url.clone())
        // A compressed body has no announced length to check, and is not the file asked for.
        .header(ACCEPT_ENCODING, "identity")
        .send()
        .await
        .map_err(explained)?;
    let status = response.status();
    // 204 has no body, and 206 is a part although none was asked for.
    ensure!(
        status == StatusCode::OK,
        "`{}` answered {status}, expected 200 OK",
        redacted(response.url())
    );
    Ok(response)
}

fn client(url: &Url) -> reqwest::Result<Client> {
    // Fails only if there is a provider already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let settings = || {
        Client::builder()
            .user_agent(concat!("data_download/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(Policy::limited(MAX_REDIRECTS))
            // It would tell the next host the whole query of this one, tokens included.
            .referer(false)
    };
    let client = settings().build();
    if client.is_err() && url.scheme() == "http" {
        // A machine without CA certificates, such as a small container. Plain http needs none.
        return settings().tls_certs_only([]).build();
    }
    client
}

async fn receive(mut response: Response, partial: &mut Partial) -> Result<u64> {
    let announced = response.content_length();
    let progress = progress::bar(announced);
    let mut received = 0;
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| explained(error).context(cut(received, announced)))?;
        let Some(chunk) = chunk else { break };
        partial.write(&chunk)?;
        received += chunk.len() as u64;
        progress.set_position(received);
    }
    Ok(received)
}

fn cut(received: u64, announced: Option<u64>) -> String {
    match announced {
        Some(length) => format!("connection closed after {received} of {length} bytes"),
        None => format!("connection closed after {received} bytes, before the end of the body"),
    }
}

/// Puts an error of reqwest into words.
fn explained(error: reqwest::Error) -> Error {
    if error.is_redirect() {
        return anyhow!("more than {MAX_REDIRECTS} redirects, probably a loop");
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => anyhow!("no connection after {} s", CONNECT_TIMEOUT.as_secs()),
        (true, false) => anyhow!("no data for {} s", READ_TIMEOUT.as_secs()),
        (false, true) => innermost(error).context("cannot connect"),
        (false, false) => innermost(error),
    }
}

/// Only the last reason of the chain: the outer ones are general, and may hold the URL with its
/// credentials.
fn innermost(error: reqwest::Error) -> Error {
    let error = Error::from(error.without_url());
    anyhow!(error.root_cause().to_string())
}
