//! The values of a pipeline: the files of its key `config:`, one mapping, as OmegaConf would make it of them.
//!
//! Of what OmegaConf knows this has merging by key, `${a.b}` and `???`. What would look outside of the config
//! (`${oc.env:HOME}`) is refused by name. A value is resolved when it is asked for, as there.

mod error;
mod interpolation;
mod merge;
mod write;

use std::path::{Path, PathBuf};

use crate::file;
use crate::pyyaml::{self, Dialect, Document, Object};
use interpolation::Resolver;

pub use error::ConfigError;
pub use write::{Format, write};

fn parse(text: &str) -> Result<Document, pyyaml::Error> {
    pyyaml::parse_as(text, Dialect::OmegaConf)
}

/// The values of all files, later ones over earlier ones.
#[derive(Debug)]
pub struct Config {
    values: Object,
    /// What each file says, below the key of its group.
    files: Vec<(PathBuf, Object)>,
}

impl Config {
    /// Reads files, which are relative to `folder`, each with the key below which its values stand: with
    /// dots, none for the root.
    pub fn load<'a>(
        folder: &Path,
        files: impl IntoIterator<Item = (Option<&'a str>, &'a str)>,
    ) -> Result<Config, ConfigError> {
        let mut config = Config {
            values: Object::Dict(Vec::new()),
            files: Vec::new(),
        };
        for (group, file) in files {
            let path = folder.join(file);
            let bytes = file::read_regular(&path, pyyaml::MAX_BYTES as u64);
            let bytes = bytes.map_err(|error| ConfigError::Read {
                path: path.clone(),
                error,
            })?;
            let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotUtf8(path.clone()))?;
            config.add(&path, group, &text)?;
        }
        Ok(config)
    }

    /// Puts the text of a file over what is there.
    fn add(&mut self, path: &Path, group: Option<&str>, text: &str) -> Result<(), ConfigError> {
        let document = parse(text).map_err(|error| ConfigError::Yaml {
            path: path.to_owned(),
            error,
        })?;
        let value = match document.value {
            Object::None => Object::Dict(Vec::new()),
            value @ Object::Dict(_) => value,
            _ => return Err(ConfigError::NotAMapping(path.to_owned())),
        };
        let keys = group.into_iter().flat_map(|group| group.rsplit('.'));
        let value = keys.fold(value, |value, key| {
            Object::Dict(vec![(Object::Str(key.to_owned()), value)])
        });
        merge::over(&mut self.values, value.clone());
        self.files.push((path.to_owned(), value));
        Ok(())
    }

    /// Puts a value of the command line in the place of what the files say: `key` has dots, and `text` is
    /// YAML in which `1e-3` is a number.
    ///
    /// A key that no file has is refused, as hydra does: it would change nothing.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), ConfigError> {
        let document = parse(text).map_err(|error| ConfigError::Override {
            key: key.to_owned(),
            error,
        })?;
        let keys: Vec<String> = key.split('.').map(str::to_owned).collect();
        let (mut place, mut trail) = (&mut self.values, Vec::new());
        for next in keys {
            let (known, kind) = (merge::keys(place), merge::kind(place));
            trail.push(next.clone());
            place = merge::child_mut(place, &next).ok_or_else(|| {
                let via = Some(format!("`-P config.{key}`"));
                missing(&self.files, &trail, known, kind, via)
            })?;
        }
        merge::over(place, document.value);
        Ok(())
    }

    /// The value at a path of keys, with everything in it resolved; all of it for no keys.
    pub fn get(&self, keys: &[String]) -> Result<Object, ConfigError> {
        Resolver::new(self).value(keys)
    }
}

