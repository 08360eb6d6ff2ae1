//! The main path: where from, where to, transfer, check, put into place.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use reqwest::header::HeaderMap;

use crate::cli::Wanted;
use crate::content::{HEAD, Packing, is_page_name};
use crate::keep::leftovers::Leftovers;
use crate::keep::record::{Record, request};
use crate::keep::{Partial, hash_of};
use crate::output::{self, Output, Place};
use crate::remote::Remote;
use crate::remote::headers;
use crate::remote::http::Http;
use crate::remote::local::Local;
use crate::remote::version::Version;
use crate::source::Source;
use crate::terminal::say;
use crate::transfer::{Download, Outcome, Wishes};
use crate::unpack::{Unpacked, Unpacking};

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
    if let Some(arrived) = fetched.transfer(source, headers, &mut partial)? {
        return fetched.place(partial, arrived.unpacked, request);
    }
    partial.discard_own();
    leftovers.settle();
    Ok(Fetched::Unchanged)
}

fn has_hash(output: &Output, expected: Option<&String>) -> bool {
    let is_hashed = |place: &Place| hash_of(place.target()).ok().as_ref() == expected;
    expected.is_some() && output.place().is_some_and(is_hashed)
}

/// All bytes are there, and are the expected ones.
struct Arrived {
    /// What becomes the output in place of the bytes that came.
    unpacked: Option<Unpacked>,
}

struct Fetching<'a> {
    wanted: &'a Wanted,
    output: &'a Output,
    known: Option<&'a Version>,
}

impl Fetching<'_> {
    /// Fills the partial file with bytes whose hash is the expected one, unless nothing is new.
    fn transfer(
        &self,
        source: Source,
        headers: HeaderMap,
        partial: &mut Partial,
    ) -> Result<Option<Arrived>> {
        let shown = source.to_string();
        let is_local = matches!(source, Source::Local(_));
        let remote = self.remote(source, headers, partial)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the network runtime")?;
        let download = Download {
            remote: &remote,
            runtime: &runtime,
            output: self.output,
            wishes: self.wishes(&shown, is_local),
        };
        loop {
            if download.run(partial)? == Outcome::Unchanged {
                return Ok(None);
            }
            // Only what is on the server has the hash, not what it made of that to send it.
            let encoding = download.encoding(partial.version());
            let decoded = match encoding.filter(|_| partial.length() > 0) {
                Some(encoding) => Some(self.decode(encoding, &download.wishes, partial)?),
                None => None,
            };
            let Some(difference) = self.difference(partial, decoded.as_ref()) else {
                return self.decompress(decoded, partial).map(Some);
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

    fn remote(&self, source: Source, headers: HeaderMap, partial: &Partial) -> Result<Remote> {
        let shown = source.to_string();
        let cannot_download = || format!("cannot download `{shown}`");
        let limits = self.wanted.limits;
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
                let http = Http::new(url, headers, self.wanted.ca_file.as_deref(), limits);
                Remote::Http(Box::new(http.with_context(cannot_download)?))
            }
            #[cfg(feature = "cloud")]
            Source::Cloud(url) => {
                let cloud = crate::remote::cloud::Cloud::new(&url, limits);
                Remote::Cloud(Box::new(cloud.with_context(cannot_download)?))
            }
        })
    }

    /// Unpacks what the server packed, and looks at that as it would have looked at the bytes themselves.
    fn decode(
        &self,
        encoding: Packing,
        wishes: &Wishes<'_>,
        partial: &mut Partial,
    ) -> Result<Unpacked> {
        let unpacking = self.unpacking(self.wanted.sha256.is_some());
        let decoded = partial.reader().and_then(|packed| {
            let decoded = unpacking.decode(packed, encoding, || partial.unpacked())?;
            let mut buffer = [0; HEAD];
            let length = decoded.file.read_at(&mut buffer, 0);
            let length = length.with_context(|| self.output.cannot_write())?;
            let checked = wishes.check(None, &buffer[..length]);
            checked.with_context(|| format!("cannot download `{}`", wishes.shown))?;
            Ok(decoded)
        });
        // What cannot be unpacked now cannot be the next time.
        decoded.inspect_err(|_| partial.discard())
    }

    /// Unpacks the file that is on the server, if that is wanted and it is packed.
    fn decompress(&self, decoded: Option<Unpacked>, partial: &mut Partial) -> Result<Arrived> {
        if !self.wanted.decompress {
            return Ok(Arrived { unpacked: decoded });
        }
        let packed = match &decoded {
            Some(decoded) => decoded.file.try_clone().map_err(Error::from),
            None => partial.reader(),
        };
        let unpacking = self.unpacking(false);
        let unpacked =
            packed.and_then(|packed| unpacking.decompress(packed, || partial.unpacked()));
        let unpacked = unpacked.inspect_err(|_| partial.discard())?;
        Ok(Arrived {
            unpacked: unpacked.or(decoded),
        })
    }

    fn unpacking(&self, hashing: bool) -> Unpacking<'_> {
        Unpacking {
            output: self.output,
            max_bytes: self.wanted.max_bytes,
            hashing,
        }
    }

    /// How the hash differs from the expected one.
    fn difference(&self, partial: &Partial, decoded: Option<&Unpacked>) -> Option<String> {
        let expected = self.wanted.sha256.as_ref()?;
        let decoded = decoded.and_then(|decoded| decoded.sha256.clone());
        let actual = decoded.or_else(|| partial.sha256())?;
        let differs = actual != *expected;
        differs.then(|| format!("has the SHA-256 {actual}, expected {expected}"))
    }

    fn place(
        &self,
        partial: Partial,
        unpacked: Option<Unpacked>,
        request: String,
    ) -> Result<Fetched> {
        let bytes = partial.length();
        let resumed_at = partial.continued();
        let version = partial.version().clone();
        partial.put_into_place(unpacked.as_ref().map(|unpacked| &unpacked.file))?;
        if let Some(place) = self.output.place().filter(|_| self.wanted.if_changed) {
            place.remember(Record {
                request,
                version,
                ..Record::default()
            })?;
        }
        Ok(Fetched::New {
            bytes,
            unpacked: unpacked.map(|unpacked| unpacked.length),
            resumed_at,
        })
    }

    fn wishes<'a>(&'a self, shown: &'a str, is_local: bool) -> Wishes<'a> {
        let path = shown.split(['?', '#']).next().unwrap_or_default();
        let names = [path.to_owned(), self.output.shown()];
        let is_page = names.iter().any(|name| is_page_name(name));
        Wishes {
            shown,
            known: self.known,
            max_bytes: self.wanted.max_bytes,
            // A local page is no error in disguise.
            allow_html: self.wanted.allow_html || is_page || is_local,
            names,
            retries: self.wanted.retries,
            retry_delay: self.wanted.retry_delay,
        }
    }
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
