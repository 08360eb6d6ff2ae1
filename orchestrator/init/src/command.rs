//! What the command of the root's `main` hands to the program: `python main.py --rows {rows}`.

use crate::path::has_extension;
use crate::value::{Piece, Text, append, constant};

/// How an option is given.
#[derive(Debug, PartialEq)]
pub(crate) enum Given {
    Flag,
    Value(Text),
}

/// The program and its words.
#[derive(Debug, Default)]
pub(crate) struct Command {
    /// The program, relative to the pipeline's folder.
    pub(crate) script: Option<String>,
    /// What stands behind it.
    pub(crate) words: Vec<Text>,
}

impl Command {
    /// Reads a command template.
    pub(crate) fn parse(template: &str) -> Command {
        let words = split(template);
        let Some((position, script)) = program(&words) else {
            return Command::default();
        };
        let words = words[position + 1..].iter();
        let words = words.take_while(|word| !is_operator(word));
        Command {
            script: Some(script),
            words: words.map(|word| pieces(word)).collect(),
        }
    }

    /// What is given for an option by one of its spellings.
    pub(crate) fn option(&self, flags: &[String]) -> Option<Given> {
        for (position, word) in self.words.iter().enumerate() {
            let Some(Piece::Literal(first)) = word.first() else {
                continue;
            };
            if word.len() == 1 && flags.contains(first) {
                let next = self.words.get(position + 1);
                let value = next.filter(|next| !is_option(next)).cloned();
                return Some(value.map_or(Given::Flag, Given::Value));
            }
            if let Some((flag, value)) = first.split_once('=')
                && flags.iter().any(|known| known == flag)
            {
                return Some(Given::Value(with_first(value, &word[1..])));
            }
        }
        None
    }

    /// The words that are neither options nor the values of those; flags have no value.
    pub(crate) fn positionals(&self, flags: &[String]) -> Vec<Text> {
        let mut positionals = Vec::new();
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            if !is_option(word) {
                positionals.push(word.clone());
                continue;
            }
            let text = constant(word).unwrap_or_default();
            if !text.is_empty() && !text.contains('=') && !flags.contains(&text) {
                words.next();
            }
        }
        positionals
    }

    /// Words of the form `a.b=value`, as hydra reads them.
    pub(crate) fn overrides(&self) -> Vec<(String, Text)> {
        let overrides = self.words.iter().filter_map(|word| {
            let Piece::Literal(first) = word.first()? else {
                return None;
            };
            let (key, value) = first.split_once('=')?;
            let key = key.trim_start_matches('+');
            let is_key = !key.is_empty() && !key.starts_with(['-', '~', '$']);
            is_key.then(|| (key.to_owned(), unquoted(with_first(value, &word[1..]))))
        });
        overrides.collect()
    }
}

fn is_option(word: &[Piece]) -> bool {
    matches!(word.first(), Some(Piece::Literal(text)) if text.len() > 1 && text.starts_with('-'))
}

fn is_operator(word: &str) -> bool {
    matches!(
        word,
        ";" | "&&" | "||" | "|" | "&" | ">" | ">>" | "2>" | "2>&1"
    )
}

fn with_first(first: &str, rest: &[Piece]) -> Text {
    let mut text = Text::new();
    append(&mut text, &[Piece::Literal(first.to_owned())]);
    append(&mut text, rest);
    text
}

/// Without the quotes that hydra takes away.
fn unquoted(mut text: Text) -> Text {
    if let Some(Piece::Literal(first)) = text.first_mut() {
        *first = first.trim_start_matches(['\'', '"']).to_owned();
    }
    if let Some(Piece::Literal(last)) = text.last_mut() {
        *last = last.trim_end_matches(['\'', '"']).to_owned();
    }
    text.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    text
}

