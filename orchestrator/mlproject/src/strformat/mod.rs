//! The command line of a step: a template in Python's `str.format` grammar, filled with values that
//! are quoted for the shell, and followed by the parameters that the project does not declare.
//!
//! The text is MLflow's to the byte, with one deliberate exception: see [`render`]. What makes Python
//! raise is an error here, and so is attribute access (`{name.upper}`), whose text Python does not
//! keep from run to run.

mod spec;

use std::collections::HashMap;

use thiserror::Error;

use crate::pyyaml::repr_str;
use crate::shell::quote;
use spec::{Format, decimal};

/// The longest command line that [`render`] makes, in bytes; beyond it no system can start a shell.
pub const MAX_LENGTH: usize = 1 << 20;

/// How deep fields may nest, as in Python: a field, and fields in its format spec.
const MAX_NESTING: usize = 2;

/// Why a template cannot be rendered; `offset` counts the bytes in front of the placeholder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum TemplateError {
    #[error("placeholder `{{{name}}}` has no parameter of that name{}", shell_hint(name, *shell))]
    UnknownName {
        name: String,
        offset: usize,
        shell: bool,
    },
    #[error(
        "placeholder `{placeholder}` does not name a parameter; write `{{{{` and `}}}}` for literal braces"
    )]
    Unnamed { placeholder: String, offset: usize },
    #[error("`{{` opens a placeholder that is not closed; write `{{{{` for a literal brace")]
    Unclosed { offset: usize },
    #[error("`}}` closes nothing; write `}}}}` for a literal brace")]
    SingleClose { offset: usize },
    #[error(
        "the name in placeholder `{placeholder}` contains `{{`; write `{{{{` and `}}}}` for literal braces"
    )]
    BraceInName { placeholder: String, offset: usize },
    #[error(
        "placeholder `{placeholder}` asks for an attribute; only `[0]`, `!r`, `!s`, `!a` and a format can follow a name"
    )]
    Attribute { placeholder: String, offset: usize },
    #[error(
        "placeholder `{placeholder}` has an index that its value does not have; expected a position such as `[0]`"
    )]
    BadIndex { placeholder: String, offset: usize },
    #[error("placeholder `{placeholder}` has an unknown conversion; expected `!r`, `!s` or `!a`")]
    BadConversion { placeholder: String, offset: usize },
    #[error(
        "placeholder `{placeholder}` has a format that a text cannot have; expected one such as `>10`, `^10` or `.3`"
    )]
    BadFormat { placeholder: String, offset: usize },
    #[error("placeholder `{placeholder}` nests fields too deeply; expected at most `{{a:{{b}}}}`")]
    TooNested { placeholder: String, offset: usize },
    #[error("the command is longer than {MAX_LENGTH} bytes with its values filled in")]
    TooLong { offset: usize },
    #[error("the command has a NUL character in it, which no program can be given")]
    Nul { offset: usize },
}

impl TemplateError {
    /// Where in the template the placeholder begins, in bytes.
    pub fn offset(&self) -> usize {
        match *self {
            Self::UnknownName { offset, .. }
            | Self::Unnamed { offset, .. }
            | Self::Unclosed { offset }
            | Self::SingleClose { offset }
            | Self::BraceInName { offset, .. }
            | Self::Attribute { offset, .. }
            | Self::BadIndex { offset, .. }
            | Self::BadConversion { offset, .. }
            | Self::BadFormat { offset, .. }
            | Self::TooNested { offset, .. }
            | Self::TooLong { offset }
            | Self::Nul { offset } => offset,
        }
    }
}

fn shell_hint(name: &str, shell: bool) -> String {
    if shell {
        format!("; write `${{{{{name}}}}}` for a shell variable")
    } else {
        String::new()
    }
}

