//! Values over values, and the way down to one of them.

use crate::pyyaml::Object;

/// Puts `value` over `base`: mappings by key, everything else as a whole, as OmegaConf merges.
pub(super) fn over(base: &mut Object, value: Object) {
    match (base, value) {
        (Object::Dict(base), Object::Dict(value)) => {
            for (key, value) in value {
                match base.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => over(known, value),
                    None => base.push((key, value)),
                }
            }
        }
        (base, value) => *base = value,
    }
}

/// The value below a key, which for a list is a position.
pub(super) fn child<'a>(object: &'a Object, key: &str) -> Option<&'a Object> {
    match object {
        Object::List(items) => items.get(key.parse::<usize>().ok()?),
        Object::Dict(pairs) => {
            let mut pairs = pairs.iter();
            pairs.find_map(|(known, value)| is_named(known, key).then_some(value))
        }
        _ => None,
    }
}

/// As [`child`], to be changed.
pub(super) fn child_mut<'a>(object: &'a mut Object, key: &str) -> Option<&'a mut Object> {
    match object {
        Object::List(items) => items.get_mut(key.parse::<usize>().ok()?),
        Object::Dict(pairs) => {
            let mut pairs = pairs.iter_mut();
            pairs.find_map(|(known, value)| is_named(known, key).then_some(value))
        }
        _ => None,
    }
}

/// Whether a text means a key, which may be a number.
fn is_named(key: &Object, text: &str) -> bool {
    match key {
        Object::Str(key) => key == text,
        other => other.to_string() == text,
    }
}

/// The keys of a mapping, as they are written in a placeholder.
pub(super) fn keys(object: &Object) -> Vec<String> {
    let pairs = object.as_dict().unwrap_or_default().iter();
    pairs.map(|(key, _)| key.to_string()).collect()
}

/// What a value is, in words.
pub(super) fn kind(object: &Object) -> &'static str {
    match object {
        Object::Dict(_) => "a mapping",
        Object::List(_) | Object::Tuple(_) | Object::Set(_) => "a list",
        Object::None => "empty",
        Object::Int(_) | Object::Float(_) => "a number",
        Object::Bool(_) => "true or false",
        _ => "a text",
    }
}
