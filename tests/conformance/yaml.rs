//! YAML as PyYAML reads it: scalars, structure, layout, and what it refuses.

use crate::case::{Case, Difference, lines};
use crate::project::MAIN;

pub(crate) fn cases() -> Vec<Case> {
    [
        scalars(),
        structure(),
        layout(),
        characters(),
        brackets(),
        malformed(),
        large(),
    ]
    .concat()
}

fn scalars() -> Vec<Case> {
    let plain = "~ null Null NULL nULL yes Yes YES yEs no No NO on On ON off Off OFF true True TRUE tRUE false False FALSE y n Y N \
                 0 00 -0 +0 7 +7 -7 010 -010 08 0o17 0b11 0B11 0x1F 0X1F 0x_f 0b_ 1_000 1__0 _1 1_ 12:30:45 1:30 -1:30 1:60 1:5:60 0:30 190:20:30 \
                 1.0 1. .5 -.5 +.5 0.10 1.50 1e3 1e-3 1.e3 1.0e5 1.0e+5 1.0e-5 1.5E-7 1E5 1.0e+16 1.0e+15 123456789.123456789 .1_0 1_0.5 1:30.5 \
                 .inf .Inf .INF +.inf -.inf .nan .NaN .NAN -.nan inf nan 1.0e+999 \
                 123456789012345678901234567890 -123456789012345678901234567890 18446744073709551615 18446744073709551616 -9223372036854775808 \
                 -9223372036854775809 0xFFFFFFFFFFFFFFFFFFFF 9007199254740993.0 0.1 3.14 100.0 2020-01-31 2020-1-31 2020-02-30 0000-01-01 \
                 2020-01-31T01:02:03 2020-01-31T01:02:03Z 2020-01-31t1:02:03.5 2020-01-31T01:02:03.1234567 2020-01-31T01:02:03+01:30 2020-01-31T01:02:03-5 \
                 2020-01-31T24:00:00 2020-01-31T1:2:3 20200131 a a-b a.b a/b http://x.y/z?a=b&c=d a:b a#b . .. - -- --x = << <<x *x &x !x %x @x `x |x >x ?x \
                 /a/b C:\\a a,b a\\nb $HOME ${HOME} {a} [ ] { } , 'a 'a' \"a \"a\" 'it''s' \"a\\tb\\n\\x41\\u00e9\\U0001f600\\0\" \"\\e\\a\\b\\v\\f\\r\\_\\N\\L\\P\\/\" \
                 \"\\q\" \"\\x4\" \"\\ud800\" '' \"\" [] {} [1,2] [a,'b',\"c'd\"] {a:1} {'a':1} [1,yes,~,.inf,2020-01-01,'x'] [[],[[]]] \
                 !!str !!int !!float !!binary !custom ! é 中 😀 \u{a0} a\u{a0}b";
    let with_blanks = [
        "2020-01-31\t1:02:03",
        "a\tb",
        "a \t# b",
        "'a\tb'",
        "\ta",
        "a  b   ",
    ];
    let parameters = |text: &str| format!("\n      a:\n        default: {text}");
    let one = |text: &str| Case::main("scalar", &parameters(text), "run {a}");
    let required = |text: &str| {
        Case::main("scalar with a value given", &parameters(text), "run {a}").value("a", "x y")
    };
    let all: Vec<&str> = plain
        .split(' ')
        .filter(|text| !text.is_empty())
        .chain(lines(SCALARS, &with_blanks))
        .collect();
    let mut cases: Vec<Case> = all.iter().map(|text| one(text)).collect();
    cases.extend(["~", "", "<<", "!custom x", "2020-02-30", "[a"].map(required));
    cases
}

