//! Functions of the program: their calls are followed into them.

use tree_sitter::Node;

use super::call::Arguments;
use super::statement::Flow;
use super::{Frame, Interpreter};
use crate::source::children;
use crate::value::{Value, set};

/// How many calls of functions may be under way at once.
const MAX_FRAMES: usize = 20;

/// A function that the program defines.
pub(super) struct Function<'t> {
    pub(super) node: Node<'t>,
    pub(super) decorators: Vec<Node<'t>>,
    pub(super) is_entered: bool,
}

/// A parameter of a function.
struct Formal<'t> {
    name: String,
    kind: Kind,
    default: Option<Node<'t>>,
}

#[derive(PartialEq)]
enum Kind {
    Plain,
    /// `*args`.
    Rest,
    /// `**kwargs`.
    Named,
}

impl<'t> Interpreter<'t> {
    /// Enters the functions that nothing has called: something outside of the program may.
    pub(super) fn enter_uncalled(&mut self) {
        for number in 0..self.functions.len() {
            let Function {
                node, is_entered, ..
            } = self.functions[number];
            // Only those that can start a step: the others would tell what nobody asked.
            let may_run = self.source.text(node).contains("run(");
            if may_run && !is_entered {
                self.enter(number, Arguments::default(), node);
            }
        }
    }

    /// A call of the program's own function.
    pub(super) fn enter(&mut self, number: usize, arguments: Arguments, call: Node<'t>) -> Value {
        if self.frames.len() > MAX_FRAMES {
            return self.unknown(call);
        }
        self.functions[number].is_entered = true;
        let node = self.functions[number].node;
        let decorators = self.functions[number].decorators.clone();
        let mut frame = Frame::default();
        let given = self.decorated(&decorators);
        for (name, value) in self.bind(node, arguments, &given, call) {
            frame.variables.insert(name, value);
        }
        self.frames.push(frame);
        let body = node.child_by_field_name("body");
        let flow = body.map_or(Flow::Next, |body| self.block(body));
        let mut returns = self
            .frames
            .pop()
            .map(|frame| frame.returns)
            .unwrap_or_default();
        if let Flow::Return(value) = flow {
            returns.push(value);
        }
        self.returned(&returns, call)
    }

    /// What several returns have in common; the run of a step goes before anything else, for the others
    /// are what was found in its place.
    fn returned(&self, returns: &[Value], call: Node<'t>) -> Value {
        if let Some(run) = returns
            .iter()
            .rev()
            .find(|value| matches!(value, Value::Run(_)))
        {
            return run.clone();
        }
        match returns {
            [] => Value::NONE,
            [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
            _ => self.unknown(call),
        }
    }

    /// The variables of a call: what is given, what the decorators give, the defaults.
    fn bind(
        &mut self,
        node: Node<'t>,
        mut arguments: Arguments,
        given: &[(String, Value)],
        call: Node<'t>,
    ) -> Vec<(String, Value)> {
        let mut bound = Vec::new();
        let mut positional = std::mem::take(&mut arguments.positional).into_iter();
        let mut is_first = true;
        for formal in self.formals(node) {
            let value = match formal.kind {
                Kind::Rest => Value::List(positional.by_ref().collect()),
                Kind::Named => {
                    let mut entries = std::mem::take(&mut arguments.keyword);
                    for (name, value) in given {
                        if !name.is_empty() && bound.iter().all(|(known, _)| known != name) {
                            set(&mut entries, name, value.clone());
                        }
                    }
                    Value::Dict(entries)
                }
                Kind::Plain => {
                    let keyword = arguments
                        .keyword
                        .iter()
                        .position(|(name, _)| *name == formal.name);
                    let keyword = keyword.map(|position| arguments.keyword.remove(position).1);
                    // The config of `hydra.main` has no name: it is the first parameter.
                    let is_given =
                        |name: &str| name == formal.name || (is_first && name.is_empty());
                    let decorated = || {
                        given
                            .iter()
                            .find(|(name, _)| is_given(name))
                            .map(|(_, value)| value.clone())
                    };
                    match positional.next().or(keyword).or_else(decorated) {
                        Some(value) => value,
                        None => self.default_of(&formal, call),
                    }
                }
            };
            is_first = false;
            bound.push((formal.name, value));
        }
        bound
    }

    fn default_of(&mut self, formal: &Formal<'t>, call: Node<'t>) -> Value {
        match formal.default {
            Some(default) => self.eval(default),
            None => self.unknown(call),
        }
    }

    fn formals(&self, node: Node<'t>) -> Vec<Formal<'t>> {
        let parameters = node.child_by_field_name("parameters");
        let parameters = parameters.map(children).unwrap_or_default().into_iter();
        let formals = parameters.filter_map(|parameter| {
            let default = parameter.child_by_field_name("value");
            let named = match parameter.kind() {
                "identifier" | "list_splat_pattern" | "dictionary_splat_pattern" => parameter,
                "typed_parameter" => parameter.named_child(0)?,
                "default_parameter" | "typed_default_parameter" => {
                    parameter.child_by_field_name("name")?
                }
                _ => return None,
            };
            let kind = match named.kind() {
                "list_splat_pattern" => Kind::Rest,
                "dictionary_splat_pattern" => Kind::Named,
                _ => Kind::Plain,
            };
            let name = self.source.text(named).trim_start_matches('*').to_owned();
            Some(Formal {
                name,
                kind,
                default,
            })
        });
        formals.collect()
    }

    /// The names of a function's parameters, with their defaults.
    pub(super) fn parameters(&self, number: usize) -> Vec<(String, Option<Node<'t>>)> {
        let formals = self.formals(self.functions[number].node).into_iter();
        formals
            .map(|formal| (formal.name, formal.default))
            .collect()
    }
}