/// Fills the template with the quoted `parameters` and appends `extra` as ` --key value`.
///
/// MLflow appends them to the text as it is, so that the final newline of a block scalar makes a
/// command of its own of them. Here that newline goes, but only when something is appended.
pub fn render(
    template: &str,
    parameters: &[(String, String)],
    extra: &[(String, String)],
) -> Result<String, TemplateError> {
    let template = if extra.is_empty() {
        template
    } else {
        without_final_blanks(template)
    };
    let values = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), quote(value)))
        .collect();
    let mut command = Renderer::new(values, false).expand(template, 1, 0)?;
    for (key, value) in extra {
        command.extend([" --", &quote(key), " ", &quote(value)]);
        if command.len() > MAX_LENGTH {
            return Err(TemplateError::TooLong {
                offset: template.len(),
            });
        }
    }
    if command.contains('\0') {
        let offset = template.find('\0').unwrap_or_default();
        return Err(TemplateError::Nul { offset });
    }
    Ok(command)
}

/// Fills a template that is no command: the same grammar, the values as they are.
pub fn fill(template: &str, parameters: &[(String, String)]) -> Result<String, TemplateError> {
    let values = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    Renderer::new(values, true).expand(template, 1, 0)
}

/// The names of a template's placeholders with their indexes, such as `a` and `config[b][0]`, those in format
/// specs included.
///
/// [`fill`] takes the value of such a whole name before it looks for an index of a text.
pub fn names(template: &str) -> Result<Vec<String>, TemplateError> {
    let (mut names, mut texts) = (Vec::new(), vec![(template, 0, 1)]);
    while let Some((text, base, nesting)) = texts.pop() {
        for field in fields(text, base)? {
            names.push(field.name.to_owned());
            if nesting < MAX_NESTING {
                let at = field.offset + field.placeholder.len() - 1 - field.spec.len();
                texts.push((field.spec, at, nesting + 1));
            }
        }
    }
    Ok(names)
}

/// The template in which placeholders of some names are texts that stand for themselves.
pub fn keep(template: &str, is_kept: impl Fn(&str) -> bool) -> Result<String, TemplateError> {
    let (mut out, mut end) = (String::new(), 0);
    for field in fields(template, 0)? {
        out += &template[end..field.offset];
        end = field.offset + field.placeholder.len();
        if is_kept(field.name) {
            out += &field.placeholder.replace('{', "{{").replace('}', "}}");
        } else {
            out += field.placeholder;
        }
    }
    Ok(out + &template[end..])
}

/// The placeholders of a text that begins `base` bytes into the template; those in format specs are theirs.
fn fields(text: &str, base: usize) -> Result<Vec<Field<'_>>, TemplateError> {
    let (mut fields, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let offset = base + text.len() - rest.len() + at;
        let from_brace = &rest[at..];
        if from_brace.starts_with("{{") || from_brace.starts_with("}}") {
            rest = &from_brace[2..];
            continue;
        }
        if from_brace.starts_with('}') {
            return Err(TemplateError::SingleClose { offset });
        }
        let field = parse_field(from_brace, offset, false)?;
        rest = &from_brace[field.placeholder.len()..];
        fields.push(field);
    }
    Ok(fields)
}

/// A placeholder's name without its indexes, and these; none if anything else follows.
pub fn indexes(name: &str) -> Option<(&str, Vec<String>)> {
    let (name, mut rest) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
    let mut indexes = Vec::new();
    while !rest.is_empty() {
        let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
        indexes.push(index.to_owned());
        rest = after;
    }
    Some((name, indexes))
}

/// Cuts blanks and newlines off the end, but not the one that a final backslash escapes.
fn without_final_blanks(template: &str) -> &str {
    let text = template.trim_end_matches([' ', '\t', '\n']);
    let backslashes = text.len() - text.trim_end_matches('\\').len();
    let escaped = usize::from(backslashes % 2 == 1 && text.len() < template.len());
    &template[..text.len() + escaped]
}

/// A placeholder taken apart: `{name!conversion:spec}`.
struct Field<'t> {
    name: &'t str,
    conversion: Option<char>,
    spec: &'t str,
    /// All of it, braces included.
    placeholder: &'t str,
    offset: usize,
    /// Whether a `$` stands before it, as for a shell variable.
    shell: bool,
}

struct Renderer<'p> {
    values: HashMap<&'p str, String>,
    /// Whether a name with its indexes may have a value of its own.
    has_indexed: bool,
    /// Bytes written so far, those of intermediate texts included: a bound on the work.
    spent: usize,
}

