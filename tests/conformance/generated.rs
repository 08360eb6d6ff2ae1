//! Cases from a fixed seed, so that they are the same in every run.

use crate::case::{Case, quoted};

const SEED: u64 = 0x6d6c_666c_6f77;

/// What quoting, formatting and YAML could stumble over.
const CHARACTERS: &str = "abzAZ09 _@%+=:,./-'\"\\$`!*?~#&|;<>()[]{}^\t\n\r\u{1}\u{1b}\u{7f}\u{80}\u{85}\u{a0}\u{ad}\
                          éßπЖ中😀\u{200b}\u{2028}\u{feff}\u{301}\u{663}";

pub(crate) fn cases() -> Vec<Case> {
    let mut random = Random(SEED);
    let mut cases = every_character();
    cases.extend((0..200).map(|_| values(&mut random)));
    cases.extend((0..300).map(|_| template(&mut random)));
    cases.extend((0..300).map(|_| scalar(&mut random)));
    cases.extend((0..300).map(|_| document(&mut random)));
    cases
}

/// A small xorshift generator: good enough for variety, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    fn text(&mut self, alphabet: &str, longest: usize) -> String {
        let characters: Vec<char> = alphabet.chars().collect();
        (0..self.below(longest + 1))
            .map(|_| characters[self.below(characters.len())])
            .collect()
    }

    fn many(
        &mut self,
        most: usize,
        separator: &str,
        mut make: impl FnMut(&mut Self) -> String,
    ) -> String {
        let parts: Vec<String> = (0..self.below(most + 1)).map(|_| make(self)).collect();
        parts.join(separator)
    }
}

/// Each character that an argument can carry, as value, default and undeclared name.
fn every_character() -> Vec<Case> {
    let further =
        "\u{80}\u{85}\u{a0}\u{ad}éßπЖ中😀\u{200b}\u{2028}\u{2029}\u{fffd}\u{feff}\u{301}\u{10ffff}";
    let characters = ('\u{1}'..='\u{7f}').chain(further.chars());
    let case = |character: char| {
        let parameters = format!(
            "{{a: string, b: {{default: {}}}}}",
            quoted(&format!("x{character}"))
        );
        let case = Case::main("every character", &parameters, "run {a} {b} {a!r} {b!a}");
        let name = format!("{}x", if character == '=' { '-' } else { character });
        case.value("a", &character.to_string())
            .value(&name, &format!("{character}y"))
    };
    characters.map(case).collect()
}

/// Random names, defaults and values; undeclared ones among them.
fn values(random: &mut Random) -> Case {
    let (mut parameters, mut command) = (Vec::new(), "run".to_owned());
    let mut given: Vec<(String, String)> = Vec::new();
    for index in 0..=random.below(4) {
        // A number at the end keeps names apart.
        let name = format!("{}{index}", random.text("abAZ_- éü中'\"$*#&!@", 5));
        let mut value = || random.text(CHARACTERS, 10);
        let (default, value) = (value(), value());
        let is_given = random.below(2) == 0;
        match random.below(4) {
            0 if is_given => parameters.push(format!("{}: string", quoted(&name))),
            _ => parameters.push(format!(
                "{}: {{default: {}}}",
                quoted(&name),
                quoted(&default)
            )),
        }
        if is_given {
            given.push((name.clone(), value));
        }
        command.extend([" --p {", &name, "}"]);
    }
    for index in 0..random.below(3) {
        given.push((
            format!("{}{index}x", random.text(&CHARACTERS.replace('=', ""), 5)),
            random.text(CHARACTERS, 10),
        ));
    }
    let case = Case::main(
        "random values",
        &format!("{{{}}}", parameters.join(", ")),
        &quoted(&command),
    );
    given
        .iter()
        .fold(case, |case, (name, value)| case.value(name, value))
}

/// Random templates in and around the grammar of `str.format`.
fn template(random: &mut Random) -> Case {
    let text = random.many(4, "", |random| match random.below(3) {
        0 => random
            .pick(&[
                "run x.py --a ",
                "$",
                "${",
                "{{",
                "}}",
                "{",
                "}",
                "a b",
                "é",
                "{{a}}",
                "\\",
            ])
            .to_owned(),
        _ => field(random),
    });
    let parameters = "{a: {default: x y}, b: {default: 5}, a-b: {default: 1}, a b: {default: \"{b}\"}, ü: {default: é}}";
    Case::main("random templates", parameters, &quoted(&text))
        .value("a", &random.text(CHARACTERS, 6))
}

fn field(random: &mut Random) -> String {
    let mut out = "{".to_owned();
    out += random.pick(&["", "", "", "", "", "", " "]);
    out += random.pick(&["a", "b", "a", "b", "a-b", "a b", "ü", "c", "", "1", "HOME"]);
    out += random.pick(&[
        "", "", "", "", "", "", "[0]", "[1]", "[-1]", "[00]", "[x]", "[]", "[0", "[0][0]", "[0]x",
        "]", "[}]",
    ]);
    out += random.pick(&["", "", "", "", "", "!r", "!s", "!a", "!x", "!", "!rr", "!}"]);
    if random.below(2) == 0 {
        out += ":";
        out += random.pick(&["", "", "", ">", "<", "^", "=", "*<", "{>", "*^", "0<", "é>"]);
        out += random.pick(&["", "", "", "", "", "+", "-", " ", "#", "z"]);
        out += random.pick(&[
            "",
            "0",
            "1",
            "5",
            "10",
            "03",
            "{b}",
            "{a}",
            "{c}",
            "{b:{b}}",
            "99999999999999999999",
        ]);
        out += random.pick(&["", "", "", "", ",", "_"]);
        out += random.pick(&["", "", "", ".1", ".3", ".0", ".", ".{b}"]);
        out += random.pick(&["", "", "", "s", "d", "r", "ss"]);
    }
    out + random.pick(&["}", "}", "}", "}", "}", "}", "", "}}"])
}

