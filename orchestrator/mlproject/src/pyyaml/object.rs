//! The objects that PyYAML makes of a document.

/// A Python object, as `yaml.safe_load` gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int`, as its decimal digits: Python's integers have no limit.
    Int(String),
    /// `float`.
    Float(f64),
    /// `str`.
    Str(String),
    /// `datetime.date`, as `2020-01-31`.
    Date(String),
    /// `datetime.datetime`, as `2020-01-31 12:30:45.000100+01:00`.
    DateTime(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `list`.
    List(Vec<Object>),
    /// `tuple`.
    Tuple(Vec<Object>),
    /// `set`, in the order of the document.
    Set(Vec<Object>),
    /// `dict`, in the order of the document; no two keys are equal.
    Dict(Vec<(Object, Object)>),
}

impl Object {
    /// The text of a `str`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Object::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Object::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a `list`.
    pub fn as_list(&self) -> Option<&[Object]> {
        match self {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a `dict`.
    pub fn as_dict(&self) -> Option<&[(Object, Object)]> {
        match self {
            Object::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value of a text key of a `dict`.
    pub fn get(&self, key: &str) -> Option<&Object> {
        let mut pairs = self.as_dict()?.iter();
        pairs.find_map(|(known, value)| (known.as_str() == Some(key)).then_some(value))
    }

    /// Whether Python takes it for true.
    pub fn is_true(&self) -> bool {
        match self {
            Object::None => false,
            Object::Bool(value) => *value,
            Object::Int(digits) => digits != "0",
            Object::Float(number) => *number != 0.0,
            Object::Str(text) => !text.is_empty(),
            Object::Bytes(bytes) => !bytes.is_empty(),
            Object::List(items) | Object::Tuple(items) | Object::Set(items) => !items.is_empty(),
            Object::Dict(pairs) => !pairs.is_empty(),
            Object::Date(_) | Object::DateTime(_) => true,
        }
    }

    /// What tells keys of a `dict` apart, by Python's sense of equality: `1`, `1.0` and `True` are one
    /// key. None for what cannot be a key.
    pub(super) fn identity(&self) -> Option<String> {
        Some(match self {
            Object::None => "none".to_owned(),
            Object::Bool(value) => format!("number {}", u8::from(*value)),
            Object::Int(digits) => format!("number {digits}"),
            Object::Float(number) if number.is_finite() && number.fract() == 0.0 => {
                // Without the sign of a negative zero.
                format!("number {:.0}", number + 0.0)
            }
            Object::Float(number) => format!("number {number}"),
            Object::Str(text) => format!("text {text}"),
            Object::Date(text) => format!("date {text}"),
            Object::DateTime(text) => format!("time {text}"),
            Object::Bytes(bytes) => format!("bytes {bytes:?}"),
            Object::Tuple(items) => {
                let items: Option<Vec<String>> = items.iter().map(Object::identity).collect();
                format!("tuple {:?}", items?)
            }
            Object::List(_) | Object::Set(_) | Object::Dict(_) => return None,
        })
    }

    /// The bytes of the text in it.
    pub(super) fn text_length(&self) -> usize {
        match self {
            Object::Int(text) | Object::Str(text) | Object::Date(text) | Object::DateTime(text) => {
                text.len()
            }
            Object::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}
