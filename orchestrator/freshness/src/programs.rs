//! The programs of a command line: the first words of its simple commands.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use mlproject::paths::absolute;
use process::host::is_executable;

use crate::code::is_taken_out;
use crate::subject::Subject;
use crate::tree::{Item, Links, look};

/// Words behind which the command goes on.
const TRANSPARENT: [&str; 16] = [
    "!", "{", "}", "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "esac",
    "exec", "command", "time",
];

/// Words that start something whose next words are no command.
const OPAQUE: [&str; 8] = [
    "for", "case", "select", "function", "[", "[[", "in", "coproc",
];

/// The programs that are files, sorted by name. A link counts as what it leads to.
///
/// What `code:` takes out is none, either: the command may build its program first, and then what it is
/// built from counts.
pub(crate) fn find(subject: &Subject) -> Vec<Item> {
    let mut words = first_words(subject.line);
    words.sort_unstable();
    words.dedup();
    let items = words.into_iter().filter_map(|name| {
        let path = locate(&name, subject.path, subject.folder)?;
        if is_taken_out(subject, &path) {
            return None;
        }
        let path = path.canonicalize().unwrap_or(path);
        let seen = look(&path, Links::Follow);
        Some(Item { name, path, seen })
    });
    items.collect()
}

fn locate(name: &str, path: &[PathBuf], folder: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(absolute(folder, name)).filter(|it| is_executable(it));
    }
    let programs = path.iter().map(|folder| folder.join(name));
    programs.into_iter().find(|program| is_executable(program))
}

/// The first word of each simple command of a line, as a shell reads it, as far as that is simple.
fn first_words(line: &str) -> Vec<String> {
    let mut firsts = Vec::new();
    let mut command = Vec::new();
    for token in tokens(line) {
        match token {
            Token::Word(word) => command.push(word),
            Token::End => firsts.extend(first(std::mem::take(&mut command))),
        }
    }
    firsts.extend(first(command));
    firsts
}

fn first(words: Vec<String>) -> Option<String> {
    let mut words = words.into_iter();
    let first = words.find(|word| !TRANSPARENT.contains(&word.as_str()) && !is_assignment(word))?;
    let is_name = !OPAQUE.contains(&first.as_str()) && !first.contains(['$', '`', '\0']);
    is_name.then_some(first).filter(|it| !it.is_empty())
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let mut letters = name.chars();
        let is_letter = |it: char| it.is_ascii_alphabetic() || it == '_';
        letters.next().is_some_and(is_letter)
            && letters.all(|it| is_letter(it) || it.is_ascii_digit())
    })
}

enum Token {
    Word(String),
    /// What stands between two simple commands.
    End,
}

type Characters<'a> = Peekable<Chars<'a>>;

fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    // What a redirection names is no word of the command.
    let mut is_target = false;
    let mut characters = line.chars().peekable();
    loop {
        let word = word(&mut characters);
        let end = characters.next();
        let is_redirection = matches!(end, Some('<' | '>'));
        if let Some(word) = word {
            // The number of what is redirected is none, either.
            let is_number = is_redirection && word.bytes().all(|it| it.is_ascii_digit());
            if !is_target && !is_number {
                tokens.push(Token::Word(word));
            }
            is_target = false;
        }
        match end {
            None => return tokens,
            Some('<' | '>') => {
                let is_operator = |it: &char| matches!(it, '<' | '>' | '&' | '|');
                while characters.next_if(is_operator).is_some() {}
                is_target = true;
            }
            Some('#') => while characters.next_if(|it| *it != '\n').is_some() {},
            Some(' ' | '\t') => {}
            Some(_) => tokens.push(Token::End),
        }
    }
}

/// The word that starts here, without its quotes; the separator behind it is left, and so is a comment.
fn word(characters: &mut Characters) -> Option<String> {
    let mut word: Option<String> = None;
    loop {
        let is_comment = |it: &char| *it == '#' && word.is_none();
        let next = characters.next_if(|it| !is_separator(*it) && !is_comment(it));
        match next {
            None => return word,
            Some('\'') => {
                let quoted = characters.by_ref().take_while(|it| *it != '\'');
                word.get_or_insert_default().extend(quoted);
            }
            Some('"') => quoted(characters, word.get_or_insert_default()),
            Some('\\') => match characters.next() {
                // A line that goes on.
                Some('\n') | None => {}
                Some(next) => word.get_or_insert_default().push(next),
            },
            Some(next) => word.get_or_insert_default().push(next),
        }
    }
}

/// The rest of a text in double quotes.
fn quoted(characters: &mut Characters, word: &mut String) {
    while let Some(next) = characters.next().filter(|it| *it != '"') {
        match next {
            '\\' => word.extend(characters.next()),
            next => word.push(next),
        }
    }
}

fn is_separator(character: char) -> bool {
    matches!(
        character,
        ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_the_first_words_of_commands() {
        let cases: [(&str, &[&str]); 18] = [
            ("python train.py --x 1", &["python"]),
            ("cd x && python a.py; echo b", &["cd", "python", "echo"]),
            ("A=1 B='x y' python a.py", &["python"]),
            ("a | b || c & d", &["a", "b", "c", "d"]),
            ("if [ -f x ]; then a; else b; fi", &["a", "b"]),
            ("for f in a b; do c $f; done", &["c"]),
            ("exec python a.py", &["python"]),
            ("'my prog' x; \"other\"\\ one", &["my prog", "other one"]),
            ("echo 'a; b | c' \"d; e\"", &["echo"]),
            ("a \\\n b\nc", &["a", "c"]),
            ("a 2>&1 | b >out 2> err <in; >x c", &["a", "b", "c"]),
            ("# nothing; a\nb # c; d", &["b"]),
            ("(a; b)", &["a", "b"]),
            ("$HOME/x; `which y`; \"$P\" z", &[]),
            ("./run.sh; /bin/x", &["./run.sh", "/bin/x"]),
            ("! a; { b; }; while c; do d; done", &["a", "b", "c", "d"]),
            ("", &[]),
            ("a'", &["a"]),
        ];
        for (line, programs) in cases {
            assert_eq!(first_words(line), programs, "{line}");
        }
    }
}
