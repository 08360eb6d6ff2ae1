//! What a server's answer says: MLflow's word, or of something between us and it, or nothing.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use reqwest::blocking::Response;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;

use super::stored::StoreError;
use process::printable::one_line;

/// The largest answer that is read, in bytes: a search of a thousand runs has some megabytes.
const MAX_ANSWER: u64 = 16 << 20;
/// The largest message of an error, in bytes.
const MAX_ERROR: u64 = 64 << 10;

/// Why one try failed.
pub(crate) struct Failure {
    pub error: StoreError,
    /// Whether another try may succeed.
    pub may_pass: bool,
    /// After how long the server asks for it.
    pub pause: Option<Duration>,
    pub is_connect: bool,
}

impl Failure {
    pub(crate) fn lasting(error: StoreError) -> Failure {
        Failure {
            error,
            may_pass: false,
            pause: None,
            is_connect: false,
        }
    }

    /// Not worth another try at once, but later.
    pub(crate) fn unavailable(message: String) -> Failure {
        Failure::lasting(StoreError::Unavailable(message))
    }

    /// An answer that MLflow does not give, as one of something between us and it.
    pub(crate) fn not_mlflows(reason: &str) -> Failure {
        Failure::unavailable(format!("the server's answer is not MLflow's: {reason}"))
    }

    /// The server's word for what is wrong, such as `RESOURCE_DOES_NOT_EXIST`.
    pub(crate) fn is(&self, code: &str) -> bool {
        matches!(&self.error, StoreError::Refused(message) if message.starts_with(code))
    }

    /// As one that concerns a log only: other records of its run may be welcome.
    pub(crate) fn of_log(self, file: &Path) -> Failure {
        match self.error {
            StoreError::Unavailable(message) if !self.may_pass => {
                let message = format!("{message}; the log stays at {}", file.display());
                Failure::lasting(StoreError::Refused(message))
            }
            error => Failure { error, ..self },
        }
    }
}

pub(crate) fn failed(error: reqwest::Error) -> Failure {
    let is_connect = error.is_connect();
    let may_pass = !error.is_builder();
    let message = told(&error.without_url());
    Failure {
        is_connect,
        may_pass,
        pause: None,
        error: if is_connect || !may_pass {
            StoreError::Unavailable(message)
        } else {
            StoreError::NoAnswer(message)
        },
    }
}

/// The response if it tells of success.
pub(crate) fn checked(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let pause = response.headers().get(RETRY_AFTER);
    let pause = pause.and_then(|value| value.to_str().ok()?.parse().ok());
    let answer = body(response, MAX_ERROR).unwrap_or_default();
    let message = message(&answer);
    // The codes that MLflow's client tries again.
    let passes = [408, 429, 500, 502, 503, 504].contains(&status.as_u16());
    // A password that has been changed meanwhile may be put right; what was recorded should wait for
    // it, and for an MLflow behind something that does not know the way to it.
    let may_be_mended = passes
        || [401, 403].contains(&status.as_u16())
        || (message.is_none() && ![400, 413, 422].contains(&status.as_u16()));
    let message = message.unwrap_or_else(|| format!("the server answered {status}"));
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

/// The body of a response, up to a limit.
fn body(response: Response, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    response
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure {
            error: StoreError::NoAnswer(told(&error)),
            may_pass: true,
            pause: None,
            is_connect: false,
        })?;
    if bytes.len() as u64 > limit {
        return Err(Failure::not_mlflows(&format!(
            "it has over {} MiB",
            limit >> 20
        )));
    }
    Ok(bytes)
}

/// `ERROR_CODE: message` of MLflow's error answer, its first 500 characters.
fn message(answer: &[u8]) -> Option<String> {
    message_of(&serde_json::from_slice(answer).ok()?)
}

fn message_of(answer: &Value) -> Option<String> {
    let code = answer.get("error_code")?.as_str()?;
    let message = answer
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text: String = format!("{code}: {message}").chars().take(500).collect();
    Some(one_line(&text).into_owned())
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

/// The JSON object of an answer that tells of success.
pub(crate) fn json(response: Response) -> Result<Value, Failure> {
    let bytes = body(response, MAX_ANSWER)?;
    let answer: Value =
        serde_json::from_slice(&bytes).map_err(|error| Failure::not_mlflows(&error.to_string()))?;
    if let Some(message) = message_of(&answer) {
        return Err(Failure::not_mlflows(&format!(
            "it tells of success and of {message}"
        )));
    }
    if !answer.is_object() {
        return Err(Failure::not_mlflows("it is no JSON object"));
    }
    Ok(answer)
}
