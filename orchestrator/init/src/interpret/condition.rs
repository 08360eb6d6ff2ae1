//! Conditions: which step they ask for, and what they are by default.

use std::collections::HashMap;

use mlproject::pyyaml::Object;
use tree_sitter::Node;

use super::statement::Flow;
use super::{Guard, Interpreter, is_fixed};
use crate::source::children;
use crate::value::{Unknown, Value};

/// The variables of the function that is followed, and those of the environment.
type State = (HashMap<String, Value>, Vec<(String, Value)>);

/// What is known of a condition.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// The step that it asks for by name: `"train" in active_steps`.
    name: Option<String>,
    /// What it is when nothing is given on the command line.
    pub(super) outcome: Option<bool>,
    /// Whether nothing that is given changes that.
    pub(super) is_fixed: bool,
    /// Whether it asks for more than the names of steps.
    asks_more: bool,
}

impl Condition {
    fn of(outcome: Option<bool>, is_fixed: bool) -> Condition {
        Condition {
            name: None,
            outcome,
            is_fixed: is_fixed && outcome.is_some(),
            asks_more: !is_fixed,
        }
    }

    fn and(self, other: Condition) -> Condition {
        let outcome = match (self.outcome, other.outcome) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        Condition {
            name: self.name.or(other.name),
            outcome,
            is_fixed: self.is_fixed && other.is_fixed,
            asks_more: self.asks_more || other.asks_more,
        }
    }

    fn not(self) -> Condition {
        Condition {
            name: None,
            outcome: self.outcome.map(|outcome| !outcome),
            ..self
        }
    }

    fn or(self, other: Condition) -> Condition {
        let name = self.name.clone().or(other.name.clone());
        let both = self.not().and(other.not()).not();
        Condition { name, ..both }
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn if_statement(&mut self, node: Node<'t>) -> Flow {
        let mut cursor = node.walk();
        let clauses: Vec<Node> = node
            .children_by_field_name("alternative", &mut cursor)
            .collect();
        self.if_clause(node, &clauses)
    }

    /// `if` or `elif`, with the clauses behind it.
    fn if_clause(&mut self, node: Node<'t>, rest: &[Node<'t>]) -> Flow {
        let fields = ["condition", "consequence"].map(|field| node.child_by_field_name(field));
        let [Some(test), Some(block)] = fields else {
            return Flow::Next;
        };
        let condition = self.condition(test);
        if let Some(name) = condition.name {
            let is_default = condition.outcome.unwrap_or(true);
            let remark = condition.asks_more.then(|| self.asked(test));
            let guard = |name, is_default| Guard {
                name,
                is_default,
                remark: remark.clone(),
            };
            self.guarded(guard(Some(name), is_default), |this| this.block(block));
            self.shadowed(guard(None, !is_default), |this| this.alternative(rest));
            return Flow::Next;
        }
        match condition.outcome {
            Some(true) if condition.is_fixed => self.block(block),
            Some(false) if condition.is_fixed => self.alternative(rest),
            Some(outcome) => self.by_default(test, outcome, block, rest),
            None => self.both(test, block, rest),
        }
    }