/// Random texts that look like the numbers, dates and words of YAML 1.1.
fn scalar(random: &mut Random) -> Case {
    let text = match random.below(4) {
        0 => random.text("0123456789._:+-eExXbo", 8),
        1 => random.text("01789._:", 7),
        2 => {
            let date = random.pick(&[
                "2020-01-31",
                "2020-1-3",
                "1999-12-31",
                "2021-02-30",
                "0001-01-01",
            ]);
            let time = random.pick(&["", "T", "t", " ", "  "]).to_owned()
                + &random.text("0123456789:.Z+- ", 10);
            format!("{date}{time}")
        }
        _ => {
            random.pick(&["", "+", "-", "."]).to_owned()
                + random.pick(&[
                    "yes", "No", "ON", "oFF", "true", "FALSE", "null", "~", "inf", "NaN", ".INF",
                    "y", "0b1", "0x1F",
                ])
                + random.pick(&["", "", "", " ", "_", ".0", "e+1", ": x", " #x", "\t"])
        }
    };
    let text = random
        .pick(&["", "", "", "", "!!str ", "!!int ", "!!float ", "!!bool "])
        .to_owned()
        + &text;
    Case::main(
        "random scalars",
        &format!("\n      a:\n        default: {text}"),
        "run {a}",
    )
    .value("b", "")
}

/// Random YAML as the default of a parameter, in the styles in which people write it.
fn document(random: &mut Random) -> Case {
    let shared = random.pick(&[
        "",
        "shared: &x {type: int, default: 3}\n",
        "shared: &x\n  - 1\n  - [two]\n",
    ]);
    let value = match random.below(4) {
        0 => block(random),
        1 => format!("\n{}", sequence(random, 10)),
        2 => format!("\n{}", mapping(random, 10)),
        _ => flow(random, 3),
    };
    let value = if shared.is_empty() {
        value
    } else {
        value.replace("alias", "*x")
    };
    let text = format!(
        "{shared}entry_points:\n  main:\n    command: run {{a}}\n    parameters:\n      a:\n        default: {value}\n"
    );
    let text = if random.below(8) == 0 {
        text.replace('\n', "\r\n")
    } else {
        text
    };
    Case::new("random documents", text).value("z", "1")
}

fn word(random: &mut Random) -> String {
    let words = [
        "a",
        "b c",
        "key",
        "1",
        "1.5",
        "yes",
        "null",
        "2020-01-01",
        "a:b",
        "a#b",
        "-1",
        "~",
        "it's",
        "a \"q\"",
        "é",
        "run x.py",
        "http://x.y/z",
        "a & b",
        "0x1F",
        "12:30:45",
        "alias",
        "=",
        "<<",
        "%x",
        "@x",
        "\"a b\"",
        "'it''s'",
        "\"\\t\\x41\\u00e9\"",
        "''",
        "\"\"",
        "\"a: b # c\"",
        "\"a\n            b\"",
        "'a\n\n            b'",
    ];
    random.pick(&words).to_owned()
}

/// A word on one line: PyYAML takes no other as a key.
fn key(random: &mut Random) -> String {
    word(random).replace('\n', " ")
}

fn flow(random: &mut Random, depth: usize) -> String {
    match random.below(3) {
        1 if depth > 0 => format!(
            "[{}]",
            random.many(3, ", ", |random| flow(random, depth - 1))
        ),
        2 if depth > 0 => {
            format!(
                "{{{}}}",
                random.many(3, ", ", |random| format!(
                    "{}: {}",
                    key(random),
                    flow(random, depth - 1)
                ))
            )
        }
        _ => word(random),
    }
}

fn sequence(random: &mut Random, indent: usize) -> String {
    let blanks = " ".repeat(indent);
    random.many(3, "\n", |random| {
        format!("{blanks}- {}{}", flow(random, 2), comment(random))
    })
}

fn mapping(random: &mut Random, indent: usize) -> String {
    let blanks = " ".repeat(indent);
    random.many(3, "\n", |random| {
        format!(
            "{blanks}{}: {}{}",
            key(random),
            flow(random, 2),
            comment(random)
        )
    })
}

fn comment(random: &mut Random) -> &'static str {
    random.pick(&[
        "",
        "",
        "",
        "",
        " # comment",
        "\n",
        "\n# comment",
        "\n  ",
        " ",
    ])
}

fn block(random: &mut Random) -> String {
    let header = random.pick(&["|", ">", "|-", ">-", "|+", ">+", "| # comment"]);
    let lines = random.many(5, "\n", |random| {
        let line = random.pick(&[
            "one line",
            "x",
            "  more",
            "\ttab",
            "",
            "# no comment",
            "!a &b *c",
            "a: b",
            " y ",
            "é",
        ]);
        format!("          {line}")
    });
    format!("{header}\n{lines}")
}
