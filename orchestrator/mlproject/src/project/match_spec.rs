//! Conda's notation for a package: a name with a version, perhaps of a channel and a build.
//!
//! The grammar is that of conda's own `MatchSpec` (conda/models/match_spec.py, conda/models/version.py):
//! `numpy`, `numpy=1.26`, `numpy 1.26`, `numpy >=1.20,<2`, `numpy=1.26.4=py311_0`,
//! `conda-forge::numpy`, `numpy[version='>=1.20']`. Nothing here knows what a package is.

/// One package in conda's notation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MatchSpec {
    /// In small letters, as conda compares it.
    pub(super) name: String,
    pub(super) channel: Option<String>,
    /// All of them have to hold; none for any version.
    pub(super) version: Vec<Clause>,
    pub(super) build: Option<String>,
}

/// A condition on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) operator: Operator,
    pub(super) version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=1.2` or `1.2.*`: 1.2, and whatever only adds to it.
    Within,
    NotWithin,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Compatible,
}

/// Why a text cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is none of conda's notation.
    Notation,
    /// Its version is one of several, `1.7|1.8`, or a pattern.
    Pattern,
}

/// Relations with two characters before those that are their beginning.
const RELATIONS: [(&str, Operator); 8] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("~=", Operator::Compatible),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Within),
];

impl MatchSpec {
    pub(super) fn parse(text: &str) -> Result<MatchSpec, Unreadable> {
        let text = text.split('#').next().unwrap_or_default();
        let (text, brackets) = take_brackets(text)?;
        // `channel::name`, and `channel:namespace:name`, whose namespace conda does not use.
        let (channel, text) = match text.rsplit_once(':') {
            Some((before, text)) => {
                let channel = before.rsplit_once(':').map(|(channel, _)| channel.trim());
                (channel.filter(|it| !it.is_empty()).map(str::to_owned), text)
            }
            None => (None, text.as_str()),
        };
        let text = text.trim();
        let end = text.find([' ', '\t', '=', '<', '>', '!', '~']);
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if !starts || !name.chars().all(is_plain) {
            return Err(Unreadable::Notation);
        }
        let mut spec = MatchSpec {
            name: name.to_ascii_lowercase(),
            channel,
            ..MatchSpec::default()
        };
        let (version, build) = split_build(rest.trim());
        let mut version = with_star(&version, build.is_some());
        if version.is_empty() && !rest.trim().is_empty() {
            return Err(Unreadable::Notation);
        }
        spec.build = build;
        for (key, value) in brackets {
            match key.as_str() {
                "version" => version = value,
                "build" => spec.build = Some(value),
                "channel" => spec.channel = Some(value),
                "build_number" | "subdir" => spec.build = Some(format!("{key}={value}")),
                _ => return Err(Unreadable::Notation),
            }
        }
        spec.build = spec.build.filter(|build| build != "*");
        spec.version = clauses(&version)?;
        Ok(spec)
    }
}

/// The text without `[key=value, …]`, and these pairs, which count before what is written otherwise.
fn take_brackets(text: &str) -> Result<(String, Vec<(String, String)>), Unreadable> {
    let Some(start) = text.find('[') else {
        return Ok((text.to_owned(), Vec::new()));
    };
    let inner = text[start + 1..].trim_end().strip_suffix(']');
    let mut inner = inner.ok_or(Unreadable::Notation)?.trim();
    let mut pairs = Vec::new();
    while !inner.is_empty() {
        let (key, rest) = inner.split_once('=').ok_or(Unreadable::Notation)?;
        let quote = rest.chars().next().filter(|first| "\"'".contains(*first));
        let (value, rest) = match quote {
            Some(quote) => rest[1..].split_once(quote).ok_or(Unreadable::Notation)?,
            None => rest.split_at(rest.find([',', ' ']).unwrap_or(rest.len())),
        };
        pairs.push((key.trim().to_owned(), value.trim().to_owned()));
        inner = rest.trim_start_matches([',', ' ']);
    }
    Ok((text[..start].to_owned(), pairs))
}

/// Parts a version from the build behind it: `1.2=py_0`, `1.2 py_0`, `>=1.0 , <2.0 py_0`.
///
/// The build is what stands behind the first blank or `=` that does not follow on a relation, a comma or
/// `|`, unless one of these is in it.
fn split_build(text: &str) -> (String, Option<String>) {
    let without_blanks = |text: &str| text.split_whitespace().collect::<String>();
    let mut before = None;
    for (place, character) in text.char_indices() {
        let parts = matches!(character, ' ' | '\t' | '=')
            && before.is_some_and(|before| !"=!|,<>~".contains(before));
        let build = text[place + character.len_utf8()..].trim();
        if parts && !build.is_empty() && !build.contains(['-', '=', ',', '|', '<', '>', '~']) {
            return (without_blanks(&text[..place]), Some(build.to_owned()));
        }
        before = Some(character);
    }
    (without_blanks(text), None)
}

/// What a single version behind `=` or `==` means: `=1.2` is all of 1.2, but with a build 1.2 alone.
fn with_star(version: &str, has_build: bool) -> String {
    if let Some(exact) = version.strip_prefix("==").filter(|_| !has_build) {
        return exact.to_owned();
    }
    match version.strip_prefix('=') {
        Some(single) if !single.contains(['=', ',', '|']) => {
            let star = if has_build || single.ends_with('*') || single.is_empty() {
                ""
            } else {
                "*"
            };
            format!("{single}{star}")
        }
        _ => version.to_owned(),
    }
}

/// The conditions of a text such as `>=1.2,<2`.
fn clauses(text: &str) -> Result<Vec<Clause>, Unreadable> {
    if text.contains(['|', '^', '$', '(']) {
        return Err(Unreadable::Pattern);
    }
    let any = |clause: &&str| *clause != "*";
    let named = text.split(',').map(str::trim).filter(any);
    match text {
        "" => Ok(Vec::new()),
        _ => named.map(clause).collect(),
    }
}

fn clause(text: &str) -> Result<Clause, Unreadable> {
    let mut relations = RELATIONS.into_iter();
    let found = relations.find_map(|(relation, operator)| {
        Some((operator, text.strip_prefix(relation)?.trim_start()))
    });
    let (operator, version) = found.unwrap_or((Operator::Equal, text));
    let plain = version.trim_end_matches('*').trim_end_matches('.');
    let operator = match operator {
        Operator::Equal if plain != version => Operator::Within,
        Operator::NotEqual if plain != version => Operator::NotWithin,
        // Conda takes the star behind other relations for nothing.
        operator => operator,
    };
    if plain.contains('*') {
        return Err(Unreadable::Pattern);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".+!_".contains(c);
    if !plain.starts_with(|c: char| c.is_ascii_digit()) || !plain.chars().all(is_plain) {
        return Err(Unreadable::Notation);
    }
    Ok(Clause {
        operator,
        version: plain.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A specification as `channel|name|conditions|build`.
    fn read(text: &str) -> Result<String, Unreadable> {
        let spec = MatchSpec::parse(text)?;
        let clauses: Vec<String> = spec
            .version
            .iter()
            .map(|clause| format!("{:?} {}", clause.operator, clause.version))
            .collect();
        Ok(format!(
            "{}|{}|{}|{}",
            spec.channel.unwrap_or_default(),
            spec.name,
            clauses.join(","),
            spec.build.unwrap_or_default()
        ))
    }

    #[test]
    fn conda_takes_a_specification_apart() {
        for (text, expected) in [
            ("numpy", "|numpy||"),
            (" NumPy ", "|numpy||"),
            ("numpy=1.26", "|numpy|Within 1.26|"),
            ("numpy = 1.26", "|numpy|Within 1.26|"),
            ("numpy =1.26", "|numpy|Within 1.26|"),
            ("numpy=1.26.*", "|numpy|Within 1.26|"),
            ("numpy=1.26*", "|numpy|Within 1.26|"),
            ("numpy 1.26.*", "|numpy|Within 1.26|"),
            ("numpy==1.26", "|numpy|Equal 1.26|"),
            ("numpy ==1.26", "|numpy|Equal 1.26|"),
            ("numpy == 1.26", "|numpy|Equal 1.26|"),
            ("numpy==1.26.*", "|numpy|Within 1.26|"),
            ("numpy 1.26", "|numpy|Equal 1.26|"),
            ("numpy\t1.26", "|numpy|Equal 1.26|"),
            ("numpy=*", "|numpy||"),
            ("numpy *", "|numpy||"),
            ("numpy>=1.20,<2", "|numpy|GreaterOrEqual 1.20,Less 2|"),
            ("numpy >= 1.20 , < 2", "|numpy|GreaterOrEqual 1.20,Less 2|"),
            ("numpy >=1.20.*", "|numpy|GreaterOrEqual 1.20|"),
            ("numpy !=1.26.1", "|numpy|NotEqual 1.26.1|"),
            ("numpy !=1.26.*", "|numpy|NotWithin 1.26|"),
            ("numpy~=1.26", "|numpy|Compatible 1.26|"),
            ("numpy=1.26,!=1.26.1", "|numpy|Within 1.26,NotEqual 1.26.1|"),
            ("numpy=1.26.4=py311_0", "|numpy|Equal 1.26.4|py311_0"),
            ("numpy==1.26.4=py311_0", "|numpy|Equal 1.26.4|py311_0"),
            ("numpy 1.26.4 py311_0", "|numpy|Equal 1.26.4|py311_0"),
            ("numpy 1.26.4  *", "|numpy|Equal 1.26.4|"),
            (
                "numpy >=1.0 , < 2.0 py34_0",
                "|numpy|GreaterOrEqual 1.0,Less 2.0|py34_0",
            ),
            (
                "numpy >=1.0 , < 2.0 =py34_0",
                "|numpy|GreaterOrEqual 1.0,Less 2.0|py34_0",
            ),
            ("blas=*=mkl", "|blas||mkl"),
            ("blas * openblas_0", "|blas||openblas_0"),
            ("conda-forge::numpy=1.26", "conda-forge|numpy|Within 1.26|"),
            ("https://x.org/y::numpy", "https://x.org/y|numpy||"),
            (
                "conda-forge/linux-64::numpy",
                "conda-forge/linux-64|numpy||",
            ),
            (
                "numpy[version='>=1.20,<2']",
                "|numpy|GreaterOrEqual 1.20,Less 2|",
            ),
            (
                "numpy[version=1.26, build=py311_0]",
                "|numpy|Equal 1.26|py311_0",
            ),
            (
                "numpy=1.26[channel=conda-forge]",
                "conda-forge|numpy|Within 1.26|",
            ),
            ("numpy=1.26  # why", "|numpy|Within 1.26|"),
            ("_libgcc_mutex=0.1=main", "|_libgcc_mutex|Equal 0.1|main"),
            ("pytorch=2.1=*cuda*", "|pytorch|Equal 2.1|*cuda*"),
            ("ruamel.yaml", "|ruamel.yaml||"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_package_is_refused() {
        for text in [
            "",
            " ",
            "# numpy",
            "=1.26",
            "-r x",
            "--index-url=x",
            "a b c;d",
            "./x",
            "a/b",
            "é",
            "$(x)",
            "numpy=1.26,",
            "numpy==",
            "numpy>=<2",
            "numpy=x",
            "numpy[",
            "numpy[x]",
            "numpy[url=http://x]",
            "numpy =1.26\n--x",
            "numpy 1;2",
        ] {
            assert_eq!(read(text), Err(Unreadable::Notation), "{text:?}");
        }
        for text in [
            "numpy 1.7|1.8",
            "numpy=1.7|=1.8",
            "numpy=1.*.2",
            "numpy ^1.*$",
        ] {
            assert_eq!(read(text), Err(Unreadable::Pattern), "{text:?}");
        }
    }
}
