//! The config files of the program: which there are, and what they say by default.

use std::path::Path;

use mlproject::file;
use mlproject::pyyaml::{self, Object};

use crate::path::has_extension;
use crate::value::Text;

/// A file and the key below which its values stand; none for the root.
pub(crate) type Entry = (Option<String>, String);

/// All files, the values of all of them, and what the command line overrides.
#[derive(Debug)]
pub(crate) struct Config {
    /// As the definition names them, in the order in which later ones win.
    pub(crate) files: Vec<Entry>,
    pub(crate) values: Object,
    /// By dotted key.
    pub(crate) overrides: Vec<(String, Text)>,
    /// What cannot be read, to be told.
    pub(crate) problems: Vec<String>,
}

impl Config {
    pub(crate) fn new(overrides: Vec<(String, Text)>) -> Config {
        Config {
            files: Vec::new(),
            values: Object::Dict(Vec::new()),
            overrides,
            problems: Vec::new(),
        }
    }

    /// What the command line gives in the place of a value.
    pub(crate) fn overridden(&self, path: &[String]) -> Option<&Text> {
        let key = path.join(".");
        let mut overrides = self.overrides.iter();
        overrides.find(|(known, _)| *known == key).map(|(_, v)| v)
    }

    /// What the files say.
    pub(crate) fn get(&self, path: &[String]) -> Option<&Object> {
        path.iter()
            .try_fold(&self.values, |object, key| match object {
                Object::List(items) => items.get(key.parse::<usize>().ok()?),
                Object::Dict(pairs) => {
                    let mut pairs = pairs.iter();
                    pairs.find_map(|(known, value)| (known.to_string() == *key).then_some(value))
                }
                _ => None,
            })
    }

    /// Adds a file that the program reads itself; false where there is no such file.
    pub(crate) fn add(&mut self, root: &Path, file: &str) -> bool {
        if self.files.iter().any(|(_, known)| known == file) {
            return true;
        }
        self.put(root, None, file)
    }

    /// Adds the file of `hydra.main` and those that its list of defaults names.
    ///
    /// `choose` gives the option that the command line sets for a group.
    pub(crate) fn add_hydra(
        &mut self,
        root: &Path,
        folder: &str,
        name: &str,
        choose: impl Fn(&str) -> Option<String>,
    ) {
        let file = below(folder, &with_extension(name));
        if self.files.iter().any(|(_, known)| *known == file) {
            return;
        }
        let Some(object) = self.read(root, &file) else {
            return;
        };
        let mut is_put = false;
        for default in defaults(&object) {
            match default {
                Default::Itself => {
                    is_put = self.put(root, None, &file);
                }
                Default::Option { group, option } => {
                    let option = choose(&group).unwrap_or(option);
                    let part = below(&group, &with_extension(&option));
                    self.put_group(root, &group, &below(folder, &part));
                }
                Default::Odd(text) => self.problems.push(format!(
                    "`{text}` in the defaults of `{file}` is left out; expected `- GROUP: NAME`"
                )),
            }
        }
        // Without `_self_` the file itself comes last.
        if !is_put {
            self.put(root, None, &file);
        }
    }

    fn put_group(&mut self, root: &Path, group: &str, file: &str) {
        let is_global = root_text(root, file)
            .is_some_and(|text| text.trim_start().starts_with("# @package _global_"));
        let key = group.replace('/', ".");
        self.put(root, (!is_global && !key.is_empty()).then_some(key), file);
    }

    fn put(&mut self, root: &Path, group: Option<String>, file: &str) -> bool {
        let Some(object) = self.read(root, file) else {
            return false;
        };
        let mut value = without_defaults(object);
        for key in group.iter().flat_map(|group| group.rsplit('.')) {
            value = Object::Dict(vec![(Object::Str(key.to_owned()), value)]);
        }
        merge(&mut self.values, value);
        self.files.push((group, file.to_owned()));
        true
    }

    fn read(&mut self, root: &Path, file: &str) -> Option<Object> {
        let Some(text) = root_text(root, file) else {
            self.problems
                .push(format!("cannot read the config file `{file}`"));
            return None;
        };
        match pyyaml::parse(&text) {
            Ok(document) => Some(document.value),
            Err(error) => {
                self.problems
                    .push(format!("{file}:{}: {error}", error.line));
                None
            }
        }
    }
}

/// One entry of a list of defaults.
enum Default {
    Itself,
    Option { group: String, option: String },
    Odd(String),
}

fn defaults(object: &Object) -> Vec<Default> {
    let Some(items) = object.get("defaults").and_then(Object::as_list) else {
        return Vec::new();
    };
    let mut defaults = Vec::new();
    for item in items {
        match item {
            Object::Str(text) if text == "_self_" => defaults.push(Default::Itself),
            Object::Str(text) => {
                let (group, option) = text.rsplit_once('/').unwrap_or(("", text));
                defaults.push(Default::Option {
                    group: group.to_owned(),
                    option: option.to_owned(),
                });
            }
            Object::Dict(pairs) => {
                for (group, option) in pairs {
                    let group = group.to_string();
                    let group = group.strip_prefix("optional ").unwrap_or(&group);
                    match option {
                        // What hydra itself is set up by.
                        _ if group.contains("hydra/") => {}
                        Object::None => {}
                        Object::Str(option) if !group.contains(['@', ' ']) => {
                            defaults.push(Default::Option {
                                group: group.to_owned(),
                                option: option.clone(),
                            });
                        }
                        other => defaults.push(Default::Odd(format!("{group}: {other}"))),
                    }
                }
            }
            other => defaults.push(Default::Odd(other.to_string())),
        }
    }
    defaults
}

fn without_defaults(object: Object) -> Object {
    match object {
        Object::Dict(mut pairs) => {
            let is_own = |key: &Object| !matches!(key.as_str(), Some("defaults" | "hydra"));
            pairs.retain(|(key, _)| is_own(key));
            Object::Dict(pairs)
        }
        other => other,
    }
}

/// Puts the values over those that are there, by key.
fn merge(base: &mut Object, over: Object) {
    match (base, over) {
        (Object::Dict(base), Object::Dict(over)) => {
            for (key, value) in over {
                match base.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => merge(known, value),
                    None => base.push((key, value)),
                }
            }
        }
        (base, over) => *base = over,
    }
}

fn with_extension(name: &str) -> String {
    if has_extension(name, &["yaml", "yml"]) {
        name.to_owned()
    } else {
        format!("{name}.yaml")
    }
}

/// A path below a folder, without `.` in front.
pub(crate) fn below(folder: &str, name: &str) -> String {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    if folder.is_empty() || folder == "." {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Whether the path is one of the pipeline's own: it could name anything on the machine.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && path.split('/').all(|part| part != "..")
}

fn root_text(root: &Path, path: &str) -> Option<String> {
    if !is_inside(path) {
        return None;
    }
    let bytes = file::read_regular(&root.join(path), pyyaml::MAX_BYTES as u64).ok()?;
    String::from_utf8(bytes).ok()
}
