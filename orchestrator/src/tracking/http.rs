//! One request to a tracking server, and another one when it fails: authentication, TLS and retries
//! by the variables of MLflow's own client. Errors of a server are told apart here.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Identity, Method, Url};
use serde_json::Value;

use super::TrackingError;
use super::settings::{number, switch, variable};
use super::store::StoreError;
use super::tls;

/// How long a request may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as the variables say: nothing has run yet.
    Full,
    /// Some seconds: a step waits.
    Short,
    /// One try: the server has just failed.
    Once,
}

/// The limit for [`Patience::Short`].
const SHORT: Duration = Duration::from_secs(10);
/// The pauses grow to this, as urllib3's do.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// How long a server is looked for that does not take connections, when no variable says otherwise:
/// MLflow's client would take four minutes to tell of a wrong address.
const CONNECTING: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
    retries: Retries,
    timeout: Duration,
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
}

/// Why one try failed.
pub(super) struct Failure {
    error: StoreError,
    /// Whether another try may succeed.
    may_pass: bool,
    /// After how long the server asks for it.
    pause: Option<Duration>,
    is_connect: bool,
}

impl Http {
    /// A client for the server at `url`, which may hold a user and password.
    pub(super) fn new(url: &str) -> Result<Http, TrackingError> {
        let address = |_| TrackingError::Address(crate::redact::without_credentials(url));
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
        let count = number("MLFLOW_HTTP_REQUEST_MAX_RETRIES", 7.0)?.min(10.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 10"
        )]
        let count = count as u32;
        Ok(Http {
            client: client(timeout)?,
            base,
            retries: Retries {
                count,
                is_asked_for: variable("MLFLOW_HTTP_REQUEST_MAX_RETRIES").is_some(),
                factor: number("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", 2.0)?,
                jitter: number("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", 1.0)?,
                respects_server: variable("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER").is_none()
                    || switch("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER")?,
            },
            timeout,
        })
    }

    /// Asks for `path` below the server's address with these query parameters.
    pub(super) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, Failure> {
        let mut url = self.url(None, path);
        url.query_pairs_mut().extend_pairs(query);
        send(self.client.get(url))
    }

    /// Posts JSON.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self
            .client
            .post(self.url(None, path))
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        json(send(request)?)
    }

    /// Puts a file to a path, on another host if one is named.
    pub(super) fn put(
        &self,
        authority: Option<&str>,
        path: &str,
        file: &Path,
    ) -> Result<(), Failure> {
        let refused = |error: std::io::Error| {
            Failure::lasting(StoreError::Refused(format!("{}: {error}", file.display())))
        };
        let open = std::fs::File::open(file).map_err(refused)?;
        let size = open.metadata().map_err(refused)?.len();
        // The variable is for one answer; a large file takes longer to send, at 100 kB/s at least.
        let timeout = self.timeout + Duration::from_secs(size / 100_000);
        let request = self
            .client
            .request(Method::PUT, self.url(authority, path))
            .header(CONTENT_TYPE, "text/plain")
            .timeout(timeout)
            .body(Body::sized(open, size));
        send(request)
            .map(drop)
            .map_err(|failure| match failure.error {
                // Others of a run's records may be welcome.
                StoreError::Unavailable(message) if !failure.may_pass => {
                    let message = format!("{message}; the log stays at {}", file.display());
                    Failure::lasting(StoreError::Refused(message))
                }
                _ => failure,
            })
    }

    /// A path given in its parts' plain text, below the server's address or another host's root.
    fn url(&self, authority: Option<&str>, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Some(authority) = authority {
            let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
            // What is no host leads nowhere; the request then says so.
            url.set_host(Some(host)).ok();
            url.set_port(port.parse().ok()).ok();
            url.set_path("");
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }

    /// Tries until it succeeds, will not, or patience ends. The number of the try is handed on.
    pub(super) fn retry<T>(
        &self,
        patience: Patience,
        mut attempt: impl FnMut(u32) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        for count in 0.. {
            let failure = match attempt(count) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let limit = match patience {
                Patience::Once => None,
                Patience::Short => Some(SHORT),
                Patience::Full if failure.is_connect && !self.retries.is_asked_for => {
                    Some(CONNECTING)
                }
                Patience::Full => Some(Duration::MAX),
            };
            let Some(limit) = limit.filter(|_| failure.may_pass) else {
                return Err(failure.error);
            };
            let pause = failure
                .pause
                .filter(|_| self.retries.respects_server)
                .unwrap_or_else(|| self.pause(count));
            if count >= self.retries.count || start.elapsed().saturating_add(pause) > limit {
                return Err(failure.error);
            }
            sleep(pause);
        }
        unreachable!("the loop above returns")
    }

    /// urllib3's pauses: none at first, then the factor doubled with each try, and some more by
    /// chance, so that many clients of a server that broke do not come back all at once.
    fn pause(&self, count: u32) -> Duration {
        if count == 0 {
            return Duration::ZERO;
        }
        let Retries { factor, jitter, .. } = self.retries;
        let seconds = factor * f64::from(1_u32 << count.min(16)) + jitter * chance();
        Duration::try_from_secs_f64(seconds).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
    }
}

