//! Statements: what they assign, and where they lead.

use tree_sitter::Node;

use super::{Function, Guard, Interpreter, MAX_DEPTH};
use crate::source::{children, line, shortened};
use crate::value::{Piece, Unknown, Value, set};

/// Where a statement leads.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Raise,
    Return(Value),
}

impl<'t> Interpreter<'t> {
    pub(super) fn block(&mut self, node: Node<'t>) -> Flow {
        for statement in children(node) {
            match self.statement(statement) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    fn statement(&mut self, node: Node<'t>) -> Flow {
        if !self.burn(1) || self.depth >= MAX_DEPTH {
            return Flow::Next;
        }
        self.depth += 1;
        let flow = self.step_over(node);
        self.depth -= 1;
        flow
    }

    fn step_over(&mut self, node: Node<'t>) -> Flow {
        match node.kind() {
            "expression_statement" => {
                for expression in children(node) {
                    self.eval(expression);
                }
            }
            "if_statement" => return self.if_statement(node),
            "for_statement" => return self.for_statement(node),
            "while_statement" => return self.maybe(node, node.child_by_field_name("body")),
            "with_statement" => return self.with_statement(node),
            "try_statement" => return self.try_statement(node),
            "match_statement" => {
                let body = node.child_by_field_name("body");
                for case in body.map(children).unwrap_or_default() {
                    self.maybe(case, case.child_by_field_name("consequence"));
                }
            }
            "function_definition" => self.define(node, Vec::new()),
            "decorated_definition" => {
                if let Some(definition) = node.child_by_field_name("definition")
                    && definition.kind() == "function_definition"
                {
                    let parts = children(node).into_iter();
                    self.define(
                        definition,
                        parts.filter(|it| it.kind() == "decorator").collect(),
                    );
                }
            }
            "import_statement" | "import_from_statement" => self.import(node),
            "return_statement" => {
                let value = children(node).first().map(|value| self.eval(*value));
                return Flow::Return(value.unwrap_or(Value::NONE));
            }
            "raise_statement" => return Flow::Raise,
            "break_statement" => return Flow::Break,
            "continue_statement" => return Flow::Continue,
            _ => {}
        }
        Flow::Next
    }

    fn define(&mut self, node: Node<'t>, decorators: Vec<Node<'t>>) {
        let Some(name) = node.child_by_field_name("name") else {
            return;
        };
        let name = self.source.text(name).to_owned();
        self.functions.push(Function {
            node,
            decorators,
            is_entered: false,
        });
        let function = Value::Function(self.functions.len() - 1);
        self.variables().insert(name, function);
    }

    /// `import a.b`, `import a.b as c`, `from a import b as c`.
    fn import(&mut self, node: Node<'t>) {
        let module = node.child_by_field_name("module_name");
        let module = module.map(|module| self.source.text(module).to_owned());
        let mut cursor = node.walk();
        let names: Vec<Node> = node.children_by_field_name("name", &mut cursor).collect();
        for name in names {
            let (path, alias) = match name.child_by_field_name("alias") {
                Some(alias) => (name.child_by_field_name("name"), Some(alias)),
                None => (Some(name), None),
            };
            let Some(path) = path.map(|path| self.source.text(path).to_owned()) else {
                continue;
            };
            let alias = alias.map(|alias| self.source.text(alias).to_owned());
            let (bound, global) = match (&module, alias) {
                (Some(module), alias) => (
                    alias.unwrap_or_else(|| path.clone()),
                    format!("{module}.{path}"),
                ),
                (None, Some(alias)) => (alias, path),
                // `import os.path` binds `os`.
                (None, None) => {
                    let first = path.split('.').next().unwrap_or_default().to_owned();
                    (first.clone(), first)
                }
            };
            self.variables().insert(bound, Value::Global(global));
        }
    }

    fn with_statement(&mut self, node: Node<'t>) -> Flow {
        let clauses = children(node).into_iter();
        for item in clauses
            .filter(|it| it.kind() == "with_clause")
            .flat_map(children)
        {
            let Some(value) = item.child_by_field_name("value") else {
                continue;
            };
            if value.kind() == "as_pattern" {
                let parts = children(value);
                let entered = parts.first().map(|value| self.eval(*value));
                let target = parts.get(1).and_then(|target| target.named_child(0));
                if let (Some(entered), Some(target)) = (entered, target) {
                    self.assign(target, entered);
                }
            } else {
                self.eval(value);
            }
        }
        let body = node.child_by_field_name("body");
        body.map_or(Flow::Next, |body| self.block(body))
    }

    /// As if nothing failed: the body, `else` and `finally`.
    fn try_statement(&mut self, node: Node<'t>) -> Flow {
        for part in children(node) {
            let block = match part.kind() {
                "block" => Some(part),
                "else_clause" => part.child_by_field_name("body"),
                "finally_clause" => children(part).into_iter().find(|it| it.kind() == "block"),
                _ => None,
            };
            match block.map_or(Flow::Next, |block| self.block(block)) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    fn for_statement(&mut self, node: Node<'t>) -> Flow {
        let fields = ["left", "right", "body"].map(|field| node.child_by_field_name(field));
        let [Some(left), Some(right), Some(body)] = fields else {
            return Flow::Next;
        };
        let value = self.eval(right);
        let Some(items) = self.iterated(right, &value) else {
            let unknown = self.unknown(right);
            self.assign(left, unknown);
            return self.maybe(node, Some(body));
        };
        for item in items {
            if !self.burn(1) {
                break;
            }
            self.assign(left, item);
            match self.block(body) {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                flow => return flow,
            }
        }
        Flow::Next
    }

    /// A block that runs once, more often or not at all: nobody can know.
    pub(super) fn maybe(&mut self, condition: Node<'t>, block: Option<Node<'t>>) -> Flow {
        let Some(block) = block else {
            return Flow::Next;
        };
        // What stands in front of the block: `for name in names()`.
        let head = &self.source.text(condition)[..block.start_byte() - condition.start_byte()];
        let head = head.trim_end().trim_end_matches(':');
        self.guards.push(Guard {
            name: None,
            is_default: true,
            remark: Some(Unknown {
                line: line(condition),
                text: shortened(head),
            }),
        });
        let flow = self.block(block);
        self.guards.pop();
        self.settle(flow);
        Flow::Next
    }

    /// Keeps what a block returns that may not have run.
    pub(super) fn settle(&mut self, flow: Flow) {
        if let Flow::Return(value) = flow
            && let Some(frame) = self.frames.last_mut()
        {
            frame.returns.push(value);
        }
    }

    /// What a loop over an expression goes through: of `config["a"].items()` pairs.
    pub(super) fn iterated(&self, node: Node<'t>, value: &Value) -> Option<Vec<Value>> {
        let Value::Config(path) = value else {
            return self.items(value);
        };
        let function = node.child_by_field_name("function");
        let method = function.and_then(|function| function.child_by_field_name("attribute"));
        if method.is_none_or(|method| self.source.text(method) != "items") {
            return self.items(value);
        }
        let pairs = self.config_entries(path)?.into_iter();
        let pair = |(key, value)| Value::List(vec![Value::literal(key as String), value]);
        Some(pairs.map(pair).collect())
    }

    /// What a value holds; none if it cannot be known.
    pub(super) fn items(&self, value: &Value) -> Option<Vec<Value>> {
        match value {
            Value::List(items) => Some(items.clone()),
            Value::Dict(entries) => Some(
                entries
                    .iter()
                    .map(|(key, _)| Value::literal(key.as_str()))
                    .collect(),
            ),
            Value::Config(path) => self.config_items(path),
            Value::Selection(names) => {
                let names = names.clone()?.into_iter();
                Some(names.map(Value::literal).collect())
            }
            _ => None,
        }
    }

    pub(super) fn assign(&mut self, target: Node<'t>, value: Value) {
        match target.kind() {
            "identifier" => {
                let name = self.source.text(target).to_owned();
                self.variables().insert(name, value);
            }
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "list" => {
                let targets = children(target);
                let items = match value {
                    Value::List(items) if items.len() == targets.len() => Some(items),
                    _ => None,
                };
                for (position, target) in targets.into_iter().enumerate() {
                    let item = items.as_ref().map(|items| items[position].clone());
                    let item = item.unwrap_or_else(|| self.unknown(target));
                    self.assign(target, item);
                }
            }
            "subscript" | "attribute" => self.assign_part(target, value),
            _ => {}
        }
    }

    /// `os.environ["A"] = value`, `settings["a"] = value`, `config.a.b = value`.
    fn assign_part(&mut self, target: Node<'t>, value: Value) {
        let is_attribute = target.kind() == "attribute";
        let fields = if is_attribute {
            ["object", "attribute"]
        } else {
            ["value", "subscript"]
        };
        let [Some(object), Some(key)] = fields.map(|field| target.child_by_field_name(field))
        else {
            return;
        };
        let key = if is_attribute {
            Some(self.source.text(key).to_owned())
        } else {
            let key = self.eval(key);
            self.concrete(&key).map(|key| key.to_string())
        };
        let Some(key) = key else {
            return;
        };
        match self.eval(object) {
            Value::Global(name) if name == "os.environ" => {
                self.set_variable(target, &key, value);
            }
            Value::Dict(mut entries) => {
                set(&mut entries, &key, value);
                self.assign(object, Value::Dict(entries));
            }
            Value::Namespace(mut entries) => {
                set(&mut entries, &key, value);
                self.assign(object, Value::Namespace(entries));
            }
            // A variable with a part of the config: from here on it is a dictionary of its own.
            Value::Config(path) if object.kind() == "identifier" && !path.is_empty() => {
                let mut entries = self.config_entries(&path).unwrap_or_default();
                set(&mut entries, &key, value);
                self.assign(object, Value::Dict(entries));
            }
            Value::Config(mut path) => {
                path.push(key);
                let text = self
                    .stringify(&value)
                    .unwrap_or_else(|| vec![Piece::Temporary]);
                self.config.overrides.insert(0, (path.join("."), text));
            }
            _ => {}
        }
    }

    /// `os.environ[name] = value`.
    pub(super) fn set_variable(&mut self, node: Node<'t>, name: &str, value: Value) {
        let is_ours = name == "MLFLOW_RUN_ID"
            || name == "MLFLOW_TRACKING_URI"
            || name == "PIPELINE_METRICS"
            || name.starts_with("MLFLOW_EXPERIMENT_");
        if is_ours {
            let text = format!(
                "`{name}` cannot be set in `env:`; give `--tracking-uri` or `--experiment-name`, or set it outside"
            );
            self.note(node, text);
            return;
        }
        let value = match value {
            // The place where it is set says more than the expression alone.
            Value::Unknown(_) => self.unknown(node),
            value => value,
        };
        set(&mut self.environment, name, value);
    }
}
