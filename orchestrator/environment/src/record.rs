//! What is written of a complete environment, and what of it is believed.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::name::{Form, form};
use super::ours::Left;

/// The longest record that is read, in bytes; ours have some hundreds.
pub(crate) const MAX_BYTES: u64 = 1 << 16;

/// What the record of a complete environment says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The program that made it, such as `uv`.
    pub tool: String,
    /// Where the environment itself is.
    pub prefix: PathBuf,
    /// The environment file that it was first made for.
    pub file: Option<String>,
    /// Whether we made it; else it is MLflow's and not ours to remove.
    #[serde(rename = "made_here")]
    pub is_ours: bool,
    /// What a newer version may write besides. It is used all the same, but not removed by this one.
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl Record {
    pub fn new(tool: String, prefix: PathBuf, file: Option<&Path>, is_ours: bool) -> Record {
        Record {
            tool,
            prefix,
            file: file.map(|file| file.display().to_string()),
            is_ours,
            more: BTreeMap::new(),
        }
    }

    /// Reads the record of an environment, which has to be about a folder of that name.
    pub fn parse(bytes: &[u8], name: &str) -> Result<Record, Left> {
        let record: Record =
            serde_json::from_slice(bytes).map_err(|error| Left::Record(error.to_string()))?;
        let mut parts = record.prefix.components();
        let is_plain = record.prefix.is_absolute()
            && parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if is_plain && record.prefix.file_name().is_some_and(|last| last == name) {
            return Ok(record);
        }
        let prefix = record.prefix.display();
        Err(Left::Record(format!("it is about the folder `{prefix}`")))
    }

    /// Whether it says that we made the environment of that name, which is one of `root` unless conda
    /// keeps it.
    pub fn check(&self, name: &str, root: &Path) -> Result<(), Left> {
        let wrong = |reason: String| Err(Left::Record(reason));
        if let Some(key) = self.more.keys().next() {
            return wrong(format!("a newer version has written `{key}`"));
        }
        match form(name) {
            None => Err(Left::Name),
            Some(Form::Image) => wrong("images have none".to_owned()),
            Some(Form::Venv) if self.prefix != root.join(name) => wrong(format!(
                "it is about the folder `{}`",
                self.prefix.display()
            )),
            Some(Form::Venv) if !["uv", "python -m venv"].contains(&self.tool.as_str()) => wrong(
                format!("no environment of that name is made by `{}`", self.tool),
            ),
            Some(Form::Venv) if !self.is_ours => Err(Left::NoRecord),
            Some(Form::Venv | Form::Conda) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENV: &str = "uv-0123456789abcdef";
    const CONDA: &str = "mlflow-0123456789abcdef0123456789abcdef01234567";

    /// Why a record is not believed; nothing if it is.
    fn refused(name: &str, text: &str) -> Option<String> {
        let text = text.replace("VENV", VENV).replace("CONDA", CONDA);
        let record = Record::parse(text.as_bytes(), name);
        let checked = record.and_then(|record| record.check(name, Path::new("/made")));
        checked.err().map(|left| left.to_string())
    }

    #[test]
    fn a_record_is_believed_only_in_its_strict_form() {
        let good = r#"{"tool":"uv","prefix":"/made/VENV","file":null,"made_here":true}"#;
        assert_eq!(refused(VENV, good), None);
        let of_pip = good.replace("\"uv\"", "\"python -m venv\"");
        assert_eq!(refused(VENV, &of_pip), None);
        let of_conda =
            r#"{"tool":"conda","prefix":"/c/CONDA","file":"/p/conda.yaml","made_here":true}"#;
        assert_eq!(refused(CONDA, of_conda), None);
        for (from, to) in [
            ("/made/VENV", "/home/me/thesis"),
            ("/made/VENV", "/elsewhere/VENV"),
            ("/made/VENV", "/made/../made/VENV"),
            ("/made/VENV", "/made/x/../VENV"),
            ("/made/VENV", "root/VENV"),
            ("/made/VENV", "VENV"),
            ("/made/VENV", "/made/VENV/.."),
            ("/made/VENV", "/made/uv-ffffffffffffffff"),
            ("/made/VENV", ""),
            ("/made/VENV", "/"),
            ("\"uv\"", "\"conda\""),
            ("\"uv\"", "\"rm\""),
            ("\"uv\"", "null"),
            ("true", "false"),
            ("true", "\"true\""),
            ("true", "1"),
            ("}", ",\"keep\":true}"),
            ("}", ""),
            ("}", "}}"),
            (",\"made_here\":true", ""),
            ("\"tool\":\"uv\",", ""),
            ("\"file\":null,", "\"tool\":\"uv\","),
        ] {
            let text = good.replace(from, to);
            assert!(refused(VENV, &text).is_some(), "{text}");
        }
        for text in ["", "null", "[]", "{}", "\"x\"", "\0", "[[[[[[["] {
            assert!(refused(VENV, text).is_some(), "{text}");
        }
        let planted = of_conda.replace("/c/CONDA", "/home/me/thesis");
        assert!(refused(CONDA, &planted).is_some());
        for name in ["docker-0123456789abcdef", "thesis", ".."] {
            let text = good.replace("VENV", name);
            assert!(refused(name, &text).is_some(), "{text}");
        }
    }
}
