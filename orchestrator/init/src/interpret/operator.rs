//! Operators, and expressions that choose one of two values.

use mlproject::pyyaml::Object;
use tree_sitter::Node;

use super::Interpreter;
use crate::source::children;
use crate::value::{Value, append, set};

impl<'t> Interpreter<'t> {
    pub(super) fn binary(&mut self, node: Node<'t>) -> Value {
        let fields = ["left", "right"].map(|field| node.child_by_field_name(field));
        let [Some(left), Some(right)] = fields else {
            return self.unknown(node);
        };
        let operator = self.operator(node);
        let (left, right) = (self.eval(left), self.eval(right));
        self.operate(node, &operator, left, right)
    }

    pub(super) fn operate(
        &mut self,
        node: Node<'t>,
        operator: &str,
        left: Value,
        right: Value,
    ) -> Value {
        match (operator, left, right) {
            ("+", Value::List(mut left), Value::List(right)) => {
                left.extend(right);
                Value::List(left)
            }
            ("|", left @ (Value::Dict(_) | Value::Config(_)), right) => {
                let (Some(mut entries), Some(more)) = (self.entries(&left), self.entries(&right))
                else {
                    return self.unknown(node);
                };
                for (key, value) in more {
                    set(&mut entries, &key, value);
                }
                Value::Dict(entries)
            }
            ("+", left @ (Value::Text(_) | Value::Config(_)), right)
                if !matches!(right, Value::Scalar(_)) =>
            {
                let (Some(mut text), Some(more)) = (self.stringify(&left), self.stringify(&right))
                else {
                    return self.first_unknown(node, &[left, right]);
                };
                append(&mut text, &more);
                Value::Text(text)
            }
            ("/", left, right) if is_path(&left) || is_path(&right) => {
                let (Some(base), Some(part)) = (self.stringify(&left), self.stringify(&right))
                else {
                    return self.first_unknown(node, &[left, right]);
                };
                Value::Text(self.joined(&base, &part))
            }
            ("%", Value::Text(text), right) => self.percent(node, &text, &right),
            (operator, Value::Scalar(left), Value::Scalar(right)) => {
                let number = calculated(operator, &left, &right);
                number.map_or_else(|| self.unknown(node), Value::Scalar)
            }
            (_, left, right) => self.first_unknown(node, &[left, right]),
        }
    }

    pub(super) fn unary(&mut self, node: Node<'t>) -> Value {
        let is_minus = self.operator(node) == "-";
        let argument = node.child_by_field_name("argument");
        let value = argument.map(|argument| self.eval(argument));
        match value {
            Some(Value::Scalar(Object::Int(digits))) if is_minus && digits != "0" => {
                let negated = digits
                    .strip_prefix('-')
                    .map_or_else(|| format!("-{digits}"), str::to_owned);
                Value::Scalar(Object::Int(negated))
            }
            Some(Value::Scalar(Object::Float(number))) if is_minus => {
                Value::Scalar(Object::Float(-number))
            }
            _ => self.unknown(node),
        }
    }

    /// `a or b` and `a and b` as values.
    pub(super) fn boolean(&mut self, node: Node<'t>) -> Value {
        let [left, right] = children(node)[..] else {
            return self.unknown(node);
        };
        let takes_left = self.operator(node) == "or";
        let condition = self.condition(left);
        match condition.outcome {
            Some(outcome) => {
                if !condition.is_fixed {
                    self.note_default(node);
                }
                self.eval(if outcome == takes_left { left } else { right })
            }
            None => self.unknown(node),
        }
    }

    pub(super) fn conditional(&mut self, node: Node<'t>) -> Value {
        let [yes, test, no] = children(node)[..] else {
            return self.unknown(node);
        };
        let condition = self.condition(test);
        let (yes, no) = (self.eval(yes), self.eval(no));
        let is_list = |value: &Value| matches!(value, Value::Selection(_) | Value::List(_));
        let selects = is_list(&yes) || is_list(&no);
        match condition.outcome {
            _ if yes == no => yes,
            Some(outcome) if condition.is_fixed => {
                if outcome {
                    yes
                } else {
                    no
                }
            }
            Some(outcome) if selects => {
                let chosen = if outcome { yes } else { no };
                Value::Selection(self.names(&chosen))
            }
            Some(outcome) => {
                self.note_default(node);
                if outcome { yes } else { no }
            }
            None if selects => Value::Selection(None),
            None => self.unknown(node),
        }
    }
}

/// Whether `/` joins it as a path.
fn is_path(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

/// Arithmetic of small integers; what programs of this kind calculate more is not understood.
fn calculated(operator: &str, left: &Object, right: &Object) -> Option<Object> {
    let (Object::Int(left), Object::Int(right)) = (left, right) else {
        return None;
    };
    let (left, right) = (left.parse::<i64>().ok()?, right.parse::<i64>().ok()?);
    let result = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        _ => None,
    };
    result.map(|number| Object::Int(number.to_string()))
}
