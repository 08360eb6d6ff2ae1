//! A file behind an http(s) URL.
//!
//! A body that ends early is an error: hyper knows the announced length and the end mark of a
//! chunked body. The bytes are kept as they were sent, never decompressed.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, Url};

use crate::limits::Limits;
use crate::remote::ask::{Answer, Ask, Incoming};
use crate::remote::body::Body;
use crate::remote::cookies::Cookies;
use crate::remote::explain::{explained, is_final};
use crate::remote::failure::Failure;
use crate::remote::headers::{Logins, secrets as secrets_of};
use crate::remote::redirect::Way;
use crate::remote::version::{Version, content_range, encoding, text};
use crate::remote::{client, reason};
use crate::retry::retry_after;
use crate::source::{redacted, secrets as secrets_of_url};

/// For the text of an error, which is of little use.
const REASON_TIMEOUT: Duration = Duration::from_secs(2);

/// A file behind an http(s) URL.
pub struct Http {
    url: Url,
    client: Client,
    headers: HeaderMap,
    logins: Logins,
    cookies: Mutex<Cookies>,
    limits: Limits,
}

impl Http {
    /// Prepares requests for `url` with the user's `headers`, which trust the certificates of
    /// `ca_file` besides those of the system.
    pub fn new(
        url: Url,
        headers: HeaderMap,
        ca_file: Option<&Path>,
        limits: Limits,
    ) -> Result<Http> {
        let client = client::new(&url, ca_file, limits)?;
        Ok(Http {
            url,
            client,
            headers,
            logins: Logins::load(),
            cookies: Mutex::default(),
            limits,
        })
    }

    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let response = self.follow(&conditions(ask)).await?;
        let now = SystemTime::now();
        let status = response.status();
        match status {
            StatusCode::OK => {
                let length = response.content_length();
                let version = version(response.headers(), length, now)?;
                Ok(self.incoming(0, version, response))
            }
            StatusCode::PARTIAL_CONTENT if ask.resume.is_some() => self.rest(ask, response, now),
            StatusCode::RANGE_NOT_SATISFIABLE if ask.resume.is_some() => {
                Err(Failure::StartOver(None))
            }
            StatusCode::NOT_MODIFIED if ask.unless.is_some() => Ok(Answer::Unchanged),
            // 204 has no body, and 206 is a part although none was asked for.
            _ => Err(self.refused(response, now).await),
        }
    }

    /// What a status means that brings no file.
    async fn refused(&self, mut response: Response, now: SystemTime) -> Failure {
        let (url, status) = (redacted(response.url()), response.status());
        let mut told = vec![format!("`{url}` answered {status}, expected 200 OK")];
        let schemes = reason::schemes(response.headers());
        if status == StatusCode::UNAUTHORIZED && !schemes.is_empty() {
            let schemes = schemes.join(" or ");
            told.push(format!(
                "it asks for a login by {schemes}, as netrc or --header_from has it"
            ));
        }
        let content_type = text(response.headers(), &CONTENT_TYPE);
        let after = text(response.headers(), &RETRY_AFTER);
        let is_packed = encoding(response.headers()).ok() != Some(None);
        let body = if is_packed {
            Vec::new()
        } else {
            beginning(&mut response).await
        };
        let secrets = [self.url.clone(), response.url().clone()];
        let secrets = secrets.iter().flat_map(secrets_of_url);
        let secrets = secrets.chain(self.logins.passwords());
        let secrets: Vec<_> = secrets.chain(secrets_of(&self.headers)).collect();
        if let Some(reason) = reason::in_body(content_type.as_deref(), &body, &secrets) {
            told.push(format!("it says: {reason}"));
        }
        let error = anyhow!(told.join("; "));
        let passing = status.is_server_error()
            || status == StatusCode::REQUEST_TIMEOUT
            || status == StatusCode::TOO_MANY_REQUESTS;
        if !passing {
            return Failure::Final(error);
        }
        Failure::Retry {
            error,
            after: after.and_then(|value| retry_after(&value, now)),
        }
    }

    /// Takes a 206 answer, if it is exactly the part that is missing.
    fn rest(&self, ask: &Ask<'_>, response: Response, now: SystemTime) -> Result<Answer, Failure> {
        let resume = ask.resume.as_ref().ok_or(Failure::StartOver(None))?;
        let (first, count, total) =
            content_range(response.headers()).ok_or(Failure::StartOver(None))?;
        let fits = first == resume.offset
            && response
                .content_length()
                .is_none_or(|length| length == count)
            && version(response.headers(), total, now)?.agrees_with(resume.version);
        if !fits {
            return Err(Failure::StartOver(None));
        }
        let version = Version {
            length: total.or(resume.version.length),
            ..resume.version.clone()
        };
        Ok(self.incoming(first, version, response))
    }

    fn incoming(&self, start: u64, version: Version, response: Response) -> Answer {
        Answer::Bytes(Box::new(Incoming {
            start,
            version,
            content_type: text(response.headers(), &CONTENT_TYPE),
            body: Body::Http(response, self.limits),
        }))
    }

    /// Sends the request, and sends it on to where it is redirected.
    ///
    /// Not left to reqwest, which would hand headers such as `X-Api-Key` to any host.
    async fn follow(&self, conditions: &HeaderMap) -> Result<Response, Failure> {
        let mut way = Way::new(&self.url);
        loop {
            let response = self.send(&way, conditions).await?;
            let now = SystemTime::now();
            self.cookies().take(way.here(), response.headers(), now);
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let Some(location) = response.headers().get(LOCATION).filter(|_| is_redirect) else {
                return Ok(response);
            };
            let followed = way.follow(location.as_bytes());
            followed.map_err(Failure::Final)?;
        }
    }

    fn cookies(&self) -> MutexGuard<'_, Cookies> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, way: &Way, conditions: &HeaderMap) -> Result<Response, Failure> {
        let url = way.here();
        let mut given = HeaderMap::new();
        if way.takes_headers() {
            given.clone_from(&self.headers);
        }
        let mut is_logged_in = given.contains_key(AUTHORIZATION);
        is_logged_in |= url.password().is_some() || !url.username().is_empty();
        self.cookies().add_to(&mut given, url);
        let request = self.client.get(url.clone());
        let mut request = request.headers(conditions.clone()).headers(given);
        if !is_logged_in
            && let Some(host) = url.host_str()
            && let Some((user, password)) = self.logins.find(host, way.logins())
        {
            request = request.basic_auth(user, Some(password));
        }
        request.send().await.map_err(|error| {
            let is_final = is_final(&error);
            let error = explained(error, self.limits);
            if is_final {
                Failure::Final(error)
            } else {
                Failure::passing(error)
            }
        })
    }
}

/// The first bytes of a body that is not the file; what is long in coming is not waited for.
async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while body.len() < reason::MOST_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
    };
    tokio::time::timeout(REASON_TIMEOUT, read).await.ok();
    body.truncate(reason::MOST_BYTES);
    body
}

/// The version that an answer tells.
fn version(headers: &HeaderMap, length: Option<u64>, now: SystemTime) -> Result<Version, Failure> {
    Ok(Version {
        encoding: encoding(headers).map_err(Failure::Final)?,
        ..Version::of(headers, length, now)
    })
}

fn conditions(ask: &Ask<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // A compressed body has no announced length to check, and is not the file asked for.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let mut add = |name, value: &str| {
        // They came as headers, or are made of digits.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if let Some(resume) = &ask.resume
        && let Some(validator) = &resume.version.validator
    {
        add(RANGE, &format!("bytes={}-", resume.offset));
        add(IF_RANGE, validator);
    }
    if let Some(version) = ask.unless {
        match (&version.etag, &version.last_modified) {
            (Some(etag), _) => add(IF_NONE_MATCH, etag),
            (None, Some(date)) => add(IF_MODIFIED_SINCE, date),
            (None, None) => {}
        }
    }
    headers
}