impl<'p> Renderer<'p> {
    fn new(values: HashMap<&'p str, String>, has_indexed: bool) -> Self {
        Renderer {
            values,
            has_indexed,
            spent: 0,
        }
    }

    /// Expands `text`, which begins `base` bytes into the template, in one pass from left to right.
    fn expand(&mut self, text: &str, nesting: usize, base: usize) -> Result<String, TemplateError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let offset = base + text.len() - rest.len() + at;
            self.push(&mut out, &rest[..at], offset)?;
            let from_brace = &rest[at..];
            if from_brace.starts_with("{{") || from_brace.starts_with("}}") {
                out.push_str(&from_brace[..1]);
                rest = &from_brace[2..];
            } else if from_brace.starts_with('}') {
                return Err(TemplateError::SingleClose { offset });
            } else {
                let field = parse_field(from_brace, offset, rest[..at].ends_with('$'))?;
                let value = self.fill(&field, nesting)?;
                self.push(&mut out, &value, offset)?;
                rest = &from_brace[field.placeholder.len()..];
            }
        }
        self.push(&mut out, rest, base)?;
        Ok(out)
    }

    fn push(&mut self, out: &mut String, text: &str, offset: usize) -> Result<(), TemplateError> {
        self.spend(text.len(), offset)?;
        out.push_str(text);
        Ok(())
    }

    fn spend(&mut self, bytes: usize, offset: usize) -> Result<(), TemplateError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > MAX_LENGTH {
            Err(TemplateError::TooLong { offset })
        } else {
            Ok(())
        }
    }

    fn fill(&mut self, field: &Field, nesting: usize) -> Result<String, TemplateError> {
        let placeholder = || field.placeholder.to_owned();
        let offset = field.offset;
        if nesting > MAX_NESTING {
            return Err(TemplateError::TooNested {
                placeholder: placeholder(),
                offset,
            });
        }
        let value = self.look_up(field)?;
        // A conversion makes up to ten bytes of one.
        self.spend(field.conversion.map_or(0, |_| value.len()), offset)?;
        let value = match field.conversion {
            None | Some('s') => value,
            Some('r') => repr_str(&value),
            Some('a') => ascii(&repr_str(&value)),
            Some(_) => {
                return Err(TemplateError::BadConversion {
                    placeholder: placeholder(),
                    offset,
                });
            }
        };
        if field.spec.is_empty() {
            return Ok(value);
        }
        let spec = if field.spec.contains('{') {
            let spec_offset = offset + field.placeholder.len() - 1 - field.spec.len();
            self.expand(field.spec, nesting + 1, spec_offset)?
        } else {
            field.spec.to_owned()
        };
        let format = Format::parse(&spec).ok_or_else(|| TemplateError::BadFormat {
            placeholder: placeholder(),
            offset,
        })?;
        self.spend(format.longest_padding(), offset)?;
        Ok(format.apply(&value))
    }

    /// The value that a field names, or the character of it that an index picks.
    fn look_up(&self, field: &Field) -> Result<String, TemplateError> {
        let Field { offset, shell, .. } = *field;
        let placeholder = || field.placeholder.to_owned();
        let whole = self.values.get(field.name);
        // In a command it is as in Python, where no name has brackets.
        if let Some(value) = whole.filter(|_| self.has_indexed && field.name.contains('[')) {
            return Ok(value.clone());
        }
        let (name, mut rest) = field
            .name
            .split_at(field.name.find(['.', '[']).unwrap_or(field.name.len()));
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TemplateError::Unnamed {
                placeholder: placeholder(),
                offset,
            });
        }
        let Some(value) = self.values.get(name) else {
            return Err(TemplateError::UnknownName {
                name: name.to_owned(),
                offset,
                shell,
            });
        };
        let mut value = value.clone();
        while !rest.is_empty() {
            if rest.starts_with('.') {
                return Err(TemplateError::Attribute {
                    placeholder: placeholder(),
                    offset,
                });
            }
            let index = rest
                .strip_prefix('[')
                .and_then(|inside| inside.split_once(']'));
            let character = index.and_then(|(digits, _)| value.chars().nth(decimal(digits)?));
            let (Some((_, after)), Some(character)) = (index, character) else {
                return Err(TemplateError::BadIndex {
                    placeholder: placeholder(),
                    offset,
                });
            };
            value = character.to_string();
            rest = after;
        }
        Ok(value)
    }
}

