//! A file somewhere else: on a server, in a store, in another folder.

pub mod ask;
pub mod body;
pub mod client;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod cookies;
pub mod explain;
pub mod failure;
pub mod headers;
pub mod http;
pub mod local;
pub mod netrc;
pub mod proxies;
pub mod reason;
pub mod redirect;
pub mod tls;
pub mod version;

use crate::remote::ask::{Answer, Ask};
#[cfg(feature = "cloud")]
use crate::remote::cloud::Cloud;
use crate::remote::failure::Failure;
use crate::remote::http::Http;
use crate::remote::local::Local;

/// A file somewhere.
pub enum Remote {
    Local(Box<Local>),
    Http(Box<Http>),
    #[cfg(feature = "cloud")]
    Cloud(Box<Cloud>),
}

impl Remote {
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        match self {
            Remote::Local(local) => local.ask(ask),
            Remote::Http(http) => http.ask(ask).await,
            #[cfg(feature = "cloud")]
            Remote::Cloud(cloud) => cloud.ask(ask).await,
        }
    }
}