impl Failure {
    pub(super) fn lasting(error: StoreError) -> Failure {
        Failure {
            error,
            may_pass: false,
            pause: None,
            is_connect: false,
        }
    }

    /// The server's word for what is wrong, such as `RESOURCE_DOES_NOT_EXIST`.
    pub(super) fn is(&self, code: &str) -> bool {
        matches!(&self.error, StoreError::Refused(message) if message.starts_with(code))
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    // Each of these states has random keys of its own.
    let [first, second, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    f64::from(u16::from_ne_bytes([first, second])) / f64::from(u16::MAX)
}

fn client(timeout: Duration) -> Result<Client, TrackingError> {
    crate::download::install_crypto();
    let failed = |error: reqwest::Error| TrackingError::Client(error.to_string());
    let mut builder = Client::builder()
        .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers()?)
        .connect_timeout(Duration::from_secs(10).min(timeout))
        .timeout(timeout);
    let is_insecure = switch("MLFLOW_TRACKING_INSECURE_TLS")?;
    if is_insecure && variable("MLFLOW_TRACKING_SERVER_CERT_PATH").is_some() {
        return Err(TrackingError::InsecureAndCertificate);
    }
    if is_insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    let read_named = |name: &'static str| {
        variable(name)
            .map(|path| Ok((path.clone(), read(name, &path)?)))
            .transpose()
    };
    let identity = read_named("MLFLOW_TRACKING_CLIENT_CERT_PATH")?;
    if let Some((path, trusted)) = read_named("MLFLOW_TRACKING_SERVER_CERT_PATH")? {
        let identity = identity.as_ref().map(|(_, pem)| &pem[..]);
        let config = tls::config(&trusted, identity);
        let config = config.map_err(|error| TrackingError::Client(format!("{path}: {error}")))?;
        builder = builder.tls_backend_preconfigured(config);
    } else if let Some((_, pem)) = identity {
        builder = builder.identity(Identity::from_pem(&pem).map_err(failed)?);
    }
    builder.build().map_err(failed)
}

fn read(name: &'static str, path: &str) -> Result<Vec<u8>, TrackingError> {
    std::fs::read(path).map_err(|source| TrackingError::Certificate {
        name,
        path: path.to_owned(),
        source,
    })
}