fn structure() -> Vec<Case> {
    let base =
        "b: &b {a: {default: 1}, c: {default: 2}}\nd: &d {c: {default: 3}, e: {default: 4}}\n";
    let merged = |parameters: &str, command: &str| {
        Case::new(
            "merge key",
            format!(
                "{base}entry_points: {{main: {{parameters: {parameters}, command: '{command}'}}}}\n"
            ),
        )
    };
    let text = |text: &str| Case::new("structure", text);
    vec![
        merged("*b", "run {a} {c}"),
        merged("{<<: *b}", "run {a} {c}"),
        merged("{<<: *b, c: {default: 9}}", "run {a} {c}"),
        merged("{c: {default: 9}, <<: *b}", "run {a} {c}"),
        merged("{<<: [*b, *d]}", "run {a} {c} {e}"),
        merged("{<<: [*d, *b]}", "run {a} {c} {e}"),
        merged("{<<: *b, <<: *d}", "run {a} {c} {e}"),
        merged("{<<: {<<: *b, a: {default: 7}}}", "run {a} {c}"),
        merged("{<<: [*b, [*d]]}", "run {a}"),
        merged("{<<: 1}", "run"),
        merged("{<<: }", "run"),
        merged("{<<: [1]}", "run"),
        merged("{<<: []}", "run"),
        merged("{'<<': {default: 1}}", "run {<<}"),
        merged("{'<<': int}", "run"),
        merged("{a: {default: <<}}", "run {a}"),
        merged("{=: {default: 5}}", "run {=}"),
        merged("{a: {<<: {default: 5}}}", "run {a}"),
        merged("{a: *x}", "run {a}"),
        merged("&p {a: {default: *p}}", "run {a}").refuses(Difference::Recursion),
        text("entry_points: {main: {command: one}, main: {command: two}}\n"),
        text("entry_points: {main: {command: one, command: two}}\n"),
        text("entry_points: {main: {command: one}}\nentry_points: {main: {command: two}}\n"),
        text(
            "entry_points: {main: {parameters: {a: {default: 1, default: 2}}, command: 'run {a}'}}\n",
        ),
        text(
            "entry_points: {main: {parameters: {a: {default: 1}, b: {default: 2}, a: {default: 3}}, command: 'run {a} {b}'}}\n",
        ),
        text("x: &x 1\ny: &x 2\nentry_points: {main: {command: run}}\n"),
        text("x: &x run it\nentry_points: {main: {command: *x}}\n"),
        text("entry_points: &e {main: {command: run}}\nagain: *e\n"),
        text("entry_points: {main: &m {command: run, self: *m}}\n").refuses(Difference::Recursion),
        text("entry_points: {main: &m {command: run}, other: *m}\n").entry_point("other"),
        text("entry_points: {? main : {command: run}}\n"),
        text("entry_points:\n  ? main\n  : command: run\n"),
        text("entry_points: {? [main] : {command: run}, main: {command: run}}\n"),
        text("{entry_points: {main: {command: run}}}\n"),
        text(
            "{\"entry_points\":{\"main\":{\"parameters\":{\"a\":{\"type\":\"string\",\"default\":\"x y\"}},\"command\":\"run {a}\"}}}\n",
        ),
        text("unknown: [1, {a: b}]\nentry_points: {main: {command: run, other: 1}}\nmore: {}\n"),
        text("name: [a, b]\nentry_points: {main: {command: run}}\n"),
        text("name:\nentry_points: {main: {command: run}}\n"),
        text("1: a\nentry_points: {main: {command: run}}\n"),
        text("null: a\nentry_points: {main: {command: run}}\n"),
        text(": a\nentry_points: {main: {command: run}}\n"),
        text("entry_points: {main: {command: run, parameters: {a: {default: *undefined}}}}\n"),
    ]
}

