//! `${a.b}`: values that stand for others.
//!
//! The rules are those of OmegaConf's grammar: dots in front are relative to the mapping that the value
//! stands in, keys may be in brackets, an interpolation may stand within another one, and a value that is
//! nothing but an interpolation keeps its kind. `\${` is no interpolation.

use super::error::asked_by;
use super::{Config, ConfigError, merge, missing};
use crate::pyyaml::Object;

/// How many interpolations one may lead through; more are a circle.
const MOST: usize = 64;

/// How many bytes and values all that is made may have.
const LARGEST: usize = 4 << 20;

/// Looks up one value.
pub(super) struct Resolver<'a> {
    config: &'a Config,
    /// What was asked for.
    asked: Vec<String>,
    depth: usize,
    spent: usize,
}

type Keys = Vec<String>;

impl<'a> Resolver<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Resolver {
            config,
            asked: Vec::new(),
            depth: 0,
            spent: 0,
        }
    }

    /// The value at these keys, resolved.
    pub(super) fn value(&mut self, keys: &[String]) -> Result<Object, ConfigError> {
        keys.clone_into(&mut self.asked);
        let (place, object) = self.locate(keys, None)?;
        self.resolved(object, &place)
    }

    /// The value at these keys as it is written, and where that is: what is above it may stand for another
    /// place, and so may it itself.
    fn locate(
        &mut self,
        keys: &[String],
        via: Option<String>,
    ) -> Result<(Keys, &'a Object), ConfigError> {
        let (mut place, mut object) = (Keys::new(), &self.config.values);
        for key in keys {
            let Some(child) = merge::child(object, key) else {
                let (known, kind) = (merge::keys(object), merge::kind(object));
                place.push(key.clone());
                return Err(missing(&self.config.files, &place, known, kind, via));
            };
            place.push(key.clone());
            (place, object) = self.followed(place, child)?;
        }
        Ok((place, object))
    }

    /// Where a value that is nothing but an interpolation leads to.
    fn followed(
        &mut self,
        place: Keys,
        object: &'a Object,
    ) -> Result<(Keys, &'a Object), ConfigError> {
        let Some(text) = object.as_str() else {
            return Ok((place, object));
        };
        match Part::only(text) {
            Some(inside) => self.deeper(|this| {
                let target = this.target(inside, text, &place)?;
                this.locate(&target, Some(asked_by(text, &place)))
            }),
            None => Ok((place, object)),
        }
    }

    /// A value with all that is in it.
    fn resolved(&mut self, object: &'a Object, place: &Keys) -> Result<Object, ConfigError> {
        self.spend(1)?;
        let below = |key: String| {
            let mut below = place.clone();
            below.push(key);
            below
        };
        match object {
            Object::Str(text) if text == "???" => Err(ConfigError::Mandatory(place.clone())),
            Object::Str(text) if text.contains("${") => match Part::only(text) {
                Some(_) => {
                    let (place, object) = self.followed(place.clone(), object)?;
                    self.deeper(|this| this.resolved(object, &place))
                }
                None => self.text(text, place).map(Object::Str),
            },
            Object::List(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(at, item)| self.resolved(item, &below(at.to_string())));
                items.collect::<Result<_, _>>().map(Object::List)
            }
            Object::Dict(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| {
                    let value = self.resolved(value, &below(key.to_string()))?;
                    Ok((key.clone(), value))
                });
                pairs.collect::<Result<_, _>>().map(Object::Dict)
            }
            Object::Str(text) => {
                self.spend(text.len())?;
                Ok(object.clone())
            }
            other => Ok(other.clone()),
        }
    }

    /// A text with the interpolations in it.
    fn text(&mut self, text: &str, place: &Keys) -> Result<String, ConfigError> {
        let mut made = String::new();
        for part in Part::all(text).map_err(|open| malformed(open, place))? {
            match part {
                Part::Literal(text) => made += &text,
                Part::Interpolation(inside) => {
                    let value = self.deeper(|this| {
                        let target = this.target(inside, text, place)?;
                        let via = asked_by(&format!("${{{inside}}}"), place);
                        let (place, object) = this.locate(&target, Some(via))?;
                        this.resolved(object, &place)
                    })?;
                    made += &value.to_string();
                }
            }
            self.spend(made.len())?;
        }
        Ok(made)
    }

    /// The keys that an interpolation names, seen from the value that it stands in.
    fn target(&mut self, inside: &str, text: &str, place: &Keys) -> Result<Keys, ConfigError> {
        let inside = if inside.contains("${") {
            &self.text(inside, place)?
        } else {
            inside
        };
        let written = || format!("${{{inside}}}");
        if inside.contains(':') {
            return Err(ConfigError::Resolver {
                key: place.clone(),
                text: written(),
            });
        }
        let path = inside.trim();
        let dots = path.len() - path.trim_start_matches('.').len();
        let above = match dots {
            0 => Some(&[][..]),
            dots => place.len().checked_sub(dots).map(|left| &place[..left]),
        };
        let keys = keys(&path[dots..]).filter(|keys| !keys.is_empty());
        match (above, keys) {
            (Some(above), Some(keys)) => Ok([above, &keys].concat()),
            _ => Err(malformed(
                if text.contains(inside) {
                    written()
                } else {
                    text.to_owned()
                },
                place,
            )),
        }
    }

    fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        if self.depth >= MOST {
            return Err(ConfigError::Cycle(self.asked.clone()));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn spend(&mut self, size: usize) -> Result<(), ConfigError> {
        self.spent = self.spent.saturating_add(size);
        if self.spent > LARGEST {
            return Err(ConfigError::TooLarge(self.asked.clone()));
        }
        Ok(())
    }
}

