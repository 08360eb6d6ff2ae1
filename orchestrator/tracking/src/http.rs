//! One request to a tracking server, and another one when it fails, by the variables of MLflow's own
//! client. To whom our credentials go is decided here.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client, Response};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, Url};
use serde_json::Value;

use super::TrackingError;
use super::answer::{Failure, checked, failed, json};
use super::client::client;
use super::settings::{number, switch, variable};
use super::stored::StoreError;
use super::waiting::{Hurry, Notice, Patience};
use process::redact::without_credentials;

/// The limit for [`Patience::Full`] of a user who asks for many tries or long ones.
const ASKED_FOR: Duration = Duration::from_mins(10);
/// The pauses grow to this, as urllib3's do.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// No server makes us pause for longer.
const LONGEST_ASKED_PAUSE: Duration = Duration::from_secs(10);
/// How long a server is looked for that does not take connections, when no variable says otherwise:
/// MLflow's client would take four minutes to tell of a wrong address.
const CONNECTING: Duration = Duration::from_secs(5);
/// So often one request is sent on, as by curl and browsers at most some more times.
const MAX_REDIRECTS: usize = 10;

#[derive(Debug)]
pub(crate) struct Http {
    /// For the server of the user's address.
    named: Client,
    /// For every other.
    others: OnceLock<Client>,
    base: Url,
    retries: Retries,
    timeout: Duration,
    hurry: Hurry,
}

#[derive(Debug)]
struct Retries {
    count: u32,
    /// Whether a variable says so.
    is_asked_for: bool,
    factor: f64,
    /// The most seconds by chance that a pause is longer.
    jitter: f64,
    respects_server: bool,
    /// The limit for [`Patience::Full`].
    full: Duration,
}

/// One of the tries of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Try {
    /// How many there were before.
    pub before: u32,
    /// How long the answer is waited for.
    pub timeout: Duration,
}

impl Http {
    /// A client for the server at `url`, which may hold a user and password.
    pub(crate) fn new(url: &str, hurry: &Hurry) -> Result<Http, TrackingError> {
        let address = |_| TrackingError::Address(without_credentials(url));
        let base = Url::parse(url).map_err(address)?;
        for name in ["MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4"] {
            let is_set = variable(name)
                .is_some_and(|value| !["false", "0"].contains(&value.to_lowercase().as_str()));
            if is_set {
                return Err(TrackingError::Unsupported(name));
            }
        }
        let timeout = Duration::from_secs_f64(
            number("MLFLOW_HTTP_REQUEST_TIMEOUT", 120.0)?.clamp(0.001, 1e6),
        );
        Ok(Http {
            named: client(true)?,
            others: OnceLock::new(),
            base,
            retries: Retries::new()?,
            timeout,
            hurry: hurry.clone(),
        })
    }

    /// Asks for `path` below the server's address with these query parameters.
    pub(crate) fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Response, Failure> {
        let mut url = self.url(None, path)?;
        url.query_pairs_mut().extend_pairs(query);
        self.ask(&Method::GET, url, timeout, || Ok(None))
    }

