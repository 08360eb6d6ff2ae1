//! Where the artifacts of a run are, by the URI that the store gives.

use std::path::{Path, PathBuf};

use mlproject::paths::absolute;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A folder of this machine.
    Local(PathBuf),
    /// The tracking server takes them: the path on it, and its address if the URI names one.
    Server(ServerPath),
    /// A cloud, which needs a client that we do not have: the scheme.
    Elsewhere(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServerPath {
    /// `host:port`, when it is not that of the tracking server.
    pub authority: Option<String>,
    pub path: String,
}

impl Location {
    /// As MLflow chooses an artifact repository: no scheme and `file:` are local.
    pub(crate) fn parse(uri: &str, root: &Path) -> Location {
        let Some((scheme, rest)) = uri.split_once(':') else {
            return Location::Local(absolute(root, uri));
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        match scheme {
            "file" => Location::Local(absolute(root, super::settings::unquoted(path))),
            "mlflow-artifacts" => Location::Server(ServerPath {
                authority: (!authority.is_empty()).then(|| authority.to_owned()),
                path: path.trim_matches('/').to_owned(),
            }),
            scheme if scheme.contains('/') => Location::Local(absolute(root, uri)),
            scheme => Location::Elsewhere(scheme.to_owned()),
        }
    }
}

/// The location of artifacts in a folder, as [`Location::parse`] and MLflow read it: a path, or the `file:` URI
/// of one that holds what MLflow would take for a part of a URI.
pub(crate) fn location_in(folder: &Path) -> String {
    use std::fmt::Write;
    let path = folder.to_string_lossy();
    if !path.contains(['%', '?', '#']) {
        return path.into_owned();
    }
    let mut uri = "file://".to_owned();
    for byte in path.bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => write!(uri, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    uri
}

/// Whether a text can be the id of a run or an experiment by MLflow's rule, and so part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_word)
        && text.len() <= MAX_ID
}

/// The longest id of a run, of MLflow's `_RUN_ID_REGEX`.
const MAX_ID: usize = 256;

/// The place below the pipeline's folder for what a run leaves, laid out as MLflow does it.
pub(crate) fn own_folder(experiment: &str, run: &str) -> PathBuf {
    Path::new("mlruns")
        .join(experiment)
        .join(run)
        .join("artifacts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_found_again() {
        assert_eq!(location_in(Path::new("/a b/é")), "/a b/é");
        assert_eq!(
            location_in(Path::new("/50%41 é?#/0")),
            "file:///50%2541%20%C3%A9%3F%23/0"
        );
        for path in ["/a b/é", "/50%41 é?#/0", "/a:b", "/x#y"] {
            let location = Location::parse(&location_in(Path::new(path)), Path::new("/root"));
            assert!(
                matches!(location, Location::Local(found) if found == Path::new(path)),
                "{path}"
            );
        }
    }

    #[test]
    fn an_id_is_no_path() {
        for id in ["0", "r1", "64e5d36f0123456789abcdef01234567", "a_b-c"] {
            assert!(is_id(id), "{id}");
        }
        for text in [
            "",
            "..",
            "a/b",
            "-a",
            "_a",
            ".a",
            "a.b",
            "ü",
            &"a".repeat(257),
        ] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn a_location_is_local_the_servers_or_elsewhere() {
        let parse = |uri| Location::parse(uri, Path::new("/pipeline"));
        let server = |authority: Option<&str>, path: &str| {
            Location::Server(ServerPath {
                authority: authority.map(str::to_owned),
                path: path.into(),
            })
        };
        assert_eq!(parse("/a/0/r"), Location::Local("/a/0/r".into()));
        assert_eq!(
            parse("./mlruns/0"),
            Location::Local("/pipeline/mlruns/0".into())
        );
        assert_eq!(parse("/a:b/0"), Location::Local("/a:b/0".into()));
        assert_eq!(parse("file:///a%20b"), Location::Local("/a b".into()));
        assert_eq!(parse("file:/a"), Location::Local("/a".into()));
        assert_eq!(
            parse("mlflow-artifacts:/0/r/artifacts"),
            server(None, "0/r/artifacts")
        );
        assert_eq!(
            parse("mlflow-artifacts://h:1/0/r"),
            server(Some("h:1"), "0/r")
        );
        assert_eq!(parse("s3://bucket/0"), Location::Elsewhere("s3".into()));
    }
}
