//! Clients for tracking servers: authentication and TLS by the variables of MLflow's own client.

use std::time::Duration;

use reqwest::Identity;
use reqwest::blocking::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;

use super::TrackingError;
use super::settings::{switch, variable};
use super::tls;
use mlproject::file::read_regular;

/// The largest file of credentials that is read, in bytes.
const MAX_CREDENTIALS: u64 = 1 << 20;

/// A client for the server that the user has named, with what proves who the user is; or for another
/// one that it sends us to, without.
pub(crate) fn client(is_named: bool) -> Result<Client, TrackingError> {
    crate::tls::install_crypto();
    let failed = |error: reqwest::Error| TrackingError::Client(error.to_string());
    let mut builder = Client::builder()
        .user_agent(concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
        // Followed by us: they may lead to somebody else.
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .timeout(None);
    if is_named {
        builder = builder.default_headers(headers()?);
    }
    let is_insecure = switch("MLFLOW_TRACKING_INSECURE_TLS")?;
    if is_insecure && variable("MLFLOW_TRACKING_SERVER_CERT_PATH").is_some() {
        return Err(TrackingError::InsecureAndCertificate);
    }
    if is_insecure && is_named {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    let read_named = |name: &'static str| {
        variable(name)
            .map(|path| Ok((path.clone(), read(name, &path)?)))
            .transpose()
    };
    let identity = if is_named {
        read_named("MLFLOW_TRACKING_CLIENT_CERT_PATH")?
    } else {
        None
    };
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
    let text = read_regular(&home.join(".mlflow/credentials"), MAX_CREDENTIALS);
    String::from_utf8(text.unwrap_or_default()).unwrap_or_default()
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