/// Takes the placeholder apart that `text` begins with.
fn parse_field(text: &str, offset: usize, shell: bool) -> Result<Field<'_>, TemplateError> {
    let unclosed = TemplateError::Unclosed { offset };
    let inside = &text[1..];
    let name = &inside[..name_length(inside).ok_or(unclosed.clone())?];
    let mut rest = &inside[name.len()..];
    if rest.starts_with('{') {
        let placeholder = text[..=name.len() + 1].to_owned();
        return Err(TemplateError::BraceInName {
            placeholder,
            offset,
        });
    }
    let mut conversion = None;
    if let Some(after) = rest.strip_prefix('!') {
        conversion = after.chars().next();
        rest = &after[conversion.ok_or(unclosed.clone())?.len_utf8()..];
        if !rest.starts_with(['}', ':']) {
            let end = text.len() - rest.len();
            let placeholder = text[..end].to_owned();
            return Err(TemplateError::BadConversion {
                placeholder,
                offset,
            });
        }
    }
    let spec = match rest.strip_prefix(':') {
        Some(after) => &after[..spec_length(after).ok_or(unclosed)?],
        None => "",
    };
    let end = text.len() - rest.len() + usize::from(rest.starts_with(':')) + spec.len() + 1;
    Ok(Field {
        name,
        conversion,
        spec,
        placeholder: &text[..end],
        offset,
        shell,
    })
}

/// The length of a field's name: up to `!`, `:` or `}`, which lose their meaning between brackets.
fn name_length(text: &str) -> Option<usize> {
    let mut in_brackets = false;
    text.find(|character| match character {
        '[' | ']' => {
            in_brackets = character == '[';
            false
        }
        '{' => true,
        '}' | ':' | '!' => !in_brackets,
        _ => false,
    })
}

/// The length of a format spec: up to the brace that closes the field.
fn spec_length(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    text.find(|character| {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            _ => (),
        }
        open == 0
    })
}

