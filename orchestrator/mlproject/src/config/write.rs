//! A part of a config as the text of a file.

use std::fmt::Write;

use super::ConfigError;
use crate::pyyaml::Object;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As Python's `json.dump` writes it.
    Json,
    /// In the flow style, which PyYAML reads as it was.
    Yaml,
}

impl Format {
    /// How the names of such files end, and how the form is called in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Yaml => "yaml",
        }
    }
}

/// The text of a value, which stands at `keys` of the config.
pub fn write(value: &Object, format: Format, keys: &[String]) -> Result<String, ConfigError> {
    let mut writer = Writer {
        out: String::new(),
        format,
    };
    match writer.value(value) {
        Ok(()) => Ok(writer.out),
        Err(what) => Err(ConfigError::Unwritable {
            key: keys.to_owned(),
            what,
            format: match format {
                Format::Json => "JSON",
                Format::Yaml => "YAML",
            },
        }),
    }
}

struct Writer {
    out: String,
    format: Format,
}

/// What cannot be said.
type Wrong = &'static str;

impl Writer {
    fn value(&mut self, value: &Object) -> Result<(), Wrong> {
        match (value, self.format) {
            (Object::None, _) => self.out += "null",
            (Object::Bool(value), _) => self.out += if *value { "true" } else { "false" },
            (Object::Int(digits), _) => self.out += digits,
            (Object::Float(number), _) => self.float(*number),
            (Object::Str(text), _) => self.text(text),
            (Object::Date(text) | Object::DateTime(text), Format::Yaml) => self.out += text,
            (Object::List(items) | Object::Tuple(items), _) => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.comma(at);
                    self.value(item)?;
                }
                self.out.push(']');
            }
            (Object::Dict(pairs), _) => {
                self.out.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    self.comma(at);
                    self.key(key)?;
                    self.out += ": ";
                    self.value(value)?;
                }
                self.out.push('}');
            }
            (Object::Date(_) | Object::DateTime(_), Format::Json) => return Err("a date"),
            (Object::Bytes(_), _) => return Err("bytes"),
            (Object::Set(_), _) => return Err("a set"),
        }
        Ok(())
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out += ", ";
        }
    }

    /// JSON has only texts as keys, and Python makes them of numbers.
    fn key(&mut self, key: &Object) -> Result<(), Wrong> {
        match (key, self.format) {
            (Object::Str(text), _) => self.text(text),
            (Object::Tuple(_), _) => return Err("a list as a key"),
            (other, Format::Json) => {
                self.out.push('"');
                self.value(other)?;
                self.out.push('"');
            }
            (other, Format::Yaml) => self.value(other)?,
        }
        Ok(())
    }

    /// PyYAML takes `1e-05` for a text, so that YAML gets a point.
    fn float(&mut self, number: f64) {
        let (nan, infinity) = match self.format {
            Format::Json => ("NaN", "Infinity"),
            Format::Yaml => (".nan", ".inf"),
        };
        if number.is_nan() {
            self.out += nan;
        } else if number.is_infinite() {
            self.out += if number < 0.0 { "-" } else { "" };
            self.out += infinity;
        } else {
            let text = Object::Float(number).to_string();
            let (digits, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
            self.out += digits;
            if self.format == Format::Yaml && !digits.contains('.') {
                self.out += ".0";
            }
            self.out += exponent;
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out += "\\\"",
                '\\' => self.out += "\\\\",
                '\n' => self.out += "\\n",
                '\r' => self.out += "\\r",
                '\t' => self.out += "\\t",
                ' '..='~' => self.out.push(character),
                _ => self.escape(character),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, character: char) {
        let code = u32::from(character);
        let written = match self.format {
            // YAML has an escape for all of Unicode, JSON one for each half of UTF-16.
            Format::Yaml if code > 0xffff => write!(self.out, "\\U{code:08x}"),
            _ => {
                let mut units = [0; 2];
                let mut units = character.encode_utf16(&mut units).iter();
                units.try_for_each(|unit| write!(self.out, "\\u{unit:04x}"))
            }
        };
        written.expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyyaml::parse;

    const TEXT: &str = "{a: 1, b: [true, null, 1.5, 1.0e-5, .inf], 3: \"x\\\"\\n\\x7fé😀\", d: 123456789012345678901234567890}";

    #[test]
    fn json_is_what_python_writes() {
        let value = parse(TEXT).unwrap().value;
        assert_eq!(
            write(&value, Format::Json, &[]).unwrap(),
            r#"{"a": 1, "b": [true, null, 1.5, 1e-05, Infinity], "3": "x\"\n\u007f\u00e9\ud83d\ude00", "d": 123456789012345678901234567890}"#
        );
    }

    #[test]
    fn yaml_is_read_as_it_was() {
        for text in [
            TEXT,
            "{2020-01-31: 2020-01-31 12:30:45, t: 'yes', n: -.inf}",
            "{}",
        ] {
            let value = parse(text).unwrap().value;
            let written = write(&value, Format::Yaml, &[]).unwrap();
            assert_eq!(parse(&written).unwrap().value, value, "{written}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_told() {
        let value = parse("{a: 2020-01-31}").unwrap().value;
        let error = write(&value, Format::Json, &["m".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`config[m]` holds a date, which JSON cannot say"
        );
    }
}