fn layout() -> Vec<Case> {
    let text = |text: &str| Case::new("layout", text);
    let block = |header: &str| {
        Case::new(
            "block scalar",
            format!(
                "entry_points:\n  main:\n    command: {header}\n      run one\n        more\n\n      run {{{{two}}}}  \n\n    x: y\n"
            ),
        )
    };
    let mut cases: Vec<Case> = [
        "|",
        ">",
        "|-",
        ">-",
        "|+",
        ">+",
        "|2",
        "|4",
        ">8-",
        "| # comment",
        "|#",
        "|x",
        "|-2",
        "|22",
        "|0",
        "!!str |",
        "&x |",
    ]
    .map(block)
    .to_vec();
    let at_end = |header: &str, end: &str| {
        Case::new(
            "block scalar at the end",
            format!("entry_points:\n  main:\n    command: {header}\n      run it{end}"),
        )
    };
    for header in ["|", ">", "|-", "|+"] {
        for end in [
            "",
            "\n",
            "\n\n",
            "\n  ",
            "\n      ",
            "\n        ",
            "\n# comment\n",
            "\n      # text\n",
        ] {
            cases.push(at_end(header, end));
        }
    }
    cases.extend([
        text(""),
        text("\n"),
        text("# nothing\n"),
        text("---\n"),
        text("---\n...\n"),
        text("\u{feff}entry_points: {main: {command: run}}\n"),
        text("\u{feff}\u{feff}entry_points: {main: {command: run}}\n"),
        text("entry_points:\r\n  main:\r\n    command: |\r\n      run a\r\n      run b\r\n"),
        text("entry_points:\r  main:\r    command: |\r      run a\r      run b\r"),
        text("entry_points:\n  main:\n    command: \"a\r\n      b\"\n"),
        text("# comment\n---\n# comment\nentry_points: {main: {command: run}} # comment\n...\n# comment\n"),
        text("%YAML 1.1\n---\nentry_points: {main: {command: run}}\n"),
        text("%YAML 1.2\n---\nentry_points: {main: {command: run}}\n"),
        text("%YAML 2.0\n---\nentry_points: {main: {command: run}}\n"),
        text("%TAG ! tag:yaml.org,2002:\n---\nentry_points: {main: {command: !str run}}\n"),
        text("%TAG !x! tag:yaml.org,2002:\n---\nentry_points: {main: {command: !x!str 7}}\n"),
        text("--- {entry_points: {main: {command: run}}}\n"),
        text("--- # comment\nentry_points: {main: {command: run}}"),
        text("entry_points:\n  main:\n    command: run\n      on\n      three lines\n"),
        text("entry_points:\n  main:\n    command: run\n\n      on\n"),
        text("entry_points:\n  main:\n    command:\n      run\n"),
        text("entry_points:\n  main:\n    command: 'run\n      it'\n"),
        text("entry_points:\n  main:\n    command: \"run \\\n      it\\n  \\  x\"\n"),
        text("entry_points:\n  main:\n    command: run # comment\n"),
        text("entry_points:\n  main:\n    command: run#no comment\n"),
        text("entry_points:\n  main:\n    parameters:\n      a: {type: string,\n  default: x}\n    command: run {a}\n"),
        text("entry_points:\n  main:\n    parameters: {\n      a: string\n    }\n    command: run {a}\n").value("a", "1"),
        text("entry_points:\n  main:\n    parameters: {\n}\n    command: run\n"),
        text("entry_points:\n  main:\n    command: \"run\n  it\"\n"),
        text("entry_points:\n    main:\n     command: run\n"),
        text("entry_points:\n- main\n"),
        text("entry_points:\n  main:\n    command: run\n   x: y\n"),
        text("entry_points:\n  main:\n      command: run\n    x: y\n"),
        text("entry_points :\n  main :\n    command : run\n"),
        text("\"entry_points\":\n  'main':\n    \"command\": run\n"),
    ]);
    cases
}

