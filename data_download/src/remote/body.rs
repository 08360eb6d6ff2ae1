//! The body of an answer.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
#[cfg(feature = "cloud")]
use futures_util::{StreamExt, stream::BoxStream};
use reqwest::Response;

use crate::limits::Limits;
use crate::remote::explain;
use crate::remote::failure::Failure;

/// As many bytes of a local file as are read at once.
const BUFFER: u64 = 256 * 1024;

/// A body that is being received.
pub enum Body {
    Local(LocalBody),
    Http(Response, Limits),
    #[cfg(feature = "cloud")]
    Cloud(BoxStream<'static, object_store::Result<Bytes>>),
}

/// The bytes of a local file.
pub struct LocalBody {
    pub file: File,
    /// How many are to come, if that is known: those that were there when it was opened.
    pub left: Option<u64>,
    /// What an error begins with.
    pub cannot_read: String,
}

impl Body {
    /// The next bytes; none at the end of a whole body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Body::Local(body) => body.chunk().map_err(Failure::Final),
            Body::Http(response, limits) => {
                let chunk = response.chunk().await;
                chunk.map_err(|error| Failure::passing(explain::explained(error, *limits)))
            }
            #[cfg(feature = "cloud")]
            Body::Cloud(stream) => {
                let chunk = stream.next().await.transpose();
                chunk.map_err(|error| Failure::passing(explain::stored(error)))
            }
        }
    }
}

impl LocalBody {
    fn chunk(&mut self) -> Result<Option<Bytes>> {
        let most = self.left.map_or(BUFFER, |left| left.min(BUFFER));
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(most).read_to_end(&mut bytes);
        let count = read.with_context(|| self.cannot_read.clone())? as u64;
        if let Some(left) = &mut self.left {
            ensure!(
                count == most,
                "{}: it became shorter meanwhile",
                self.cannot_read
            );
            *left -= count;
        }
        Ok((count > 0).then(|| bytes.into()))
    }
}
