//! Whether a text from an MLproject is what an engine for containers takes it for, and nothing else.

use super::EnvironmentError;
use mlproject::DockerEnvironment;

/// The longest name of an image without tag and digest, as docker has it.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// Refuses what cannot be meant, before it becomes words for an engine.
pub(crate) fn check(environment: &DockerEnvironment) -> Result<(), EnvironmentError> {
    if !is_image(&environment.image) {
        let image = environment.image.clone();
        return Err(EnvironmentError::Image { image });
    }
    let refused = |what, text: &str| {
        let text = text.to_owned();
        Err(EnvironmentError::Docker { what, text })
    };
    let mut volumes = environment.volumes.iter();
    if let Some(volume) = volumes.find(|volume| !is_volume(volume)) {
        return refused("volume", volume);
    }
    let mut names = environment.variables.iter().map(|(name, _)| name);
    if let Some(name) = names.find(|name| !is_variable(name)) {
        return refused("variable", name);
    }
    Ok(())
}

/// Whether a text is the name of an image by docker's grammar: `host:port/path/name:tag@digest`, all but
/// the name being optional.
fn is_image(text: &str) -> bool {
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) => (text, Some(digest)),
        None => (text, None),
    };
    // A colon before the last `/` belongs to the port.
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text[last..].find(':') {
        Some(colon) => (&text[..last + colon], Some(&text[last + colon + 1..])),
        None => (text, None),
    };
    name.len() <= MAX_NAME
        && is_name(name)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        // Like docker, which takes `a.b/c` and `localhost/c` for a host and a name.
        Some((first, rest)) if !is_component(first) => {
            if !is_host(first) {
                return false;
            }
            rest
        }
        _ => name,
    };
    path.split('/').all(is_component)
}

/// Small letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().last()];
    let mut separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends.into_iter().all(|end| end.is_some_and(is_plain))
        && separators.all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

/// A name or an address of a host, and perhaps a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_address = |text: &str| {
        let inner = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        inner.is_some_and(|inner| {
            !inner.is_empty()
                && inner
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b':')
        })
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_address(host) || host.split('.').all(is_label)) && port.is_none_or(is_port)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag
            .bytes()
            .all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hash)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+.-_".contains(&byte))
            && (32..=256).contains(&hash.len())
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether a text can be the value of `--volume`. What it means is the engine's to say.
pub(crate) fn is_volume(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['-', ':']) && !text.contains(char::is_control)
}

/// Whether a text can be the name of a variable. podman takes a `*` for all that begin like this.
fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_dockers_form() {
        let digest = "0123456789abcdef".repeat(4);
        for text in [
            "x".to_owned(),
            "python:3.11".to_owned(),
            "python:3.11-slim_x".to_owned(),
            "a.b_c__d-e--f/g".to_owned(),
            "library/python".to_owned(),
            "localhost/x:1".to_owned(),
            "localhost:5000/a/b:latest".to_owned(),
            "Registry.Example.com/a/b".to_owned(),
            "127.0.0.1:5000/a".to_owned(),
            "[::1]:5000/a".to_owned(),
            "[2001:db8::1]/a".to_owned(),
            format!("python@sha256:{digest}"),
            format!("h.io/python:3@sha256:{digest}"),
            format!("sha256:{digest}"),
            digest.clone(),
            "a".repeat(255),
        ] {
            assert!(is_image(&text), "{text}");
        }
        for text in [
            "",
            " ",
            "-x",
            "--privileged",
            "--entrypoint=sh",
            "-v/:/host",
            "x y",
            " x",
            "x\n",
            "x\nRUN touch pwned",
            "x\u{1b}[31m",
            "x:",
            ":x",
            "x:-1",
            "x:1:2",
            "x:é",
            "x@",
            "x@sha256",
            "x@sha256:12",
            "X",
            "A/B",
            "a//b",
            "/a",
            "a/",
            "a/-b",
            "a___b",
            "a..b",
            "a.-b",
            ".a",
            "a_",
            "-h/a",
            "h-.io/a",
            "h:p/a",
            "http://h/a",
            "docker://a",
            "../a",
            "./a",
            "~/a",
            "$(x)",
            "x;y",
            "x`y`",
            "x\\y",
            "[::g]/a",
            "x:/a b",
        ] {
            assert!(!is_image(text), "{text:?}");
        }
        assert!(!is_image(&"a".repeat(256)) && !is_image(&format!("a:{}", "b".repeat(129))));
    }

    #[test]
    fn volumes_and_variables_are_not_options() {
        for text in [
            "/from:/to",
            "/from:/to:ro",
            "name:/to",
            "/data",
            "./a b:/to",
        ] {
            assert!(is_volume(text), "{text}");
        }
        for text in ["", "-v", "--privileged", ":/b", "/a\n:/b", "/a:/\u{1b}"] {
            assert!(!is_volume(text), "{text:?}");
        }
        for text in ["A", "_a1", "spring.profile", "a-b"] {
            assert!(is_variable(text), "{text}");
        }
        for text in ["", "*", "A*", "-e", "A=b", "A b", "1A", "A\n", "É", "$A"] {
            assert!(!is_variable(text), "{text:?}");
        }
    }
}
