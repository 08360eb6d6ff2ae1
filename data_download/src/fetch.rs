//! The main path: where from, where to, transfer, check, put into place.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::header::HeaderMap;

use crate::cli::Wanted;
use crate::hash::hash_of;
use crate::keep::leftovers::Leftovers;
use crate::keep::record::request;
use crate::keep::{Partial, known};
use crate::output::{self, Output, Place};
use crate::remote::Remote;
use crate::remote::headers;
use crate::remote::http::Http;
use crate::remote::local::Local;
use crate::source::Source;
use crate::transfer::{Arrived, Transfer};

/// How it ended well.
pub enum Fetched {
    /// The file is still that of the last time.
    Unchanged,
    New {
        bytes: u64,
        /// The length of the file, if it was unpacked.
        unpacked: Option<u64>,
        /// Number of bytes that came from an earlier run.
        resumed_at: u64,
    },
}

/// Brings the file to the output.
pub fn fetch(wanted: &Wanted, leftovers: &Leftovers) -> Result<Fetched> {
    let headers = headers::given(&wanted.header, &wanted.header_from)?;
    let source = Source::parse(&wanted.data_url)?;
    let output = Output::new(&wanted.output)?;
    let expected = wanted.sha256.as_ref();
    if wanted.if_changed && !wanted.decompress && has_hash(&output, expected) {
        return Ok(Fetched::Unchanged);
    }

    let request = identity(&source, &headers, wanted);
    // Before any request: an output that cannot be written should not cost a transfer.
    if let Some(place) = output.place() {
        place.check_names(wanted.if_changed, wanted.decompress)?;
    }
    let mut partial = Partial::open(&output, &request, expected.is_some(), leftovers.clone())?;
    let compared = output.place().filter(|_| wanted.if_changed);
    let known = compared.and_then(|place| known::version(place, &request));

    let shown = source.to_string();
    let remote = open(source, headers, wanted, &partial)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    let transfer = Transfer {
        wanted,
        output: &output,
        remote: &remote,
        runtime: &runtime,
        shown: &shown,
        known: known.as_ref(),
    };
    let Some(Arrived { unpacked }) = transfer.run(&mut partial)? else {
        partial.leave();
        return Ok(Fetched::Unchanged);
    };

    let (bytes, resumed_at) = (partial.length(), partial.continued());
    let version = partial.version().clone();
    partial.put_into_place(unpacked.as_ref().map(|unpacked| &unpacked.file))?;
    if let Some(place) = compared {
        known::remember(place, &request, version)?;
    }
    Ok(Fetched::New {
        bytes,
        unpacked: unpacked.map(|unpacked| unpacked.length),
        resumed_at,
    })
}

fn has_hash(output: &Output, expected: Option<&String>) -> bool {
    let is_hashed = |place: &Place| hash_of(place.target()).ok().as_ref() == expected;
    expected.is_some() && output.place().is_some_and(is_hashed)
}

/// What tells one download to an output from another one.
fn identity(source: &Source, headers: &HeaderMap, wanted: &Wanted) -> String {
    let (decompress, sha256) = (wanted.decompress, wanted.sha256.as_deref());
    let how = format!("decompress {decompress} sha256 {}", sha256.unwrap_or("any"));
    request(&source.identity(), headers, &how)
}

/// Makes ready to ask for the file.
fn open(source: Source, headers: HeaderMap, wanted: &Wanted, partial: &Partial) -> Result<Remote> {
    let shown = source.to_string();
    let cannot_download = || format!("cannot download `{shown}`");
    Ok(match source {
        Source::Local(path) => {
            let local = Local::new(path)?;
            ensure!(
                !partial.is(local.metadata()),
                "`{shown}` is where the download itself is kept, expected another file"
            );
            Remote::Local(Box::new(local))
        }
        Source::Http(url) => {
            let http = Http::new(url, headers, wanted.ca_file.as_deref(), wanted.limits);
            Remote::Http(Box::new(http.with_context(cannot_download)?))
        }
        #[cfg(feature = "cloud")]
        Source::Cloud(url) => {
            let cloud = crate::remote::cloud::Cloud::new(&url, wanted.limits);
            Remote::Cloud(Box::new(cloud.with_context(cannot_download)?))
        }
    })
}

impl Fetched {
    /// Number of bytes downloaded.
    pub fn bytes(&self) -> u64 {
        match self {
            Fetched::Unchanged => 0,
            Fetched::New { bytes, .. } => *bytes,
        }
    }

    /// Tells it in one line.
    pub fn summary(&self, wanted: &Wanted, time: Duration) -> String {
        let output = output::shown(&wanted.output);
        match self {
            Fetched::Unchanged => format!("unchanged -> {output}"),
            Fetched::New {
                bytes,
                unpacked,
                resumed_at,
            } => {
                let unpacked = match unpacked {
                    Some(length) => format!(", {length} unpacked,"),
                    None => String::new(),
                };
                let resumed = match resumed_at {
                    0 => String::new(),
                    there => format!(", {there} of them from an earlier run"),
                };
                let seconds = time.as_secs_f64();
                format!("{bytes} bytes{unpacked} in {seconds:.2} s{resumed} -> {output}")
            }
        }
    }
}
