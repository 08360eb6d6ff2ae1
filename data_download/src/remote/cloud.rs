//! A file in an object store: s3, gs and az URLs.
//!
//! Where the store is and who asks is said by the environment variables that the stores' own
//! tools use: `AWS_*`, `GOOGLE_*` and `AZURE_*`.

use std::sync::Arc;

use anyhow::{Result, bail};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{Attribute, ClientOptions, GetOptions, GetRange, ObjectStore, RetryConfig};
use reqwest::Url;

use crate::content::Packing;
use crate::limits::Limits;
use crate::remote::ask::{Answer, Ask, Incoming};
use crate::remote::body::Body;
use crate::remote::explain::stored;
use crate::remote::failure::Failure;
use crate::remote::tls::set_tls_provider;
use crate::remote::version::Version;

/// A file in an object store.
pub struct Cloud {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl Cloud {
    /// Prepares requests for `url`.
    pub fn new(url: &Url, limits: Limits) -> Result<Cloud> {
        set_tls_provider();
        Ok(Cloud {
            store: store(url, limits)?,
            path: Path::from_url_path(url.path())?,
        })
    }

    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let etag = |version: &Version| version.etag.clone();
        let options = GetOptions {
            range: ask
                .resume
                .as_ref()
                .map(|resume| GetRange::Offset(resume.offset)),
            if_match: ask.resume.as_ref().and_then(|resume| etag(resume.version)),
            if_none_match: ask.unless.and_then(etag),
            ..GetOptions::default()
        };
        let found = match self.store.get_opts(&self.path, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotModified { .. }) => return Ok(Answer::Unchanged),
            Err(object_store::Error::Precondition { .. }) if ask.resume.is_some() => {
                return Err(Failure::StartOver(None));
            }
            Err(error) if is_passing(&error) => return Err(Failure::passing(stored(error))),
            Err(error) => return Err(Failure::Final(stored(error))),
        };
        let encoding = found.attributes.get(&Attribute::ContentEncoding);
        let encoding = encoding.map_or("", AsRef::as_ref);
        let encoding = Packing::of_encoding(encoding).map_err(Failure::Final)?;
        let version = Version {
            validator: found.meta.e_tag.clone(),
            etag: found.meta.e_tag.clone(),
            last_modified: None,
            length: Some(found.meta.size),
            encoding,
        };
        let start = found.range.start;
        if let Some(resume) = &ask.resume
            && (start != resume.offset || !version.agrees_with(resume.version))
        {
            return Err(Failure::StartOver(None));
        }
        Ok(Answer::Bytes(Box::new(Incoming {
            start,
            version,
            content_type: None,
            body: Body::Cloud(found.into_stream()),
        })))
    }
}

fn store(url: &Url, limits: Limits) -> Result<Arc<dyn ObjectStore>> {
    // The attempts are counted by the caller.
    let retry = RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    };
    // Without TLS only where the user allows it, such as for a store on this machine.
    let options = |variable| {
        let plain = std::env::var(variable);
        ClientOptions::default()
            .with_connect_timeout(limits.connect)
            .with_read_timeout(limits.idle)
            .with_timeout_disabled()
            .with_allow_http(plain.is_ok_and(|value| value.eq_ignore_ascii_case("true")))
    };
    Ok(match url.scheme() {
        "s3" => Arc::new(
            AmazonS3Builder::from_env()
                .with_url(url.as_str())
                .with_client_options(options("AWS_ALLOW_HTTP"))
                .with_retry(retry)
                .build()?,
        ),
        "gs" => Arc::new(
            GoogleCloudStorageBuilder::from_env()
                .with_url(url.as_str())
                .with_client_options(options("GOOGLE_ALLOW_HTTP"))
                .with_retry(retry)
                .build()?,
        ),
        "az" => Arc::new(
            MicrosoftAzureBuilder::from_env()
                .with_url(url.as_str())
                .with_client_options(options("AZURE_ALLOW_HTTP"))
                .with_retry(retry)
                .build()?,
        ),
        scheme => bail!("no object store has URLs of scheme `{scheme}`"),
    })
}

fn is_passing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Generic { .. })
}