/// Basic authentication comes before a token, as in MLflow's client.
fn headers() -> Result<HeaderMap, TrackingError> {
    let mut headers = HeaderMap::new();
    let mut add = |name, text: String, variable| {
        let mut value = HeaderValue::try_from(text).map_err(|_| TrackingError::Variable {
            name: variable,
            expected: "a text for an HTTP header",
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    };
    let file = credentials_file();
    let credential = |name: &str| variable(name).or_else(|| ini_value(&file, &name.to_lowercase()));
    let user = credential("MLFLOW_TRACKING_USERNAME");
    let password = credential("MLFLOW_TRACKING_PASSWORD");
    if let (Some(user), Some(password)) = (user, password) {
        let basic = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        add(AUTHORIZATION, basic, "MLFLOW_TRACKING_USERNAME")?;
    } else if let Some(token) = variable("MLFLOW_TRACKING_TOKEN") {
        add(
            AUTHORIZATION,
            format!("Bearer {token}"),
            "MLFLOW_TRACKING_TOKEN",
        )?;
    }
    if let Some(workspace) = variable("MLFLOW_WORKSPACE") {
        add(
            HeaderName::from_static("x-mlflow-workspace"),
            workspace,
            "MLFLOW_WORKSPACE",
        )?;
    }
    Ok(headers)
}

/// `~/.mlflow/credentials`, empty when there is none.
fn credentials_file() -> String {
    let home = std::env::home_dir().unwrap_or_default();
    std::fs::read_to_string(home.join(".mlflow/credentials")).unwrap_or_default()
}

/// The value of a key in the section `[mlflow]`.
fn ini_value(text: &str, key: &str) -> Option<String> {
    let section = text
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[mlflow]")
        .skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with(['#', ';']))
        .filter_map(|line| line.split_once(['=', ':']))
        .find(|(name, _)| name.trim().to_lowercase() == key)
        .map(|(_, value)| value.trim().to_owned())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_usize, |group, byte| group << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = DIGITS[group >> (18 - 6 * position) & 63];
            text.push(if position <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

fn send(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().map_err(|error| Failure {
        is_connect: error.is_connect(),
        may_pass: !error.is_builder(),
        pause: None,
        error: StoreError::Unavailable(told(&error.without_url())),
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let pause = response.headers().get(RETRY_AFTER);
    let pause = pause.and_then(|value| value.to_str().ok()?.parse().ok());
    let answer = response.text().unwrap_or_default();
    let message = message(&answer).unwrap_or_else(|| format!("the server answered {status}"));
    // The codes that MLflow's client tries again.
    let passes = [408, 429, 500, 502, 503, 504].contains(&status.as_u16());
    // A password that has been changed meanwhile may be put right; what was recorded should wait for it.
    let may_be_mended = passes || [401, 403].contains(&status.as_u16());
    Err(Failure {
        error: if may_be_mended {
            StoreError::Unavailable(message)
        } else {
            StoreError::Refused(message)
        },
        may_pass: passes,
        pause: pause.map(Duration::from_secs),
        is_connect: false,
    })
}

/// `ERROR_CODE: message` of MLflow's error answer, its first 500 characters.
fn message(answer: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let code = answer.get("error_code")?.as_str()?;
    let message = answer
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Some(format!("{code}: {message}").chars().take(500).collect())
}

/// The whole chain of causes: reqwest's own text ends before the reason.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

pub(super) fn json(response: Response) -> Result<Value, Failure> {
    let no_json = |error: String| {
        Failure::lasting(StoreError::Refused(format!(
            "the server's answer is not MLflow's: {error}"
        )))
    };
    let text = response
        .text()
        .map_err(|error| no_json(told(&error.without_url())))?;
    serde_json::from_str(&text).map_err(|error| no_json(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{fc}?>", "w7w/Pg=="),
        ];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn credentials_are_in_the_section_of_mlflow() {
        let file = "[other]\nmlflow_tracking_username = no\n[mlflow]\n# user\nMLflow_Tracking_Username = me\nmlflow_tracking_password=a=b \n";
        assert_eq!(
            ini_value(file, "mlflow_tracking_username").as_deref(),
            Some("me")
        );
        assert_eq!(
            ini_value(file, "mlflow_tracking_password").as_deref(),
            Some("a=b")
        );
        assert_eq!(ini_value("", "mlflow_tracking_username"), None);
    }
}
