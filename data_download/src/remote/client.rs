//! What sends the requests: how it connects, whom it trusts, and what it takes for an answer.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Proxy, Url};

use crate::files::read_small;
use crate::limits::Limits;
use crate::remote::explain::explained;
use crate::remote::proxies;
use crate::remote::tls::set_tls_provider;

/// All certificates of a system are a tenth of it.
const MOST_CERTIFICATES: u64 = 4 << 20;

/// Makes a client for requests of `url`, which trusts the certificates of `ca_file` besides those of the
/// system.
pub fn new(url: &Url, ca_file: Option<&Path>, limits: Limits) -> Result<Client> {
    let extra = match ca_file {
        Some(file) => certificates(file)?,
        None => Vec::new(),
    };
    let proxies = proxies::from_environment()?;
    set_tls_provider();
    client(url, extra, &proxies, limits)
        .map_err(|error| explained(error, limits))
        .context("cannot set up the http client")
}

fn client(
    url: &Url,
    extra: Vec<Certificate>,
    proxies: &[Proxy],
    limits: Limits,
) -> reqwest::Result<Client> {
    let settings = || {
        let direct = Client::builder().no_proxy();
        proxies
            .iter()
            .cloned()
            .fold(direct, ClientBuilder::proxy)
            .user_agent(concat!("data_download/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .read_timeout(limits.idle)
            .redirect(Policy::none())
            .http1_only()
            // As curl and requests: headers that break the rules a little. One that says nothing certain,
            // such as a length that is no number, stays an error.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            // It would tell the next host the whole query of this one, tokens included.
            .referer(false)
            // A server may close a connection at any time, also just when it is asked by it again.
            .pool_max_idle_per_host(0)
    };
    let client = settings().tls_certs_merge(extra.clone()).build();
    if client.is_err() && (url.scheme() == "http" || !extra.is_empty()) {
        // A machine without CA certificates, such as a small container. Plain http needs none,
        // and the user's own may be enough.
        return settings().tls_certs_only(extra).build();
    }
    client
}

fn certificates(file: &Path) -> Result<Vec<Certificate>> {
    let shown = file.display();
    let text = File::open(file).and_then(|file| read_small(file, MOST_CERTIFICATES));
    let text = text.with_context(|| format!("cannot read CA file `{shown}`"))?;
    let certificates = Certificate::from_pem_bundle(&text).unwrap_or_default();
    anyhow::ensure!(
        !certificates.is_empty(),
        "CA file `{shown}` holds no certificate, expected PEM"
    );
    Ok(certificates)
}