fn characters() -> Vec<Case> {
    let text = |text: &str| Case::new("characters", text);
    vec![
        text("entry_points: {main: {command: \"a\\u2028b\"}}\n"),
        text("# a\u{2028}entry_points: {main: {command: run}}\n"),
        text("name: a\u{2029}b\nentry_points: {main: {command: run}}\n"),
        text("name: \"a\u{2028}b\"\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{feff}b\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{85}b: c\nentry_points: {main: {command: run}}\n"),
        text("name: \"\\ud800\"\nentry_points: {main: {command: run}}\n")
            .refuses(Difference::Surrogate),
        text("...\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{7f}b\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{0}b\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{7}b\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{90}b\nentry_points: {main: {command: run}}\n"),
        text("name: a\u{fffe}b\nentry_points: {main: {command: run}}\n"),
    ]
}

fn brackets() -> Vec<Case> {
    let parameters = |default: &str| format!("{{a: {{default: {default}}}}}");
    let one = |default: &str| Case::main("brackets", &parameters(default), "run {a}");
    [
        "[?x]",
        "[a, ?x]",
        "{?x: 1}",
        "[? x]",
        "{? x}",
        "{? x: 1}",
        "[x?]",
        "[:x]",
        "[x:]",
        "{x:1}",
        "['a':1]",
        "{'a':1}",
        "{\"b\n        c\": 1}",
        "{b\n        c: 1}",
        "[x]#y",
        "{\n{}: 1}",
        "[\n]",
    ]
    .map(one)
    .to_vec()
}

fn malformed() -> Vec<Case> {
    let text = |text: &str| Case::new("malformed", text);
    [
        "- a\n- b\n",
        "text\n",
        "5\n",
        "[]\n",
        "{}\n",
        "null\n",
        "''\n",
        "entry_points:\n\tmain: {command: run}\n",
        "entry_points:\t{main: {command: run}}\n",
        "entry_points: {main: {command: run}}\t\n",
        "entry_points: {main:\t{command: run}}\n",
        "\tentry_points: {main: {command: run}}\n",
        "entry_points: {main: {command: run}}\n\t\n",
        "entry_points: {main: {command: run}}\n\t# comment\n",
        "entry_points: {main: {command: run}}\n---\na: b\n",
        "entry_points: {main: {command: run}}\n---\n",
        "---\nentry_points: {main: {command: run}}\n--- \n",
        "entry_points: {main: {command: run}}\n...\na: b\n",
        "entry_points: {main: {command: run}\n",
        "entry_points: {main: {command: run}}}\n",
        "entry_points: [main: {command: run}\n",
        "entry_points: {main: {command: 'run}}\n",
        "entry_points: main: {command: run}\n",
        "entry_points: {main: {command: run}} x\n",
        "entry_points:\n  main:\n    command: a: b\n",
        "entry_points:\n  main:\n    command: run: \n",
        "entry_points:\n  main:\n    command: run\n  - x\n",
        "entry_points:\n  main\n",
        "entry_points:\n  main:\n    command: {a}\n",
        "entry_points:\n  main:\n    command: {a} x\n",
        "entry_points:\n  main:\n    command: *x\n",
        "entry_points:\n  main:\n    command: !x y\n",
        "entry_points:\n  main:\n    command: %x\n",
        "entry_points:\n  main:\n    command: @x\n",
        "entry_points:\n  main:\n    command: `x`\n",
        "entry_points:\n  main:\n    command: run\n    command\n",
        "? a\n? b\nentry_points: {main: {command: run}}\n",
        "a\nentry_points: {main: {command: run}}\n",
        "entry_points:\n  main: {command: run, }\n",
        "entry_points:\n  main: {command: run,, }\n",
        "entry_points:\n  main: {command run}\n",
        "entry_points:\n  main: {, command: run}\n",
        "entry_points: !!python/object:os.system {main: {command: run}}\n",
        "x: !!python/object/apply:os.system [ls]\nentry_points: {main: {command: run}}\n",
        "entry_points: !foo {main: {command: run}}\n",
        "%FOO bar\n---\nentry_points: {main: {command: run}}\n",
        "%>\n---\nentry_points: {main: {command: run}}\n",
        "%\n---\nentry_points: {main: {command: run}}\n",
        "%YAML\n---\nentry_points: {main: {command: run}}\n",
        "%YAML 1.1\nentry_points: {main: {command: run}}\n",
        "entry_points: {main: {command: run}}\n%YAML 1.1\n",
        "x: {a: b: c}\nentry_points: {main: {command: run}}\n",
        "x: [a: b: c]\nentry_points: {main: {command: run}}\n",
        "x: {a: 'b': c}\nentry_points: {main: {command: run}}\n",
        "x: {a: {b: c}: d}\nentry_points: {main: {command: run}}\n",
    ]
    .map(text)
    .to_vec()
}