fn malformed(text: impl Into<String>, place: &Keys) -> ConfigError {
    ConfigError::Malformed {
        key: place.clone(),
        text: text.into(),
    }
}

/// The keys of `a.b[0][c]`.
fn keys(path: &str) -> Option<Keys> {
    let mut keys = Keys::new();
    for (at, part) in path.split('.').enumerate() {
        let (name, brackets) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() && (brackets.is_empty() || at > 0) {
            return None;
        }
        keys.extend((!name.is_empty()).then(|| name.to_owned()));
        let mut rest = brackets;
        while !rest.is_empty() {
            let (key, after) = rest.strip_prefix('[')?.split_once(']')?;
            keys.push(key.to_owned());
            rest = after;
        }
    }
    keys.iter().all(|key| !key.is_empty()).then_some(keys)
}

/// A part of a text.
enum Part<'t> {
    Literal(String),
    /// What stands between the braces.
    Interpolation(&'t str),
}

impl<'t> Part<'t> {
    /// What stands in the braces of a text that is an interpolation and nothing else.
    fn only(text: &'t str) -> Option<&'t str> {
        let after = text.strip_prefix("${")?;
        let end = closing(after)?;
        (end + 1 == after.len()).then(|| &after[..end])
    }

    /// The parts of a text; the rest of it from a brace on that is not closed, if there is one.
    fn all(text: &'t str) -> Result<Vec<Part<'t>>, &'t str> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find("${") {
            let before = &rest[..at];
            let plain = before.trim_end_matches('\\');
            let slashes = before.len() - plain.len();
            // Half of the backslashes escape the other half, and a last one the dollar.
            let mut literal = plain.to_owned() + &"\\".repeat(slashes / 2);
            if slashes % 2 == 1 {
                literal += "${";
                parts.push(Part::Literal(literal));
                rest = &rest[at + 2..];
                continue;
            }
            parts.push(Part::Literal(literal));
            let after = &rest[at + 2..];
            let end = closing(after).ok_or(&rest[at..])?;
            parts.push(Part::Interpolation(&after[..end]));
            rest = &after[end + 1..];
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(parts)
    }
}

/// Where the brace is that closes an interpolation, in the text behind `${`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    let mut last = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '{' if last == '$' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
        last = character;
    }
    None
}
