//! Texts as YAML scalars that PyYAML reads back as the same texts.

use mlproject::pyyaml::{self, Object};

/// A text that has to come back as a `str`: a name, or a value that is asked for as one.
pub(crate) fn string(text: &str) -> String {
    written(text, |object| object.as_str() == Some(text))
}

/// A text that has to come back as what prints it: `5` may be a number, `true` may not.
pub(crate) fn printed(text: &str) -> String {
    written(text, |object| match object {
        Object::Str(_) | Object::Bool(_) | Object::Int(_) | Object::Float(_) => {
            object.to_string() == text
        }
        _ => false,
    })
}

fn written(text: &str, is_same: impl Fn(&Object) -> bool) -> String {
    // Placeholders stand out in quotes, and a long text costs more to try than it gains.
    let may_be_plain = text.len() <= 200 && !text.contains(['{', '}', '\n', '\r', '\u{85}']);
    if may_be_plain && comes_back(text, is_same) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Whether the plain text is the same as a key and as a value.
fn comes_back(text: &str, is_same: impl Fn(&Object) -> bool) -> bool {
    let Ok(document) = pyyaml::parse(&format!("a:\n  {text}: {text}\n")) else {
        return false;
    };
    let inner = document.value.get("a").and_then(Object::as_dict);
    matches!(inner, Some([(key, value)]) if is_same(key) && is_same(value))
}

/// A text in a mapping of braces: plain where it is nothing but letters and the like.
pub(crate) fn quoted_in_flow(text: &str) -> String {
    let is_simple =
        |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    if text.chars().all(is_simple) && string(text) == text {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let escaped: String = text.chars().map(escaped).collect();
    format!("\"{escaped}\"")
}

fn escaped(character: char) -> String {
    match (character, u32::from(character)) {
        ('"' | '\\', _) => format!("\\{character}"),
        ('\n', _) => "\\n".to_owned(),
        ('\t', _) => "\\t".to_owned(),
        ('\r', _) => "\\r".to_owned(),
        (' '..='~', _) => character.to_string(),
        _ if character.is_alphanumeric() => character.to_string(),
        (_, code @ 0..=0xff) => format!("\\x{code:02X}"),
        (_, code @ 0x100..=0xffff) => format!("\\u{code:04X}"),
        (_, code) => format!("\\U{code:08X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        let plain = [
            "main",
            "5",
            "0.5",
            "True",
            "None",
            "sample.csv:latest",
            "a b",
            "#x",
            "https://h/x#y",
        ];
        let others = [
            "",
            " a",
            "a ",
            "true",
            "null",
            "~",
            "0.10",
            "010",
            "1e-5",
            "12:30:45",
            "2020-01-01",
            "- a",
            "a: b",
            "a #b",
            "{root}/x",
            "[a]",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\r\n",
            "a\tb",
            "\u{1b}[31m",
            "\u{202e}x",
            "\u{feff}",
            "\u{85}",
            "é ü",
            "\u{1f600}",
            "\\",
            "? a",
            "=",
            "<<",
            "---",
        ];
        for text in plain.iter().chain(&others) {
            let read = |scalar: String| {
                pyyaml::parse(&format!("k: {scalar}\n"))
                    .expect(&scalar)
                    .value
            };
            let value = read(string(text));
            assert_eq!(
                value.get("k").and_then(Object::as_str),
                Some(*text),
                "{text:?}"
            );
            let value = read(printed(text));
            assert_eq!(
                value.get("k").map(ToString::to_string).as_deref(),
                Some(*text)
            );
        }
        for text in [
            "main",
            "5",
            "0.5",
            "True",
            "None",
            "sample.csv:latest",
            "a b",
            "https://h/x#y",
        ] {
            assert_eq!(printed(text), text);
        }
        assert_eq!(string("5"), "\"5\"");
        assert_eq!(printed("true"), "\"true\"");
    }
}