    /// Posts JSON.
    pub(crate) fn post(
        &self,
        path: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<Value, Failure> {
        let url = self.url(None, path)?;
        let body = || Ok(Some(("application/json", Body::from(body.to_string()))));
        json(self.ask(&Method::POST, url, timeout, body)?)
    }

    /// Puts a file to a path, on another host if one is named; `open` opens it.
    pub(crate) fn put(
        &self,
        authority: Option<&str>,
        path: &str,
        open: impl Fn() -> std::io::Result<File>,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let refused = |error: std::io::Error| {
            Failure::lasting(StoreError::Refused(format!(
                "the log cannot be read: {error}"
            )))
        };
        let size = open()
            .and_then(|file| file.metadata())
            .map_err(refused)?
            .len();
        // The variable is for one answer; a large file takes longer to send, at 100 kB/s at least.
        let timeout = timeout + Duration::from_secs(size / 100_000);
        self.ask(&Method::PUT, self.url(authority, path)?, timeout, || {
            // What is written to it meanwhile is not sent: the size is told before.
            let body = Body::sized(open().map_err(refused)?.take(size), size);
            Ok(Some(("text/plain", body)))
        })
        .map(drop)
    }

    /// Sends a request, and sends it on where the server says so, with its method and body. What
    /// proves who the user is goes to the authority that the user has named and to no other.
    fn ask(
        &self,
        method: &Method,
        mut url: Url,
        timeout: Duration,
        body: impl Fn() -> Result<Option<(&'static str, Body)>, Failure>,
    ) -> Result<Response, Failure> {
        for _ in 0..=MAX_REDIRECTS {
            let client = self.client_for(&mut url)?;
            let mut request = client.request(method.clone(), url.clone()).timeout(timeout);
            if let Some((kind, body)) = body()? {
                request = request.header(CONTENT_TYPE, kind).body(body);
            }
            let response = request.send().map_err(failed)?;
            let Some(next) = next(&url, &response) else {
                return checked(response);
            };
            let keeps_method = [307, 308].contains(&response.status().as_u16());
            let is_downgrade = url.scheme() == "https" && next.scheme() != "https";
            if is_downgrade || !(keeps_method || *method == Method::GET) {
                let next = without_credentials(next.as_str());
                return Err(Failure::unavailable(format!(
                    "the server sends us on to {next}; if that is right, name its address with --tracking-uri"
                )));
            }
            url = next;
        }
        Err(Failure::unavailable(
            "the server sends us around in circles".to_owned(),
        ))
    }

    /// The client for a URL, into which the user and password go that the user's address has.
    fn client_for(&self, url: &mut Url) -> Result<&Client, Failure> {
        if url.origin() == self.base.origin() {
            // They are as valid as those in the address itself.
            url.set_username(self.base.username()).ok();
            url.set_password(self.base.password()).ok();
            return Ok(&self.named);
        }
        if let Some(client) = self.others.get() {
            return Ok(client);
        }
        let made = client(false)
            .map_err(|error| Failure::lasting(StoreError::Refused(error.to_string())))?;
        Ok(self.others.get_or_init(|| made))
    }

    /// A path given in its parts' plain text, below the server's address or another host's root.
    fn url(&self, authority: Option<&str>, path: &str) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        if let Some(authority) = authority {
            let other = Url::parse(&format!("{}://{authority}", url.scheme()));
            let wrong = |_| {
                Failure::lasting(StoreError::Refused(format!(
                    "`{authority}` is no host for artifacts"
                )))
            };
            url = other.map_err(wrong)?;
            // Only the user gives credentials, by the address.
            url.set_username("").ok();
            url.set_password(None).ok();
        }
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        Ok(url)
    }

    /// Tries until it succeeds, will not, or patience ends. After two seconds is told who is waited for.
    pub(crate) fn retry<T>(
        &self,
        patience: Patience,
        mut attempt: impl FnMut(Try) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let _notice = Notice::new(without_credentials(self.base.as_str()).trim_end_matches('/'));
        let limit = match patience {
            Patience::Full => self.retries.full,
            patience => patience.limit(),
        };
        for before in 0.. {
            let left = limit.saturating_sub(start.elapsed());
            let timeout = left.min(self.timeout).max(Duration::from_millis(1));
            let failure = match attempt(Try { before, timeout }) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let limit = match patience {
                Patience::Full if failure.is_connect && !self.retries.is_asked_for => CONNECTING,
                _ => limit,
            };
            let pause = failure.pause.filter(|_| self.retries.respects_server);
            let pause = pause.map_or_else(
                || self.retries.pause(before),
                |pause| pause.min(LONGEST_ASKED_PAUSE),
            );
            let is_over = before >= self.retries.count || start.elapsed() + pause > limit;
            if is_over || patience == Patience::Once || !failure.may_pass || self.hurry.is_set() {
                return Err(failure.error);
            }
            self.hurry.sleep(pause);
        }
        unreachable!("the loop above returns")
    }
}

impl Retries {
    fn new() -> Result<Retries, TrackingError> {
        let count = number("MLFLOW_HTTP_REQUEST_MAX_RETRIES", 7.0)?.min(10.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 10"
        )]
        let count = count as u32;
        let is_asked_for = variable("MLFLOW_HTTP_REQUEST_MAX_RETRIES").is_some();
        let is_long = is_asked_for || variable("MLFLOW_HTTP_REQUEST_TIMEOUT").is_some();
        Ok(Retries {
            count,
            is_asked_for,
            factor: number("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", 2.0)?,
            jitter: number("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", 1.0)?,
            respects_server: variable("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER").is_none()
                || switch("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER")?,
            full: if is_long {
                ASKED_FOR
            } else {
                Patience::Full.limit()
            },
        })
    }

    /// urllib3's pauses: none at first, then the factor doubled with each try, and some more by
    /// chance, so that many clients of a server that broke do not come back all at once.
    fn pause(&self, before: u32) -> Duration {
        if before == 0 {
            return Duration::ZERO;
        }
        let seconds = self.factor * f64::from(1_u32 << before.min(16)) + self.jitter * chance();
        Duration::try_from_secs_f64(seconds).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    // Each of these states has random keys of its own.
    let [first, second, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    f64::from(u16::from_ne_bytes([first, second])) / f64::from(u16::MAX)
}

/// Where a response sends us on to.
fn next(url: &Url, response: &Response) -> Option<Url> {
    if ![301, 302, 303, 307, 308].contains(&response.status().as_u16()) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let next = url.join(location).ok()?;
    ["http", "https"].contains(&next.scheme()).then_some(next)
}
