//! What a shell makes of one word, as far as it needs no program for that.
//!
//! MLflow writes `volumes:` and `environment:` of a `docker_env` into a command line as they are and runs that by
//! `bash -c` in the project's folder, so variables, `~`, `$(pwd)` and quotes in them mean what they mean to
//! bash (the manual's chapter "Shell Expansions"). [`expand`] gives what bash would, or refuses.
//!
//! There is one difference: blanks do not end the word. Under MLflow what stands behind them would become
//! options of docker, the image or its command.

use std::ffi::OsString;
use std::iter::Peekable;
use std::str::Chars;

/// What is around a shell.
pub struct Surroundings<'a> {
    /// The folder in which it is started, as it would print it.
    pub folder: &'a str,
    /// The variables that it is given; `PWD` is not asked for.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

/// A word after its expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The word.
    pub text: String,
    /// The variables in it that are not set, which counts as empty.
    pub unset: Vec<String>,
}

/// Why a word is not expanded; the text goes on after the word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The shell would run it.
    #[error("`{0}` would run a program")]
    Program(String),
    /// The shell would do something that is not done here.
    #[error("`{0}` is not expanded here")]
    Form(String),
    /// The shell would make several words of it.
    #[error("`{0}` would become several words")]
    Braces(String),
    /// Only the shell knows it, or nobody before the step runs.
    #[error("`{0}` is known only when it runs")]
    Variable(String),
    /// `${NAME:?}` of a variable that is not set.
    #[error("`{0}` is not set")]
    Unset(String),
    /// A variable's value is no text.
    #[error("the value of `{0}` is not valid UTF-8")]
    NotUtf8(String),
    /// A quote, brace or backslash has no counterpart.
    #[error("`{0}` is not closed")]
    Open(char),
}

/// Variables that bash makes itself, and that therefore have other values in it than outside.
const OF_BASH: &[&str] = &[
    "BASH",
    "BASHOPTS",
    "BASHPID",
    "BASH_ALIASES",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_ARGV0",
    "BASH_CMDS",
    "BASH_COMMAND",
    "BASH_EXECUTION_STRING",
    "BASH_LINENO",
    "BASH_LOADABLES_PATH",
    "BASH_MONOSECONDS",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_TRAPSIG",
    "BASH_VERSINFO",
    "BASH_VERSION",
    "COLUMNS",
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "LINES",
    "OLDPWD",
    "OPTERR",
    "OPTIND",
    "PIPESTATUS",
    "PPID",
    "PS4",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "_",
];

/// Variables to which bash gives a value only when they are not set.
const SET_BY_BASH: &[&str] = &[
    "EUID", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "PATH", "SHELL", "TERM", "UID",
];

/// Variables that a run sets for its step.
const OF_THE_RUN: &[&str] = &[
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_RUN_ID",
    "MLFLOW_TRACKING_URI",
];

/// Expands a word as bash does, if that needs no program.
///
/// ```
/// use mlproject::expansion::{Surroundings, expand};
///
/// let home = |name: &str| (name == "HOME").then(|| "/home/me".into());
/// let around = Surroundings { folder: "/project", variable: &home };
/// let expand = |text| expand(text, &around).map(|word| word.text);
/// assert_eq!(expand("$(pwd)/data:/data").as_deref(), Ok("/project/data:/data"));
/// assert_eq!(expand("~/x:${DATA:-/mnt}").as_deref(), Ok("/home/me/x:/mnt"));
/// assert_eq!(expand("'$HOME'").as_deref(), Ok("$HOME"));
/// assert!(expand("$(date):/x").is_err());
/// ```
pub fn expand(text: &str, around: &Surroundings) -> Result<Expanded, Refusal> {
    // A comment, which would take the rest of the line with it.
    if text.starts_with('#') {
        return Err(Refusal::Form(text.to_owned()));
    }
    let mut word = Word {
        rest: text.chars().peekable(),
        around,
        unset: Vec::new(),
    };
    let text = word.unquoted(is_assignment(text), None)?;
    Ok(Expanded {
        text,
        unset: word.unset,
    })
}

/// Whether a word begins as `NAME=` does; then `~` counts behind the `=` and behind colons, too.
fn is_assignment(text: &str) -> bool {
    let name = text.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| is_name(name.strip_suffix('+').unwrap_or(name)))
}