/// The complaint that the last of these keys is not there, in the file that says most of what is above it.
fn missing(
    files: &[(PathBuf, Object)],
    trail: &[String],
    known: Vec<String>,
    kind: &'static str,
    via: Option<String>,
) -> ConfigError {
    let depth = |object: &Object| {
        let mut place = object;
        let mut depth = 0;
        while let Some(child) = trail.get(depth).and_then(|key| merge::child(place, key)) {
            place = child;
            depth += 1;
        }
        depth
    };
    // Of equal ones the last, which may be the one that took it away.
    let file = files.iter().max_by_key(|(_, object)| depth(object));
    ConfigError::Missing {
        path: file.map(|(path, _)| path.clone()).unwrap_or_default(),
        key: trail.to_owned(),
        known,
        kind,
        via,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &[(&str, Option<&str>, &str)]) -> Config {
        let mut config = Config::load(Path::new("/p"), []).unwrap();
        for (path, group, text) in files {
            config.add(Path::new(path), *group, text).unwrap();
        }
        config
    }

    fn printed(config: &Config, keys: &str) -> String {
        let keys: Vec<String> = keys
            .split('.')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        config
            .get(&keys)
            .map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    #[test]
    fn later_files_win_by_key() {
        let config = config(&[
            ("a.yaml", None, "a: {x: 1, y: 2}\nl: [1, 2]\nm: 1"),
            ("b.yaml", None, "a: {y: 3, z: 4}\nl: [3]"),
            ("c.yaml", Some("model"), "kind: forest"),
            ("d.yaml", Some("a.deep"), "k: v"),
            ("e.yaml", None, "# nothing"),
        ]);
        assert_eq!(
            printed(&config, ""),
            "{'a': {'x': 1, 'y': 3, 'z': 4, 'deep': {'k': 'v'}}, 'l': [3], 'm': 1, 'model': {'kind': 'forest'}}"
        );
        assert_eq!(printed(&config, "l.0"), "3");
    }

    #[test]
    fn plain_texts_mean_what_they_mean_to_omegaconf() {
        for (text, expected) in [
            ("1e-3", "0.001"),
            ("-2E5", "-200000.0"),
            ("1_0.5e+1", "105.0"),
            ("'1e-3'", "1e-3"),
            ("1e", "1e"),
            ("1e3x", "1e3x"),
            ("1.2.3e4", "1.2.3e4"),
            ("_1e3", "_1e3"),
            ("2020-1-1", "2020-1-1"),
            ("2020-01-01 10:00:00 +1", "2020-01-01 10:00:00 +1"),
            ("yes", "True"),
        ] {
            let config = config(&[("c.yaml", None, &format!("a: {text}"))]);
            assert_eq!(printed(&config, "a"), expected, "{text}");
        }
    }

    #[test]
    fn values_are_resolved_as_omegaconf_does() {
        let config = config(&[(
            "c.yaml",
            None,
            r#"
a: {b: 1, name: b, rel: "${.b}", up: "${..top}", deep: {far: "${..b}"}}
top: tip
whole: ${a}
text: "x-${a.b}-${top}"
list: [1, "${a.b}", {k: "${top}"}]
item: ${list[2].k}
bracket: ${a[b]}
nested: ${a.${a.name}}
escaped: \${a.b}
twice: \\${a.b}
through: ${whole}
1: one
"#,
        )]);
        for (keys, expected) in [
            ("a.rel", "1"),
            ("a.up", "tip"),
            ("a.deep.far", "1"),
            ("whole.b", "1"),
            ("whole.deep", "{'far': 1}"),
            ("through.rel", "1"),
            ("text", "x-1-tip"),
            ("list", "[1, 1, {'k': 'tip'}]"),
            ("item", "tip"),
            ("bracket", "1"),
            ("nested", "1"),
            ("escaped", "${a.b}"),
            ("twice", "\\1"),
            ("1", "one"),
        ] {
            assert_eq!(printed(&config, keys), expected, "{keys}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_told() {
        let config = config(&[
            ("/a.yaml", None, "model: {depth: 1}"),
            (
                "/b.yaml",
                None,
                "home: ${oc.env:HOME}\nround: ${loop}\nloop: ${round}\ngone: ${model.dept}\nneed: ???\nopen: ${a\nempty: ${}\nabove: ${...x}",
            ),
        ]);
        for (keys, expected) in [
            ("model.dept", "`config[model][dept]` is not in /a.yaml"),
            (
                "model.depth.x",
                "`config[model][depth][x]` is not in /a.yaml: `config[model][depth]` is a number",
            ),
            (
                "home",
                "`${oc.env:HOME}` of `config[home]` asks for something outside of the config",
            ),
            (
                "round",
                "`config[round]` stands for itself, through other values",
            ),
            (
                "gone",
                "`${model.dept}` of `config[gone]`: `config[model][dept]` is not in /a.yaml",
            ),
            ("need", "`config[need]` is `???`: its value has to be given"),
            (
                "open",
                "`${a` of `config[open]` is not closed or names nothing",
            ),
            (
                "empty",
                "`${}` of `config[empty]` is not closed or names nothing",
            ),
            (
                "above",
                "`${...x}` of `config[above]` is not closed or names nothing",
            ),
        ] {
            assert_eq!(printed(&config, keys), expected, "{keys}");
        }
        let keys = ["model".to_owned(), "dept".to_owned()];
        let error = config.get(&keys).unwrap_err();
        assert!(matches!(error, ConfigError::Missing { known, .. } if known == ["depth"]));
    }

    #[test]
    fn values_that_grow_are_bounded() {
        let lines = (1..60).fold("a0: xxxxxxxxxx\n".to_owned(), |text, level| {
            let below = level - 1;
            text + &format!("a{level}: ${{a{below}}}${{a{below}}}\n")
        });
        let config = config(&[("c.yaml", None, &lines)]);
        assert!(printed(&config, "a40").contains("grows too large"));
        assert_eq!(printed(&config, "a2").len(), 40);
    }

    #[test]
    fn overrides_are_yaml() {
        let text = "a: {x: 1, y: b}\nl: [1, 2]";
        for (key, value, expected) in [
            ("a.x", "2", "{'a': {'x': 2, 'y': 'b'}, 'l': [1, 2]}"),
            ("a.x", "1e-3", "{'a': {'x': 0.001, 'y': 'b'}, 'l': [1, 2]}"),
            (
                "a.x",
                "'1e-3'",
                "{'a': {'x': '1e-3', 'y': 'b'}, 'l': [1, 2]}",
            ),
            ("a.x", "", "{'a': {'x': None, 'y': 'b'}, 'l': [1, 2]}"),
            ("a.x", "true", "{'a': {'x': True, 'y': 'b'}, 'l': [1, 2]}"),
            ("a", "{x: 3}", "{'a': {'x': 3, 'y': 'b'}, 'l': [1, 2]}"),
            ("l", "[3]", "{'a': {'x': 1, 'y': 'b'}, 'l': [3]}"),
            ("l.1", "${a.x}", "{'a': {'x': 1, 'y': 'b'}, 'l': [1, 1]}"),
        ] {
            let mut config = config(&[("c.yaml", None, text)]);
            config.set(key, value).unwrap();
            assert_eq!(printed(&config, ""), expected, "{key}={value}");
        }
        for (key, value, expected) in [
            (
                "a.z",
                "1",
                "`-P config.a.z`: `config[a][z]` is not in c.yaml",
            ),
            (
                "l.2",
                "1",
                "`-P config.l.2`: `config[l][2]` is not in c.yaml: `config[l]` is a list",
            ),
            ("a.x", "[", "the value of `config.a.x` is not YAML"),
        ] {
            let error = config(&[("c.yaml", None, text)]).set(key, value);
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
