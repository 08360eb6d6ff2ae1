//! Follows the program from its first line to its last, without running it.
//!
//! Values are what can be known of them ([`Value`]): constants, the config and the parameters of the
//! pipeline by name, runs of steps. A call of `mlflow.run` is a step. Functions of the program are
//! entered; what is neither known nor the program's own gives a value that is not understood. Both
//! branches of an `if` are followed where its condition cannot be known.

mod arguments;
mod call;
mod condition;
mod expression;
mod files;
mod function;
mod known;
mod method;
mod operator;
mod run;
mod statement;
mod string;

use std::collections::HashMap;
use std::path::PathBuf;

use mlproject::Project;
use mlproject::pyyaml::Object;
use tree_sitter::Node;

use crate::command::Command;
use crate::config::Config;
use crate::error::Note;
use crate::source::{self, Source};
use crate::step::{Setting, Step};
use crate::value::{Dumped, Format, Piece, Text, Unknown, Value, template};
use arguments::Parser;
use function::Function;

/// How many statements and expressions are followed, functions and loops unrolled.
const FUEL: usize = 50_000;

/// How deep expressions, blocks and calls may nest.
const MAX_DEPTH: usize = 120;

/// How many values a list or dictionary may hold, texts counted by their length.
const MAX_WEIGHT: usize = 5_000;

/// What the program belongs to.
pub(crate) struct Pipeline {
    /// The pipeline's folder.
    pub(crate) root: PathBuf,
    pub(crate) project: Project,
    /// How the project runs the program.
    pub(crate) command: Command,
    /// The program, relative to the folder.
    pub(crate) script: String,
}

/// What the program was found to do.
pub(crate) struct Found {
    pub(crate) steps: Vec<Step>,
    pub(crate) config: Config,
    pub(crate) notes: Vec<Note>,
    pub(crate) warnings: Vec<String>,
}

/// The state of the program at the place that is followed.
struct Interpreter<'t> {
    source: &'t Source,
    pipeline: &'t Pipeline,
    config: Config,
    /// The variables of the module, then those of the functions that are entered.
    frames: Vec<Frame>,
    /// The conditions under which the place is reached.
    guards: Vec<Guard>,
    functions: Vec<Function<'t>>,
    parsers: Vec<Parser>,
    environment: Vec<(String, Value)>,
    /// What was written to which file.
    dumps: Vec<(Text, Format, Dumped)>,
    steps: Vec<Step>,
    notes: Vec<Note>,
    warnings: Vec<String>,
    /// Where `hydra.initialize` looks for configs.
    config_folder: String,
    fuel: usize,
    depth: usize,
}

/// The variables of a call.
#[derive(Default)]
struct Frame {
    variables: HashMap<String, Value>,
    /// What it returns under conditions that cannot be known.
    returns: Vec<Value>,
}

/// A condition around the place that is followed.
struct Guard {
    /// The step that it asks for by name, until a step has taken it.
    name: Option<String>,
    is_default: bool,
    /// What the definition cannot say of it.
    remark: Option<Unknown>,
}

/// Follows the program.
pub(crate) fn follow(source: &Source, pipeline: &Pipeline) -> Found {
    let mut interpreter = Interpreter {
        source,
        pipeline,
        config: Config::new(pipeline.command.overrides()),
        frames: vec![Frame::default()],
        guards: Vec::new(),
        functions: Vec::new(),
        parsers: Vec::new(),
        environment: Vec::new(),
        dumps: Vec::new(),
        steps: Vec::new(),
        notes: Vec::new(),
        warnings: Vec::new(),
        config_folder: String::new(),
        fuel: FUEL,
        depth: 0,
    };
    interpreter.block(source.root());
    if interpreter.steps.is_empty() {
        interpreter.enter_uncalled();
    }
    if interpreter.fuel == 0 {
        let text =
            "the program does more than can be followed; what comes late in it is not in `steps:`";
        interpreter.warnings.push(text.to_owned());
    }
    let problems = std::mem::take(&mut interpreter.config.problems);
    interpreter.warnings.extend(problems);
    Found {
        steps: interpreter.steps,
        config: interpreter.config,
        notes: interpreter.notes,
        warnings: interpreter.warnings,
    }
}