/// Escapes what is not ASCII, as Python's `ascii()` does with the text of `repr()`.
fn ascii(text: &str) -> String {
    let escape = |character: char| match u32::from(character) {
        0..=0x7f => character.to_string(),
        code @ 0x80..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn filled(template: &str) -> Result<String, TemplateError> {
        let parameters = [
            ("a", "x y"),
            ("b", "5"),
            ("a-b", "1"),
            ("a b", "2"),
            ("ü", "{b}"),
            ("e", ""),
            ("q", "é'"),
        ];
        render(template, &pairs(&parameters), &[])
    }

    #[test]
    fn placeholders_are_found_with_their_indexes() {
        let names = |template| names(template).map(|names| names.join(" "));
        for (template, expected) in [
            ("{a} {{b}} {c[d][e f]!r:>{g[0]}}", "a c[d][e f] g[0]"),
            ("", ""),
            ("{config[a:b]}", "config[a:b]"),
        ] {
            assert_eq!(names(template).as_deref(), Ok(expected), "{template}");
        }
        assert_eq!(names("x}"), Err(TemplateError::SingleClose { offset: 1 }));
        assert_eq!(names("x{"), Err(TemplateError::Unclosed { offset: 1 }));
        assert_eq!(
            indexes("c[d][0]"),
            Some(("c", vec!["d".to_owned(), "0".to_owned()]))
        );
        assert_eq!(indexes("c[d].e"), None);
    }

    #[test]
    fn placeholders_can_stand_for_themselves() {
        let kept = keep("{{x}} {a:>{b}} {b} {c[d]}", |name| name != "b").unwrap();
        assert_eq!(
            fill(&kept, &pairs(&[("b", "5")])).as_deref(),
            Ok("{x} {a:>{b}} 5 {c[d]}")
        );
    }

    #[test]
    fn a_name_with_its_indexes_can_have_a_value_that_no_command_sees() {
        let values = pairs(&[("c[d]", "x y"), ("c", "no")]);
        assert_eq!(fill("{c[d]:.2}{c[0]}", &values).as_deref(), Ok("x n"));
        assert!(matches!(
            render("{c[d]}", &values, &[]),
            Err(TemplateError::BadIndex { .. })
        ));
    }

    #[test]
    fn words_are_quoted_as_shlex_quotes_them() {
        let table = [
            ("", "''"),
            ("abc_@%+=:,./-XYZ019", "abc_@%+=:,./-XYZ019"),
            ("a b", "'a b'"),
            ("it's", r#"'it'"'"'s'"#),
            ("'", r#"''"'"''"#),
            ("$HOME;`x`", "'$HOME;`x`'"),
            ("é", "'é'"),
            ("a\nb", "'a\nb'"),
            ("~", "'~'"),
        ];
        for (word, expected) in table {
            assert_eq!(quote(word), expected);
        }
    }

    #[test]
    fn templates_follow_str_format() {
        let table = [
            ("plain", "plain"),
            ("{{}} {{a}} }}{{", "{} {a} }{"),
            ("{a}|{b}|{a-b}|{a b}|{e}", "'x y'|5|1|2|''"),
            ("{ü}", "'{b}'"),
            (
                "{a!s} {a!r} {q!r} {q!a}",
                r#"'x y' "'x y'" '\'é\'"\'"\'\'' '\'\xe9\'"\'"\'\''"#,
            ),
            ("{a[0]}{a[1]}{b[0][00]}", "'x5"),
            ("{b:>4}|{b:4}|{b:^4}|{b:*^4}", "   5|5   | 5  |*5**"),
            ("{b:04}|{b:<04}|{b:x<04}|{b:0}", "5000|5000|5xxx|5"),
            (
                "{a:.2}|{a:.0}|{a:6.2s}|{a:s}|{a!r:.3}",
                "'x||'x    |'x y'|\"'x",
            ),
            ("{b:{b}}|{b:>{b}}|{b:{b}.{b}}", "5    |    5|5    "),
            ("{b:é>3}", "éé5"),
            ("${{HOME}}", "${HOME}"),
            ("{b:}|{b!s:}", "5|5"),
        ];
        for (template, expected) in table {
            assert_eq!(filled(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_python_refuses_is_an_error_with_its_place() {
        let table = [
            (
                "é {c}",
                3,
                "placeholder `{c}` has no parameter of that name",
            ),
            (
                "{ a}",
                0,
                "placeholder `{ a}` has no parameter of that name",
            ),
            ("{A}", 0, "placeholder `{A}` has no parameter of that name"),
            (
                "${HOME}",
                1,
                "placeholder `{HOME}` has no parameter of that name; write `${{HOME}}` for a shell variable",
            ),
            (
                "{b:{c}}",
                3,
                "placeholder `{c}` has no parameter of that name",
            ),
            (
                "{}",
                0,
                "placeholder `{}` does not name a parameter; write `{{` and `}}` for literal braces",
            ),
            (
                "{0}",
                0,
                "placeholder `{0}` does not name a parameter; write `{{` and `}}` for literal braces",
            ),
            (
                "a {",
                2,
                "`{` opens a placeholder that is not closed; write `{{` for a literal brace",
            ),
            (
                "{a",
                0,
                "`{` opens a placeholder that is not closed; write `{{` for a literal brace",
            ),
            (
                "{a:{b}",
                0,
                "`{` opens a placeholder that is not closed; write `{{` for a literal brace",
            ),
            (
                "{a!",
                0,
                "`{` opens a placeholder that is not closed; write `{{` for a literal brace",
            ),
            (
                "a }",
                2,
                "`}` closes nothing; write `}}` for a literal brace",
            ),
            (
                "{a}}",
                3,
                "`}` closes nothing; write `}}` for a literal brace",
            ),
            (
                "{a{b}}",
                0,
                "the name in placeholder `{a{` contains `{`; write `{{` and `}}` for literal braces",
            ),
            (
                "{a!x}",
                0,
                "placeholder `{a!x}` has an unknown conversion; expected `!r`, `!s` or `!a`",
            ),
            (
                "{a!rr}",
                0,
                "placeholder `{a!r` has an unknown conversion; expected `!r`, `!s` or `!a`",
            ),
            (
                "{b:{b:{b}}}",
                6,
                "placeholder `{b}` nests fields too deeply; expected at most `{a:{b}}`",
            ),
        ];
        for (template, offset, message) in table {
            let error = filled(template).expect_err(template);
            assert_eq!(
                (error.offset(), error.to_string().as_str()),
                (offset, message),
                "{template}"
            );
        }
    }

    #[test]
    fn what_strings_do_not_have_is_an_error() {
        for template in ["{a.upper}", "{a.}"] {
            assert!(
                matches!(filled(template), Err(TemplateError::Attribute { .. })),
                "{template}"
            );
        }
        for template in ["{a[9]}", "{a[x]}", "{a[-1]}", "{a[]}", "{a[0}", "{a[0]x}"] {
            let error = filled(template).expect_err(template);
            assert!(
                matches!(
                    error,
                    TemplateError::BadIndex { .. } | TemplateError::Unclosed { .. }
                ),
                "{template}"
            );
        }
        for spec in [
            "=5",
            "+",
            "-5",
            " ",
            "#",
            ",",
            "_",
            "d",
            "5.",
            ".x",
            "ss",
            "z",
            "99999999999999999999",
            "x",
        ] {
            let template = format!("{{b:{spec}}}");
            assert!(
                matches!(filled(&template), Err(TemplateError::BadFormat { .. })),
                "{template}"
            );
        }
    }

    #[test]
    fn huge_results_are_refused_at_once() {
        let too_long = |template: &str, value: &str| {
            let parameters = pairs(&[("a", value), ("b", "1")]);
            matches!(
                render(template, &parameters, &[]),
                Err(TemplateError::TooLong { .. })
            )
        };
        assert!(too_long("{b:999999999999}", ""));
        assert!(too_long("{b:é>999999}", ""));
        assert!(too_long("{a}", &"x".repeat(MAX_LENGTH + 1)));
        assert!(too_long(&"{a!r:.0}".repeat(1000), &"x".repeat(10_000)));
        assert!(!too_long("{a}", &"x".repeat(MAX_LENGTH)));
    }

    #[test]
    fn no_program_can_be_given_a_nul() {
        let nul = pairs(&[("a", "x\0")]);
        assert_eq!(
            render("run \0", &[], &[]),
            Err(TemplateError::Nul { offset: 4 })
        );
        assert_eq!(
            render("run {a}", &nul, &[]),
            Err(TemplateError::Nul { offset: 0 })
        );
        assert_eq!(
            render("run", &[], &nul),
            Err(TemplateError::Nul { offset: 0 })
        );
    }

    #[test]
    fn extra_parameters_are_appended() {
        let extra = pairs(&[("steps", "a b"), ("k'", ""), ("z", "1")]);
        let appended = r#" --steps 'a b' --'k'"'"'' '' --z 1"#;
        let table = [
            ("cmd", "cmd"),
            ("cmd \n\t\n", "cmd"),
            ("a\nb\n", "a\nb"),
            ("cmd \\\n", "cmd \\\n"),
            ("cmd \\\n\n", "cmd \\\n"),
            ("cmd \\\\\n", "cmd \\\\"),
            ("", ""),
        ];
        for (template, expected) in table {
            assert_eq!(
                render(template, &[], &extra),
                Ok(format!("{expected}{appended}")),
                "{template}"
            );
            assert_eq!(render(template, &[], &[]).as_deref(), Ok(template));
        }
    }

    #[test]
    fn values_that_are_no_command_stay_unquoted() {
        let parameters = pairs(&[("a", "x y"), ("b", "{a}")]);
        assert_eq!(
            fill("{a}/{b}/{{c}}", &parameters).as_deref(),
            Ok("x y/{a}/{c}")
        );
    }
}