    fn alternative(&mut self, rest: &[Node<'t>]) -> Flow {
        match rest.split_first() {
            None => Flow::Next,
            Some((clause, rest)) if clause.kind() == "elif_clause" => self.if_clause(*clause, rest),
            Some((clause, _)) => {
                let body = clause.child_by_field_name("body");
                body.map_or(Flow::Next, |body| self.block(body))
            }
        }
    }

    /// A condition that the command line can change: what holds by default goes on, the rest is
    /// followed for its steps.
    fn by_default(
        &mut self,
        test: Node<'t>,
        outcome: bool,
        block: Node<'t>,
        rest: &[Node<'t>],
    ) -> Flow {
        let remark = self.asked(test);
        let guard = |is_default| Guard {
            name: None,
            is_default,
            remark: Some(remark.clone()),
        };
        let enter = |this: &mut Self, branch: bool| {
            if branch {
                this.block(block)
            } else {
                this.alternative(rest)
            }
        };
        let before = self.state();
        // The steps stand in both, each with a word about the condition; of all else that differs one is told.
        let other = self.shadowed(guard(false), |this| enter(this, !outcome));
        let flow = self.guarded(guard(true), |this| enter(this, outcome));
        if other || self.has_changed(&before) {
            self.note_default(test);
        }
        flow
    }

    /// A condition that nobody can know: both branches, and what they agree on.
    fn both(&mut self, test: Node<'t>, block: Node<'t>, rest: &[Node<'t>]) -> Flow {
        let remark = Some(self.asked(test));
        let guard = || Guard {
            name: None,
            is_default: true,
            remark: remark.clone(),
        };
        let (before, _) = self.state();
        let flow = self.guarded(guard(), |this| this.block(block));
        self.settle(flow);
        let first = std::mem::replace(self.variables(), before);
        let flow = self.guarded(guard(), |this| this.alternative(rest));
        self.settle(flow);
        let unknown = self.unknown(test);
        for (name, value) in first {
            match self.variables().get_mut(&name) {
                Some(other) if *other == value || matches!(other, Value::Run(_)) => {}
                Some(other) if !matches!(value, Value::Run(_)) => *other = unknown.clone(),
                _ => {
                    self.variables().insert(name, value);
                }
            }
        }
        Flow::Next
    }

    /// A condition as the remark of a step.
    fn asked(&self, test: Node) -> Unknown {
        let Unknown { line, text } = self.not_understood(test);
        Unknown {
            line,
            text: format!("if {text}"),
        }
    }

    fn guarded(&mut self, guard: Guard, enter: impl FnOnce(&mut Self) -> Flow) -> Flow {
        self.guards.push(guard);
        let flow = enter(self);
        self.guards.pop();
        flow
    }

    /// As [`Interpreter::guarded`], and forgets all but the steps; tells whether there was more.
    fn shadowed(&mut self, guard: Guard, enter: impl FnOnce(&mut Self) -> Flow) -> bool {
        let before = self.state();
        let dumps = self.dumps.clone();
        self.guarded(guard, enter);
        let has_changed = self.has_changed(&before);
        (*self.variables(), self.environment) = before;
        self.dumps = dumps;
        has_changed
    }

    /// A copy of the variables, which is paid for by what they hold.
    fn state(&mut self) -> State {
        let variables = self.variables().clone();
        let weight: usize = variables.values().map(Value::weight).sum();
        self.burn(weight / 64);
        (variables, self.environment.clone())
    }

    /// Whether something else than a list of steps, or the run of one, was set.
    fn has_changed(&self, (variables, environment): &State) -> bool {
        let now = self.frames.last().map(|frame| &frame.variables);
        let mut changed = now
            .into_iter()
            .flatten()
            .filter(|(name, value)| variables.get(*name) != Some(*value));
        changed.any(|(_, value)| {
            !matches!(value, Value::Run(_) | Value::Selection(_)) && self.names(value).is_none()
        }) || self.environment != *environment
    }

    pub(super) fn condition(&mut self, node: Node<'t>) -> Condition {
        let parts = children(node);
        match (node.kind(), parts.as_slice()) {
            ("parenthesized_expression", [inner]) => self.condition(*inner),
            ("not_operator", [inner]) => self.condition(*inner).not(),
            ("boolean_operator", [left, right]) => {
                let is_and = self.operator(node) == "and";
                let (left, right) = (self.condition(*left), self.condition(*right));
                if is_and {
                    left.and(right)
                } else {
                    left.or(right)
                }
            }
            ("comparison_operator", [left, right]) => self.comparison(node, *left, *right),
            ("call", _) if self.is_call_of(node, "isinstance") => self.isinstance(node),
            _ => {
                let value = self.eval(node);
                self.truth(&value)
            }
        }
    }

    /// The words between the operands.
    pub(super) fn operator(&self, node: Node<'t>) -> String {
        let mut cursor = node.walk();
        let words = node.children(&mut cursor).filter(|child| !child.is_named());
        let words: Vec<&str> = words.map(|word| self.source.text(word)).collect();
        words.join(" ")
    }

    fn comparison(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Condition {
        let operator = self.operator(node);
        let (left, right) = (self.eval(left), self.eval(right));
        match operator.as_str() {
            "in" => self.membership(&left, &right),
            "not in" => self.membership(&left, &right).not(),
            "==" | "is" => self.equality(&left, &right),
            "!=" | "is not" | "<>" => self.equality(&left, &right).not(),
            _ => Condition::default(),
        }
    }

    fn equality(&self, left: &Value, right: &Value) -> Condition {
        if let (Value::Run(_), Value::Scalar(Object::None)) = (left, right) {
            return Condition::of(Some(false), true);
        }
        let values = self.concrete(left).zip(self.concrete(right));
        // What the command line gives is a text, whatever it is compared with.
        let outcome =
            values.map(|(left, right)| left == right || left.to_string() == right.to_string());
        Condition::of(outcome, is_fixed(left) && is_fixed(right))
    }

    /// `"train" in active_steps`; of a mapping it asks for a key.
    fn membership(&self, left: &Value, right: &Value) -> Condition {
        let wanted = self.concrete(left).map(|wanted| wanted.to_string());
        let list = self.concrete(right);
        let outcome = match (&wanted, &list) {
            (Some(wanted), Some(Object::List(items))) => {
                Some(items.iter().any(|item| item.to_string() == *wanted))
            }
            (Some(wanted), Some(Object::Dict(pairs))) => {
                Some(pairs.iter().any(|(key, _)| key.to_string() == *wanted))
            }
            (Some(wanted), Some(Object::Str(text))) => Some(text.contains(wanted.as_str())),
            _ => None,
        };
        let is_list = match &list {
            None | Some(Object::List(_)) => !matches!(right, Value::Dict(_)),
            Some(Object::Str(_)) => !is_fixed(right),
            Some(_) => false,
        };
        let condition = Condition::of(outcome, is_fixed(left) && is_fixed(right));
        let is_text = matches!(self.concrete(left), Some(Object::Str(_)));
        let is_name = is_list && is_text && is_fixed(left);
        Condition {
            // The word for all of them is the name of none.
            name: wanted.filter(|name| is_name && name != "all"),
            asks_more: condition.asks_more && !is_name,
            ..condition
        }
    }

    fn isinstance(&mut self, node: Node<'t>) -> Condition {
        let arguments = self.arguments(node);
        let [value, class] = arguments.positional.as_slice() else {
            return Condition::default();
        };
        let kind = match self.concrete(value) {
            Some(Object::Str(_)) => "str",
            Some(Object::List(_)) => "list",
            Some(Object::Dict(_)) => "dict",
            Some(Object::Int(_)) => "int",
            Some(Object::Float(_)) => "float",
            Some(Object::Bool(_)) => "bool",
            _ => return Condition::default(),
        };
        let Value::Global(class) = class else {
            return Condition::default();
        };
        let class = match class.rsplit('.').next().unwrap_or_default() {
            "ListConfig" => "list",
            "DictConfig" => "dict",
            other => other,
        };
        Condition::of(Some(kind == class), is_fixed(value))
    }

    fn truth(&self, value: &Value) -> Condition {
        match value {
            Value::Run(_) | Value::Function(_) | Value::Namespace(_) => {
                Condition::of(Some(true), true)
            }
            Value::List(items) => Condition::of(Some(!items.is_empty()), true),
            Value::Dict(entries) => Condition::of(Some(!entries.is_empty()), true),
            value => {
                let outcome = self.concrete(value).map(|object| object.is_true());
                Condition::of(outcome, is_fixed(value))
            }
        }
    }
}
