//! The main path: where from, where to, transfer, check, put into place.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::HeaderMap;

use crate::cli::Wanted;
use crate::decompress::{Packing, unpack};
use crate::download::{Download, Outcome, Wishes};
use crate::headers;
use crate::html::is_page_name;
use crate::http::Http;
use crate::leftovers::Leftovers;
use crate::local;
use crate::output::{self, Output, Place};
use crate::partial::{Partial, hash_of};
use crate::record::{Record, request};
use crate::remote::Remote;
use crate::source::Source;
use crate::terminal::say;
use crate::version::Version;

/// How it ended well.
pub(crate) enum Fetched {
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
pub(crate) fn fetch(wanted: &Wanted, leftovers: &Leftovers) -> Result<Fetched> {
    let headers = headers::given(&wanted.header, &wanted.header_from)?;
    let source = Source::parse(&wanted.data_url)?;
    let output = Output::new(&wanted.output)?;
    let expected = wanted.sha256.as_ref();
    if wanted.if_changed && !wanted.decompress && has_hash(&output, expected) {
        return Ok(Fetched::Unchanged);
    }

    let how = format!("{} {expected:?}", wanted.decompress);
    let request = request(&source.identity(), &headers, &how);
    // Before any request: an output that cannot be written should not cost a transfer.
    if let Some(place) = output.place() {
        place.check_names(wanted.if_changed, wanted.decompress)?;
    }
    let mut partial = Partial::open(&output, &request, expected.is_some(), leftovers.clone())?;
    let known = output.place().filter(|_| wanted.if_changed);
    let known = known.and_then(|place| Some(place.known(&request)?.version));
    let fetched = Fetching {
        wanted,
        output: &output,
        known: known.as_ref(),
    };
    match fetched.transfer(source, headers, &mut partial)? {
        Outcome::Complete => fetched.place(partial, request),
        Outcome::Unchanged => {
            partial.discard_own();
            leftovers.settle();
            Ok(Fetched::Unchanged)
        }
    }
}

fn has_hash(output: &Output, expected: Option<&String>) -> bool {
    let is_hashed = |place: &Place| hash_of(place.target()).ok().as_ref() == expected;
    expected.is_some() && output.place().is_some_and(is_hashed)
}

struct Fetching<'a> {
    wanted: &'a Wanted,
    output: &'a Output,
    known: Option<&'a Version>,
}

impl Fetching<'_> {
    /// Fills the partial file with bytes whose hash is the expected one.
    fn transfer(
        &self,
        source: Source,
        headers: HeaderMap,
        partial: &mut Partial,
    ) -> Result<Outcome> {
        let shown = source.to_string();
        let remote = match source {
            Source::Local(path) => return self.copy(&path, partial),
            Source::Http(url) => {
                let ca_file = self.wanted.ca_file.as_deref();
                let http = Http::new(url, headers, ca_file, self.wanted.limits);
                let http = http.with_context(|| format!("cannot download `{shown}`"))?;
                Remote::Http(Box::new(http))
            }
            #[cfg(feature = "cloud")]
            Source::Cloud(url) => {
                let cloud = crate::cloud::Cloud::new(&url, self.wanted.limits);
                let cloud = cloud.with_context(|| format!("cannot download `{shown}`"))?;
                Remote::Cloud(Box::new(cloud))
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the network runtime")?;
        let download = Download {
            remote: &remote,
            runtime: &runtime,
            output: self.output,
            wishes: self.wishes(&shown),
        };
        loop {
            let outcome = download.run(partial)?;
            if outcome == Outcome::Unchanged {
                return Ok(outcome);
            }
            let Some(difference) = self.difference(partial) else {
                return Ok(outcome);
            };
            if partial.continued() == 0 {
                partial.discard();
                bail!("`{shown}` {difference}");
            }
            // Somebody may have changed the partial file between the runs.
            say(&format!(
                "data_download: the file {difference}; starting over"
            ));
            partial.start(Version::default())?;
        }
    }

    fn copy(&self, path: &Path, partial: &mut Partial) -> Result<Outcome> {
        let (file, version) = local::open(path)?;
        if version.etag.is_some() && self.known == Some(&version) {
            return Ok(Outcome::Unchanged);
        }
        local::copy((path, file), self.output, partial, self.wanted.max_bytes)?;
        match self.difference(partial) {
            Some(difference) => bail!("`{}` {difference}", path.display()),
            None => Ok(Outcome::Complete),
        }
    }

    /// How the hash differs from the expected one.
    fn difference(&self, partial: &Partial) -> Option<String> {
        let expected = self.wanted.sha256.as_ref()?;
        let actual = partial.sha256()?;
        let differs = actual != *expected;
        differs.then(|| format!("has the SHA-256 {actual}, expected {expected}"))
    }

    fn place(&self, mut partial: Partial, request: String) -> Result<Fetched> {
        let bytes = partial.length();
        let resumed_at = partial.continued();
        let version = partial.version().clone();
        let unpacked = if self.wanted.decompress {
            self.unpack(&mut partial)?
        } else {
            None
        };
        partial.put_into_place(unpacked.as_ref().map(|(file, _)| file))?;
        if let Some(place) = self.output.place().filter(|_| self.wanted.if_changed) {
            place.remember(Record {
                request,
                version,
                ..Record::default()
            })?;
        }
        Ok(Fetched::New {
            bytes,
            unpacked: unpacked.map(|(_, length)| length),
            resumed_at,
        })
    }

    fn unpack(&self, partial: &mut Partial) -> Result<Option<(std::fs::File, u64)>> {
        let mut buffer = [0; 4];
        let head = partial.head(&mut buffer);
        let head = head.with_context(|| self.output.cannot_write())?;
        let Some(packing) = Packing::of(head) else {
            return Ok(None);
        };
        let mut file = partial.unpacked()?;
        let packed = partial.reader();
        let packed = packed.with_context(|| self.output.cannot_write())?;
        let unpacked = unpack(
            &packing,
            (packed, &mut file),
            self.output,
            self.wanted.max_bytes,
        );
        if unpacked.is_err() {
            // What cannot be unpacked now cannot be the next time.
            partial.discard();
        }
        Ok(Some((file, unpacked?)))
    }

    fn wishes<'a>(&'a self, shown: &'a str) -> Wishes<'a> {
        let path = shown.split(['?', '#']).next().unwrap_or_default();
        let is_page = is_page_name(path) || is_page_name(&self.output.shown());
        Wishes {
            shown,
            known: self.known,
            max_bytes: self.wanted.max_bytes,
            allow_html: self.wanted.allow_html || is_page,
            retries: self.wanted.retries,
            retry_delay: self.wanted.retry_delay,
        }
    }
}

impl Fetched {
    /// Number of bytes downloaded.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Fetched::Unchanged => 0,
            Fetched::New { bytes, .. } => *bytes,
        }
    }

    /// Tells it in one line.
    pub(crate) fn summary(&self, wanted: &Wanted, time: Duration) -> String {
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