fn large() -> Vec<Case> {
    let limit = Difference::Limit;
    let text = |text: &str| Case::new("large document", format!("{MAIN}{text}\n"));
    let long = |length: usize| text(&format!("# {}", "x".repeat(length)));
    let deep = |depth: usize| text(&format!("x: {}{}", "[".repeat(depth), "]".repeat(depth)));
    let laughs = |levels: usize| {
        let line = |level: usize| {
            format!(
                "a{level}: &a{level} [{}]\n",
                format!("*a{},", level - 1).repeat(9)
            )
        };
        text(
            &(1..levels).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
                text + &line(level)
            }),
        )
    };
    vec![
        long(1_000_000),
        long(1 << 20).refuses(limit),
        deep(90),
        deep(150).refuses(limit),
        laughs(4),
        laughs(30).refuses(limit),
        text(&format!("x: [{}]", "a,".repeat(20_000))),
        text(&format!("x:\n{}", "  k: v\n".repeat(20_000))),
        text(&format!("x: [{}\n]", "{\n},".repeat(60))),
        text(&format!("x:\n{}", "- a\n".repeat(210_000))).refuses(limit),
    ]
}

const SCALARS: &str = r#"
2020-01-31 01:02:03
2020-01-31 01:02:03.5 +01:00
2020-01-31  1:02:03 Z
a b
a: b
a #b
a # b
# b
- a
? a
: a
it's
a "b" c
a, b
[a, b]
{a: 1, b: [x, 'y']}
{a: {b: {c: null}}}
[1, 2.0, true, null, 'x', 2020-01-01]
[it's]
['it''s']
["a\"b'c"]
['\']
["\n\t\x00\x7f\xa0\u200b"]
{1: a, 1.0: b, true: c}
{true: a, 1: b}
{a: 1, a: 2}
{1: a, 2: b, 1: c}
{[a]: b}
{{a: b}: c}
{? a}
{a}
{a, b}
[a: b]
[a: b, c]
[? a : b]
[, ]
[a, ]
[a,, b]
{a: }
{a: , b: }
{'a':1}
{"a":b}
{a: b: c}
!!str 1
!!str yes
!!str
!!str ''
!!str ~
!!int '7'
!!int "0x1F"
!!int 1.5
!!int x
!!float 3
!!float '1e3'
!!float x
!!bool yes
!!bool 'No'
!!bool 1
!!null x
!!null ''
!!timestamp 2020-1-5
!!timestamp x
!!binary aGk=
!!binary a
!!binary 'a G k ='
!!set {a}
!!set {}
!!set [a]
!!omap [a: 1, b: 2]
!!omap [a]
!!pairs [a: 1, a: 2]
!!seq [a]
!!seq a
!!map {a: 1}
!!map [a]
!custom x
!custom {a: 1}
!!python/object:os.system x
!!python/name:os.system
!!python/tuple [1]
!!python/str x
!<tag:yaml.org,2002:int> 7
!<tag:yaml.org,2002:str> 7
! 12
! '12'
!!merge x
!!value x
!!foo x
&x a
&x 1
*x
&x
&x.y a
&x &y a
!!str &x 1
&x !!str 1
'a' b
"a" b
[a] b
{a: 1} b
'a' # b
"a b "
%a
@a
`a
|a
"a
'a
[a
{a: 1
]
}
,
-
?
:
-1 - 2
1 2
12 e
~ x
null x
yes no
"#;
