//! A file on a server, of whatever kind.

pub mod ask;
pub mod body;
pub mod client;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod cookies;
pub mod explain;
pub mod headers;
pub mod http;
pub mod netrc;
pub mod proxies;
pub mod reason;
pub mod redirect;
pub mod tls;
pub mod version;

use crate::remote::ask::{Answer, Ask, Failure};
#[cfg(feature = "cloud")]
use crate::remote::cloud::Cloud;
use crate::remote::http::Http;

/// A file on a server.
pub enum Remote {
    Http(Box<Http>),
    #[cfg(feature = "cloud")]
    Cloud(Box<Cloud>),
}

impl Remote {
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        match self {
            Remote::Http(http) => http.ask(ask).await,
            #[cfg(feature = "cloud")]
            Remote::Cloud(cloud) => cloud.ask(ask).await,
        }
    }
}