/// The position of the program among the words, and its path: `main.py`, or `-m package.main`.
fn program(words: &[String]) -> Option<(usize, String)> {
    let mut folder = String::new();
    for (position, word) in words.iter().enumerate() {
        if has_extension(word, &["py"]) {
            return Some((position, format!("{folder}{word}")));
        }
        let before = position.checked_sub(1).map(|before| words[before].as_str());
        if before == Some("-m") {
            return Some((position, format!("{folder}{}.py", word.replace('.', "/"))));
        }
        if before == Some("cd") {
            folder = format!("{}/", word.trim_end_matches('/'));
        }
    }
    None
}

/// The words of a command line, quotes taken away; `$(…)` stays one word.
fn split(template: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut depth = 0_usize;
    let mut characters = template.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => {
                // A line that goes on is no word.
                if let Some(next) = characters.next().filter(|next| *next != '\n') {
                    word.get_or_insert_default().push(next);
                }
            }
            (quoting, Some(open)) if quoting == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (blank, None) if blank.is_whitespace() && depth == 0 => words.extend(word.take()),
            (';', None) if depth == 0 => {
                words.extend(word.take());
                words.push(";".to_owned());
            }
            _ => {
                match character {
                    '(' if quote.is_none() => depth += 1,
                    ')' if quote.is_none() => depth = depth.saturating_sub(1),
                    _ => {}
                }
                word.get_or_insert_default().push(character);
            }
        }
    }
    words.extend(word);
    words
}

/// The placeholders and constants of a word.
fn pieces(word: &str) -> Text {
    let mut text = Text::new();
    let mut literal = String::new();
    let mut rest = word;
    while let Some(position) = rest.find(['{', '}']) {
        literal.push_str(&rest[..position]);
        let brace = &rest[position..=position];
        rest = &rest[position + 1..];
        if rest.starts_with(brace) {
            literal.push_str(brace);
            rest = &rest[1..];
        } else if brace == "{"
            && let Some((name, behind)) = rest.split_once('}')
        {
            append(&mut text, &[Piece::Literal(std::mem::take(&mut literal))]);
            text.push(Piece::Parameter(name.to_owned()));
            rest = behind;
        }
    }
    literal.push_str(rest);
    append(&mut text, &[Piece::Literal(literal)]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::template;

    fn overrides(command: &str) -> Vec<(String, String)> {
        let overrides = Command::parse(command).overrides().into_iter();
        overrides
            .map(|(key, value)| (key, template(&value).unwrap()))
            .collect()
    }

    #[test]
    fn the_program_is_found() {
        let table = [
            ("python main.py", Some("main.py")),
            ("cd src && python3 -u run.py --a 1", Some("src/run.py")),
            ("python -m pipeline.main {steps}", Some("pipeline/main.py")),
            ("bash run.sh", None),
            ("python \"my main.py\"", Some("my main.py")),
        ];
        for (command, script) in table {
            assert_eq!(
                Command::parse(command).script.as_deref(),
                script,
                "{command}"
            );
        }
    }

    #[test]
    fn options_and_positionals_are_told_apart() {
        let command =
            Command::parse("python main.py \\\n --rows {rows} -v --out=a/{name} first {second}; x");
        let given = |flag: &str| command.option(&[flag.to_owned()]);
        let parameter = |name: &str| Piece::Parameter(name.to_owned());
        assert_eq!(given("--rows"), Some(Given::Value(vec![parameter("rows")])));
        assert_eq!(given("-v"), Some(Given::Flag));
        let out = vec![Piece::Literal("a/".to_owned()), parameter("name")];
        assert_eq!(given("--out"), Some(Given::Value(out)));
        assert_eq!(given("--absent"), None);
        let first = vec![Piece::Literal("first".to_owned())];
        let positionals = command.positionals(&["-v".to_owned()]);
        assert_eq!(positionals, [first, vec![parameter("second")]]);
    }

    #[test]
    fn hydra_overrides_lose_their_quotes() {
        let command = r"python main.py main.steps=\'{steps}\' +a.b=1 $(echo {hydra_options}) --c=d";
        let expected = [("main.steps", "{steps}"), ("a.b", "1")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(overrides(command), expected);
    }
}
