//! The body of an answer.

use anyhow::Result;
use bytes::Bytes;
#[cfg(feature = "cloud")]
use futures_util::{StreamExt, stream::BoxStream};
use reqwest::Response;

use crate::limits::Limits;
use crate::remote::explain;

/// A body that is being received.
pub enum Body {
    Http(Response, Limits),
    #[cfg(feature = "cloud")]
    Cloud(BoxStream<'static, object_store::Result<Bytes>>),
}

impl Body {
    /// The next bytes; none at the end of a whole body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match self {
            Body::Http(response, limits) => {
                let chunk = response.chunk().await;
                chunk.map_err(|error| explain::explained(error, *limits))
            }
            #[cfg(feature = "cloud")]
            Body::Cloud(stream) => {
                let chunk = stream.next().await.transpose();
                chunk.map_err(explain::stored)
            }
        }
    }
}