impl Interpreter<'_> {
    /// Counts one statement or expression; false when the program is followed no further.
    fn burn(&mut self, amount: usize) -> bool {
        self.fuel = self.fuel.saturating_sub(amount);
        self.fuel > 0
    }

    fn unknown(&self, node: Node) -> Value {
        Value::Unknown(self.not_understood(node))
    }

    fn not_understood(&self, node: Node) -> Unknown {
        Unknown {
            line: source::line(node),
            text: self.source.shortened(node),
        }
    }

    fn note(&mut self, node: Node, text: impl Into<String>) {
        let told = Note {
            line: Some(source::line(node)),
            text: text.into(),
        };
        if !self.notes.contains(&told) {
            self.notes.push(told);
        }
    }

    /// Tells that the other outcome of an expression is lost.
    fn note_default(&mut self, node: Node) {
        let text = self.source.shortened(node);
        self.note(node, format!("`{text}` is taken as it is by default"));
    }

    fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    fn variables(&mut self) -> &mut HashMap<String, Value> {
        let last = self.frames.len() - 1;
        &mut self.frames[last].variables
    }

    fn lookup(&self, name: &str) -> Option<&Value> {
        let mut frames = self.frames.iter().rev();
        frames.find_map(|frame| frame.variables.get(name))
    }

    /// `str(value)`; none where its text cannot be known.
    fn stringify(&self, value: &Value) -> Option<Text> {
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Config(path) => Some(
                self.config
                    .overridden(path)
                    .map_or_else(|| vec![Piece::Config(path.clone())], Clone::clone),
            ),
            Value::Scalar(object) => Some(vec![Piece::Literal(object.to_string())]),
            Value::List(_) | Value::Dict(_) if is_fixed(value) => {
                let object = self.concrete(value)?;
                Some(vec![Piece::Literal(object.to_string())])
            }
            _ => None,
        }
    }

    /// What the value is when nobody gives anything on the command line.
    fn concrete(&self, value: &Value) -> Option<Object> {
        match value {
            Value::Scalar(object) => Some(object.clone()),
            Value::Text(text) => self.concrete_text(text).map(Object::Str),
            Value::Config(path) => match self.config.overridden(path) {
                Some(text) => self.concrete_text(text).map(Object::Str),
                None => self.config.resolved(path),
            },
            Value::List(items) => {
                let items: Option<Vec<Object>> =
                    items.iter().map(|item| self.concrete(item)).collect();
                items.map(Object::List)
            }
            Value::Dict(entries) => {
                let pairs = entries
                    .iter()
                    .map(|(key, value)| Some((Object::Str(key.clone()), self.concrete(value)?)));
                pairs.collect::<Option<Vec<_>>>().map(Object::Dict)
            }
            Value::Selection(Some(names)) => Some(Object::List(
                names.iter().cloned().map(Object::Str).collect(),
            )),
            _ => None,
        }
    }

    fn concrete_text(&self, text: &[Piece]) -> Option<String> {
        let texts = text.iter().map(|piece| match piece {
            Piece::Literal(literal) => Some(literal.clone()),
            Piece::Parameter(name) => {
                let main = self.pipeline.project.entry_point("main")?;
                main.parameter(name)?.default.clone()
            }
            Piece::Config(path) => self.config.resolved(path).map(|object| object.to_string()),
            Piece::Root | Piece::Run(..) | Piece::Temporary => None,
        });
        texts.collect()
    }

    /// The value as the definition can give it.
    fn setting(&self, value: &Value, node: Node) -> Setting {
        let unknown = match value {
            Value::Unknown(unknown) => unknown.clone(),
            _ => self.not_understood(node),
        };
        let Some(text) = self.stringify(value) else {
            return Setting::NotUnderstood(unknown);
        };
        let path = crate::path::absolute(&text);
        let mut dumps = self.dumps.iter().rev();
        if let Some((_, format, part)) = dumps.find(|(file, ..)| *file == path) {
            return match part {
                Ok(part) => self
                    .reference(part)
                    .map_or(Setting::NotUnderstood(unknown), |part| {
                        Setting::File(*format, part)
                    }),
                Err(unknown) => Setting::NotUnderstood(unknown.clone()),
            };
        }
        template(&text).map_or(Setting::NotUnderstood(unknown), Setting::Template)
    }

    /// A part of the config by its name; none if the command line gives a value in it, which a file
    /// of that part would not have.
    fn reference(&self, part: &[String]) -> Option<String> {
        let inside = format!("{}.", part.join("."));
        let mut overrides = self.config.overrides.iter();
        let is_whole = !overrides.any(|(key, _)| key.starts_with(&inside));
        crate::value::reference(part).filter(|_| is_whole)
    }

    /// The names in a list, as far as they are known by default.
    fn names(&self, value: &Value) -> Option<Vec<String>> {
        match self.concrete(value)? {
            Object::List(items) => Some(items.iter().map(ToString::to_string).collect()),
            Object::Dict(pairs) => Some(pairs.iter().map(|(key, _)| key.to_string()).collect()),
            _ => None,
        }
    }
}

/// Whether nothing that is given on the command line changes the value.
fn is_fixed(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text
            .iter()
            .any(|piece| matches!(piece, Piece::Parameter(_) | Piece::Config(_))),
        Value::List(items) => items.iter().all(is_fixed),
        Value::Dict(entries) => entries.iter().all(|(_, value)| is_fixed(value)),
        Value::Config(_) | Value::Selection(_) | Value::Unknown(_) => false,
        _ => true,
    }
}