fn is_name(text: &str) -> bool {
    text.starts_with(starts_name) && text.chars().all(continues_name)
}

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn continues_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Word<'a> {
    rest: Peekable<Chars<'a>>,
    around: &'a Surroundings<'a>,
    unset: Vec<String>,
}

impl Word<'_> {
    /// The rest of the word, or of what stands in `${…}` before its `}`.
    fn unquoted(&mut self, is_assignment: bool, end: Option<char>) -> Result<String, Refusal> {
        let mut text = String::new();
        // Whether a tilde would count here, and the `=` of the assignment is still to come.
        let (mut is_start, mut is_before_value) = (true, is_assignment);
        loop {
            let Some(next) = self.rest.next() else {
                return match end {
                    Some(end) => Err(Refusal::Open(if end == '}' { '{' } else { end })),
                    None => Ok(text),
                };
            };
            let was_start = std::mem::take(&mut is_start);
            match next {
                _ if Some(next) == end => return Ok(text),
                '~' if was_start => {
                    text += &self.tilde(end, is_assignment && !is_before_value)?;
                }
                '=' if is_before_value => {
                    (is_start, is_before_value) = (true, false);
                    text.push('=');
                }
                ':' if is_assignment && !is_before_value => {
                    is_start = true;
                    text.push(':');
                }
                '\\' => text.push(self.rest.next().ok_or(Refusal::Open('\\'))?),
                '\'' => loop {
                    match self.rest.next().ok_or(Refusal::Open('\''))? {
                        '\'' => break,
                        inner => text.push(inner),
                    }
                },
                '"' => self.quoted(&mut text, '"')?,
                '$' => self.dollar(&mut text, false)?,
                '`' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\n' => {
                    return Err(Refusal::Program(next.to_string()));
                }
                '{' if end.is_some() || self.is_brace_expansion() => {
                    return Err(Refusal::Braces("{".to_owned()));
                }
                next => text.push(next),
            }
        }
    }

    /// Between double quotes, or in a `${…}` between them.
    fn quoted(&mut self, text: &mut String, end: char) -> Result<(), Refusal> {
        loop {
            let opening = if end == '}' { '{' } else { end };
            match self.rest.next().ok_or(Refusal::Open(opening))? {
                next if next == end => return Ok(()),
                '$' => self.dollar(text, true)?,
                '`' => return Err(Refusal::Program("`".to_owned())),
                '\\' => match self.rest.next().ok_or(Refusal::Open('\\'))? {
                    // The line goes on.
                    '\n' => {}
                    escaped @ ('$' | '`' | '"' | '\\') => text.push(escaped),
                    '}' if end == '}' => text.push('}'),
                    other => text.extend(['\\', other]),
                },
                // Which quotes count here depends on the version of bash.
                quote @ ('"' | '\'' | '{') if end == '}' => {
                    return Err(Refusal::Form(quote.to_string()));
                }
                next => text.push(next),
            }
        }
    }

    /// What stands for a tilde: the home, if nothing but a path follows.
    fn tilde(&mut self, end: Option<char>, is_value: bool) -> Result<String, Refusal> {
        let mut next = self.rest.clone();
        let is_path = match (next.next(), next.next()) {
            (None | Some('/'), _) => true,
            // Bash takes what stands between this colon and the next slash as if it were quoted.
            (Some(':'), next) => is_value || next == Some('/'),
            (next, _) => next == end,
        };
        if !is_path {
            return Err(Refusal::Form("~NAME".to_owned()));
        }
        match self.variable("HOME")? {
            Some(home) if !home.is_empty() => Ok(home),
            _ => Err(Refusal::Unset("HOME".to_owned())),
        }
    }

    /// What follows on a `$`.
    fn dollar(&mut self, text: &mut String, is_quoted: bool) -> Result<(), Refusal> {
        match self.rest.peek().copied() {
            Some(first) if starts_name(first) => {
                let name = self.name();
                *text += &self.value(name)?;
            }
            Some('{') => {
                self.rest.next();
                *text += &self.braced(is_quoted)?;
            }
            Some('(') => {
                let rest: String = self.rest.clone().skip(1).collect();
                let (inner, _) = rest.split_once(')').ok_or(Refusal::Open('('))?;
                // `$((`, too, which can run programs by way of an index.
                if inner.trim_matches([' ', '\t']) != "pwd" {
                    return Err(Refusal::Program(format!("$({inner})")));
                }
                self.rest.nth(inner.chars().count() + 1);
                *text += self.around.folder.trim_end_matches('\n');
            }
            Some(quote @ ('\'' | '"')) if !is_quoted => {
                return Err(Refusal::Form(format!("${quote}")));
            }
            Some('[') => return Err(Refusal::Program("$[".to_owned())),
            Some(special) if special.is_ascii_digit() || "@*#?-$!".contains(special) => {
                return Err(Refusal::Form(format!("${special}")));
            }
            _ => text.push('$'),
        }
        Ok(())
    }

    /// What follows on `${`: a name, perhaps with what stands for it when it is unset.
    fn braced(&mut self, is_quoted: bool) -> Result<String, Refusal> {
        let name = self.name();
        let form = |operator: &str| Refusal::Form(format!("${{{name}{operator}…}}"));
        if !name.starts_with(starts_name) {
            return Err(form(""));
        }
        let mut operator = String::new();
        if self.rest.next_if_eq(&':').is_some() {
            operator.push(':');
        }
        match self.rest.next().ok_or(Refusal::Open('{'))? {
            '}' if operator.is_empty() => return self.value(name),
            next => operator.push(next),
        }
        let value = self.variable(&name)?;
        // With a colon, what is set to nothing counts as unset.
        let value = value.filter(|value| !(operator.starts_with(':') && value.is_empty()));
        if !["-", "+", "?"].contains(&operator.trim_start_matches(':')) {
            return Err(form(&operator));
        }
        let unset = self.unset.len();
        let word = if is_quoted {
            let mut word = String::new();
            self.quoted(&mut word, '}')?;
            word
        } else {
            self.unquoted(false, Some('}'))?
        };
        let is_word = match operator.trim_start_matches(':') {
            "+" => value.is_some(),
            _ => value.is_none(),
        };
        if is_word && operator.ends_with('?') {
            return Err(Refusal::Unset(name));
        }
        if is_word {
            return Ok(word);
        }
        // The shell does not look at a word that does not count.
        self.unset.truncate(unset);
        Ok(value
            .filter(|_| !operator.ends_with('+'))
            .unwrap_or_default())
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.rest.next_if(|next| continues_name(*next)) {
            name.push(next);
        }
        name
    }

    /// The value of a variable, empty if it has none.
    fn value(&mut self, name: String) -> Result<String, Refusal> {
        let value = self.variable(&name)?;
        Ok(value.unwrap_or_else(|| {
            self.unset.push(name);
            String::new()
        }))
    }

    fn variable(&self, name: &str) -> Result<Option<String>, Refusal> {
        if name == "PWD" {
            return Ok(Some(self.around.folder.to_owned()));
        }
        if OF_BASH.contains(&name) || OF_THE_RUN.contains(&name) {
            return Err(Refusal::Variable(name.to_owned()));
        }
        match (self.around.variable)(name) {
            Some(value) => match value.into_string() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(Refusal::NotUtf8(name.to_owned())),
            },
            None if SET_BY_BASH.contains(&name) => Err(Refusal::Variable(name.to_owned())),
            None => Ok(None),
        }
    }

    /// Whether a `{` can be the beginning of `{a,b}` or `{1..3}`. Quotes and nesting are not looked at, so
    /// that too many count rather than too few.
    fn is_brace_expansion(&self) -> bool {
        let rest: String = self.rest.clone().collect();
        let inner = rest.rsplit_once('}').map(|(inner, _)| inner);
        inner.is_some_and(|inner| inner.contains(',') || inner.contains(".."))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const VARIABLES: [(&str, &str); 5] = [
        ("HOME", "/home/me"),
        ("X", "x:y"),
        ("E", ""),
        ("T", "~/t"),
        ("Q", "'$X'\\"),
    ];

    fn ours(text: &str) -> Result<String, Refusal> {
        let variable = |name: &str| {
            let mut known = VARIABLES.into_iter();
            known
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        };
        let around = Surroundings {
            folder: "/",
            variable: &variable,
        };
        expand(text, &around).map(|expanded| expanded.text)
    }

    /// The words that bash makes of each text, one text after the other.
    fn of_bash(texts: &[&str]) -> Vec<Vec<String>> {
        let mut script = "show() { printf '%s\\0' \"$@\" $'\\n'; }\n".to_owned();
        for text in texts {
            script.extend(["show ", text, "\n"]);
        }
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-s"])
            .current_dir("/")
            .env_clear()
            .envs(VARIABLES);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        std::fs::write(&file, script).unwrap();
        let output = bash
            .stdin(std::fs::File::open(file).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let output = String::from_utf8(output.stdout).unwrap();
        let all = output.split_terminator("\n\0");
        all.map(|words| words.split_terminator('\0').map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn bash_expands_as_we_do() {
        let table = [
            ("/a:/b", "/a:/b"),
            ("${PWD}data:/data", "/data:/data"),
            ("$(pwd)data:/opt", "/data:/opt"),
            ("$( pwd )", "/"),
            ("\"$(pwd)\"", "/"),
            ("~/x:/x", "/home/me/x:/x"),
            ("~:/x", "/home/me:/x"),
            ("A=~:$X", "A=/home/me:x:y"),
            ("~", "/home/me"),
            ("~/x:~/y", "/home/me/x:~/y"),
            ("x:~/y", "x:~/y"),
            ("A=$HOME/x", "A=/home/me/x"),
            ("A=~/x:~", "A=/home/me/x:/home/me"),
            ("A+=~/x", "A+=/home/me/x"),
            ("a-b=~/x", "a-b=~/x"),
            ("A==~/x", "A==~/x"),
            ("A=b=~/x", "A=b=~/x"),
            ("A='~'/x", "A=~/x"),
            ("A=\"~/x\"", "A=~/x"),
            ("''~/x", "~/x"),
            ("$T", "~/t"),
            ("$X$Xy", "x:y"),
            ("${X}y", "x:yy"),
            ("$X-$X.$X", "x:y-x:y.x:y"),
            ("$Q", "'$X'\\"),
            ("A=$U", "A="),
            ("${U:-d}${U-d}${E:-d}${E-d}${X:-d}", "dddx:y"),
            ("a${U:+d}${U+d}${E:+d}${E+d}${X:+d}", "add"),
            ("${U:-~/x}", "/home/me/x"),
            ("\"${U:-~/x}\"", "~/x"),
            ("A=${U:-~/x:~}", "A=/home/me/x:~"),
            ("${U:-${X:+$(pwd)}}", "/"),
            ("${U:-'}'\"}\"\\}}", "}}}"),
            ("\"${U:-a\\}b\\c}\"", "a}b\\c"),
            ("${X:?no}", "x:y"),
            ("${X?$U}", "x:y"),
            ("'$X'\"$X\"\\$X", "$Xx:y$X"),
            ("\"a\\b\\$\\\"\\`\\\\\"", "a\\b$\"`\\"),
            ("a$", "a$"),
            ("$.$/\"$\"", "$.$/$"),
            ("{a}{}", "{a}{}"),
            ("a#b!c%d^e@f", "a#b!c%d^e@f"),
            ("/no*where/[ab]?:/x", "/no*where/[ab]?:/x"),
            ("é$X\u{3000}", "éx:y\u{3000}"),
        ];
        for (text, expected) in table {
            assert_eq!(ours(text).as_deref(), Ok(expected), "{text}");
        }
        let texts = table.map(|(text, _)| text);
        let said = of_bash(&texts);
        assert_eq!(said.len(), texts.len());
        for ((text, expected), words) in table.into_iter().zip(said) {
            assert_eq!(words, [expected], "{text}");
        }
    }

    /// Every text of up to three pieces: what is not refused is what bash makes of it.
    #[test]
    fn no_combination_is_expanded_in_another_way() {
        const PIECES: [&str; 26] = [
            "a", "A=", "/", ":", "~", "$X", "$U", "${X}", "${U:-", "${E-", "${X:+", "}", "{", ",",
            "\"", "'", "\\", "$", "$(pwd)", "$T", "#", "=", "-", "..", "+", "b",
        ];
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..3 {
            last = last
                .iter()
                .flat_map(|text| PIECES.map(|piece| format!("{text}{piece}")))
                .collect();
            texts.extend(last.iter().cloned());
        }
        let accepted: Vec<(&str, String)> = texts
            .iter()
            .filter_map(|text| Some((text.as_str(), ours(text).ok()?)))
            .collect();
        assert!(accepted.len() > texts.len() / 4, "{}", accepted.len());
        let said = of_bash(&accepted.iter().map(|(text, _)| *text).collect::<Vec<_>>());
        assert_eq!(said.len(), accepted.len());
        for ((text, expected), words) in accepted.into_iter().zip(said) {
            // A word of nothing but empty variables is no word.
            assert_eq!(words.concat(), expected, "{text}");
            assert!(words.len() <= 1, "{text}: {words:?}");
        }
    }

    #[test]
    fn blanks_end_no_word() {
        for text in ["a b", "A=x  -v /:/host", "$X $X", "a\t#b"] {
            let expected = text.replace("$X", "x:y");
            assert_eq!(ours(text), Ok(expected));
        }
    }

    #[test]
    fn what_runs_something_or_means_something_else_is_refused() {
        let program = |text: &str| Refusal::Program(text.to_owned());
        let form = |text: &str| Refusal::Form(text.to_owned());
        let variable = |text: &str| Refusal::Variable(text.to_owned());
        for (text, expected) in [
            ("$(date)", program("$(date)")),
            ("\"$(date)\"", program("$(date)")),
            ("$(pwd; date)", program("$(pwd; date)")),
            ("$(pwd", Refusal::Open('(')),
            ("$()", program("$()")),
            ("$((1+1))", program("$((1+1)")),
            ("$[1]", program("$[")),
            ("`pwd`", program("`")),
            ("\"`pwd`\"", program("`")),
            ("<(date)", program("<")),
            (">x", program(">")),
            ("a;date", program(";")),
            ("a&", program("&")),
            ("a|b", program("|")),
            ("a\nb", program("\n")),
            ("(a)", program("(")),
            ("${U:-$(date)}", program("$(date)")),
            // Also where bash would not come by.
            ("${X:-`date`}", program("`")),
            ("{a,b}", Refusal::Braces("{".to_owned())),
            ("{1..3}", Refusal::Braces("{".to_owned())),
            ("${U:-{a,b}}", Refusal::Braces("{".to_owned())),
            ("$1", form("$1")),
            ("$@", form("$@")),
            ("$$", form("$$")),
            ("$'a'", form("$'")),
            ("$\"a\"", form("$\"")),
            ("${#X}", form("${…}")),
            ("${!X}", form("${…}")),
            ("${1}", form("${1…}")),
            ("${X%y}", form("${X%…}")),
            ("${X:1}", form("${X:1…}")),
            ("${X:=a}", form("${X:=…}")),
            ("${X[0]}", form("${X[…}")),
            ("${X@P}", form("${X@…}")),
            ("\"${U:-'a'}\"", form("'")),
            ("~root/x", form("~NAME")),
            ("~+", form("~NAME")),
            ("~:$X", form("~NAME")),
            ("~$X", form("~NAME")),
            ("~'/x'", form("~NAME")),
            ("#a", form("#a")),
            ("$RANDOM", variable("RANDOM")),
            ("${MLFLOW_RUN_ID}", variable("MLFLOW_RUN_ID")),
            ("$UID", variable("UID")),
            ("${U:?needed}", Refusal::Unset("U".to_owned())),
            ("'a", Refusal::Open('\'')),
            ("\"a", Refusal::Open('"')),
            ("a\\", Refusal::Open('\\')),
            ("${X", Refusal::Open('{')),
            ("${U:-a", Refusal::Open('{')),
            ("\"${U:-a", Refusal::Open('{')),
        ] {
            assert_eq!(ours(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_set_is_told() {
        let nothing = |_: &str| None;
        let around = Surroundings {
            folder: "/p",
            variable: &nothing,
        };
        let unset = |text| expand(text, &around).unwrap().unset;
        assert_eq!(unset("$A/${B}/$PWD/${C:-c}/${D:-$E}"), ["A", "B", "E"]);
        assert_eq!(unset("${PWD:-$A}"), [""; 0]);
        let not_utf8 = |_: &str| {
            use std::os::unix::ffi::OsStringExt;
            Some(OsString::from_vec(vec![0xff]))
        };
        let around = Surroundings {
            folder: "/p",
            variable: &not_utf8,
        };
        assert_eq!(expand("$A", &around), Err(Refusal::NotUtf8("A".to_owned())));
        assert_eq!(
            expand("~", &around),
            Err(Refusal::NotUtf8("HOME".to_owned()))
        );
    }
}
