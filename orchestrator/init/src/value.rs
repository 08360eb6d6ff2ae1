//! What an expression of the program is, as far as that can be known without running it.

use mlproject::pyyaml::Object;

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Literal(String),
    /// The pipeline's folder.
    Root,
    /// A parameter of the pipeline's `main`.
    Parameter(String),
    /// A value of the config.
    Config(Vec<String>),
    /// `run_id` or `artifact_uri` of the run of an earlier step.
    Run(String, &'static str),
    /// A folder that lasts as long as the program.
    Temporary,
}

/// A text, piece by piece.
pub(crate) type Text = Vec<Piece>;

/// The files by which parts of the config are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Yaml => "yaml",
        }
    }
}

/// An expression that cannot be written into the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `None`, a truth value or a number.
    Scalar(Object),
    /// A text or a path.
    Text(Text),
    List(Vec<Value>),
    Dict(Vec<(String, Value)>),
    /// What the command line gave, by attribute.
    Namespace(Vec<(String, Value)>),
    /// The config, or a part of it, by its keys.
    Config(Vec<String>),
    /// A list of step names that is chosen when the pipeline is started, and what it is by default.
    Selection(Option<Vec<String>>),
    /// The run of a step.
    Run(String),
    /// An open file, by its path.
    File(Text),
    /// The text of a part of the config.
    Dump(Format, Dumped),
    /// A function of the program, by its number.
    Function(usize),
    /// A reader of the command line, by its number.
    Parser(usize),
    /// What is imported or built in, by its full name.
    Global(String),
    Unknown(Unknown),
}

/// What is written to a file: a part of the config, or what cannot be told.
pub(crate) type Dumped = Result<Vec<String>, Unknown>;

impl Value {
    pub(crate) const NONE: Value = Value::Scalar(Object::None);

    pub(crate) fn literal(text: impl Into<String>) -> Value {
        Value::Text(vec![Piece::Literal(text.into())])
    }

    pub(crate) fn bool(value: bool) -> Value {
        Value::Scalar(Object::Bool(value))
    }

    pub(crate) fn entries(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Dict(entries) | Value::Namespace(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Value> {
        let entries = self.entries()?;
        entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// How many values it is made of; texts count by their length.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Value::List(items) => 1 + items.iter().map(Value::weight).sum::<usize>(),
            Value::Dict(entries) | Value::Namespace(entries) => {
                1 + entries.iter().map(|(_, v)| 1 + v.weight()).sum::<usize>()
            }
            Value::Text(text) | Value::File(text) => 1 + length(text) / 64,
            _ => 1,
        }
    }
}

fn length(text: &[Piece]) -> usize {
    let lengths = text.iter().map(|piece| match piece {
        Piece::Literal(text) => text.len(),
        _ => 8,
    });
    lengths.sum()
}

/// Puts a value into the place of a key.
pub(crate) fn set(entries: &mut Vec<(String, Value)>, key: &str, value: Value) {
    match entries.iter_mut().find(|(known, _)| known == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key.to_owned(), value)),
    }
}

/// One text behind the other, neighbouring literals as one.
pub(crate) fn append(text: &mut Text, more: &[Piece]) {
    for piece in more {
        match (text.last_mut(), piece) {
            (Some(Piece::Literal(last)), Piece::Literal(literal)) => last.push_str(literal),
            (_, Piece::Literal(literal)) if literal.is_empty() => {}
            _ => text.push(piece.clone()),
        }
    }
}

/// The text, if it is nothing but constants.
pub(crate) fn constant(text: &[Piece]) -> Option<String> {
    match text {
        [] => Some(String::new()),
        [Piece::Literal(literal)] => Some(literal.clone()),
        _ => {
            let literals = text.iter().map(|piece| match piece {
                Piece::Literal(literal) => Some(literal.as_str()),
                _ => None,
            });
            literals.collect()
        }
    }
}

/// The text as a template of the definition; none if it names what no placeholder can.
pub(crate) fn template(text: &[Piece]) -> Option<String> {
    let parts = text.iter().map(|piece| match piece {
        Piece::Literal(text) => Some(text.replace('{', "{{").replace('}', "}}")),
        Piece::Root => Some("{root}".to_owned()),
        Piece::Parameter(name) => is_plain(name).then(|| format!("{{{name}}}")),
        Piece::Config(path) => reference(path).map(|reference| format!("{{{reference}}}")),
        Piece::Run(step, field) => is_index(step).then(|| format!("{{steps[{step}][{field}]}}")),
        Piece::Temporary => None,
    });
    parts.collect()
}

/// A part of the config as `config[a][b]`; none for the whole, and for keys that an index cannot be.
pub(crate) fn reference(path: &[String]) -> Option<String> {
    let fits = !path.is_empty() && path.iter().all(|key| is_index(key));
    fits.then(|| format!("config[{}]", path.join("][")))
}

/// Whether `str.format` reads it as the name of a field.
fn is_plain(name: &str) -> bool {
    // `{root}` is the pipeline's folder.
    !name.is_empty() && name != "root" && !name.contains(['{', '}', '[', ']', '.', '!', ':'])
}

/// Whether `str.format` reads it as one index.
fn is_index(key: &str) -> bool {
    !key.is_empty() && !key.contains(['{', '}', '[', ']'])
}
