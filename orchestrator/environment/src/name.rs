//! The names of environments: which of them, in a folder that others use as well, can be ours at all.

/// What a name of ours stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A folder of that name below the root: `virtualenv-` or `uv-`, and a hash.
    Venv,
    /// An environment that conda keeps, under MLflow's name: `mlflow-` and one or two hashes.
    Conda,
    /// An image, which the engine keeps: `docker-` and a hash.
    Image,
}

/// How many digits of a hash our own names have.
const SHORT: usize = 16;
/// How many a whole SHA-1 has.
const WHOLE: usize = 40;

/// What a name stands for; none if it is not one of ours.
pub(crate) fn form(name: &str) -> Option<Form> {
    let (tool, hashes) = name.split_once('-')?;
    let form = match tool {
        "virtualenv" | "uv" => Form::Venv,
        "docker" => Form::Image,
        "mlflow" => {
            let mut hashes = hashes.split('-');
            let are_hashes = hashes.clone().all(|hash| is_hash(hash, WHOLE));
            return (are_hashes && hashes.nth(2).is_none()).then_some(Form::Conda);
        }
        _ => return None,
    };
    is_hash(hashes, SHORT).then_some(form)
}

fn is_hash(text: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_give_are_ours() {
        const SHORT: &str = "0123456789abcdef";
        const WHOLE: &str = "0123456789abcdef0123456789abcdef01234567";
        for (name, expected) in [
            (format!("virtualenv-{SHORT}"), Some(Form::Venv)),
            (format!("uv-{SHORT}"), Some(Form::Venv)),
            (format!("docker-{SHORT}"), Some(Form::Image)),
            (format!("mlflow-{WHOLE}"), Some(Form::Conda)),
            (format!("mlflow-{WHOLE}-{WHOLE}"), Some(Form::Conda)),
        ] {
            assert_eq!(form(&name), expected, "{name}");
        }
        for name in [
            String::new(),
            ".".into(),
            "..".into(),
            "../precious".into(),
            "uv".into(),
            "uv-".into(),
            "proj".into(),
            format!("uv-{}", &SHORT[1..]),
            format!("uv-{SHORT}0"),
            format!("uv-{}", SHORT.to_uppercase()),
            format!("uv-{}g", &SHORT[1..]),
            format!("uv-{SHORT}\n"),
            format!("uv-{SHORT}/.."),
            format!(" uv-{SHORT}"),
            format!("../uv-{SHORT}"),
            format!("conda-{SHORT}"),
            format!("mlflow-{SHORT}"),
            format!("mlflow-{WHOLE}-"),
            format!("mlflow-{WHOLE}-{SHORT}"),
            format!("mlflow-{WHOLE}-{WHOLE}-{WHOLE}"),
            format!("uv-{SHORT}-{SHORT}"),
            format!("uv-\u{ff10}{}", &SHORT[3..]),
        ] {
            assert_eq!(form(&name), None, "{name:?}");
        }
    }
}
