//! Commands: parameters, paths and URIs, templates, and undeclared parameters.

use crate::case::{Case, Difference, lines, quoted};

pub(crate) fn cases() -> Vec<Case> {
    [
        parameters(),
        paths_and_uris(),
        templates(),
        undeclared(),
        long(),
    ]
    .concat()
}

fn parameters() -> Vec<Case> {
    let main = |parameters: &str, command: &str| Case::main("parameters", parameters, command);
    let number = |kind: &str, value: &str| {
        Case::main("numbers", &format!("{{a: {kind}}}"), "run {a}").value("a", value)
    };
    let mut cases = vec![
        main("{a: string}", "run {a}").value("a", "x"),
        main("{a: string}", "run {a}"),
        main("{a: string, b: int, c: {type: float}}", "run {a} {b} {c}"),
        main("{a: string, b: {default: x}}", "run {a} {b}").value("a", "1"),
        main("{a: {default: x}}", "run {a}").value("a", "y"),
        main("{a: {default: x}}", "run {a}").value("a", ""),
        main("{a: {default: ''}}", "run {a}"),
        main("{a: {default: }}", "run {a}"),
        main("{a: {default: null}}", "run {a}").value("a", "z"),
        main("{a: {default: 'null'}}", "run {a}"),
        main("{alpha: {default: x}}", "run {alpha}").value("Alpha", "y"),
        main("{alpha: {default: x}}", "run {alpha}")
            .value("ALPHA", "y")
            .value("alpha", "z"),
        main("{a: {default: x}, unused: {default: y}}", "run {a}"),
        main("{a: {default: x}}", "run {a} {a} {a}"),
        main("{a: {default: '{b}'}, b: {default: 1}}", "run {a} {b}"),
        main("{a: {default: \"{{}}\"}}", "run {a}"),
        main(
            "{a-b: {default: 1}, c d: {default: 2}, é: {default: 3}, '': {default: 4}}",
            "run {a-b} {c d} {é}",
        ),
        main("{'': {default: 4}}", "run {}"),
        main("{a.b: {default: 1}}", "run {a.b}"),
        main("{a.b: {default: 1}}", "run"),
        main("{'a[0]': {default: 1}}", "run {a[0]}"),
        main("{'a:b': {default: 1}}", "run {a:b}"),
        main("{'a!b': {default: 1}}", "run {a!b}"),
        main("{'a{b': {default: 1}}", "run {a{b}"),
        main("{'1': {default: 1}}", "run {1}"),
        main("{'01': {default: 1}}", "run {01}"),
        main("{'1a': {default: 1}}", "run {1a}"),
        main("{'-1': {default: 1}}", "run {-1}"),
        main("{'+1': {default: 1}}", "run {+1}"),
        main("{'٣': {default: 1}}", "run {٣}").gives(Difference::Digits, "run 1"),
        main("{' a ': {default: 1}}", "run { a }"),
        main("{\"a\\nb\": {default: 1}}", "\"run {a\\nb}\""),
        main("{__class__: {default: 1}}", "run {__class__}"),
        main(
            "{self: {default: 1}, format_spec: {default: 2}}",
            "run {self} {format_spec}",
        ),
        main("{a: {type: bool, default: yes}}", "run {a}"),
        main("{a: {type: string, default: yes}}", "run {a}"),
        main("{a: {type: str, default: 010}}", "run {a}"),
        main("{a: {type: Path, default: nowhere}}", "run {a}"),
        main("{a: {type: URI, default: nowhere}}", "run {a}"),
        main("{a: {type: INT, default: x}}", "run {a}"),
        main("{a: {type: integer, default: x}}", "run {a}"),
    ];
    for value in [
        "1",
        "-1",
        "+1",
        " 1 ",
        "1_000",
        "007",
        "12345678901234567890",
    ] {
        cases.extend([number("int", value), number("float", value)]);
    }
    for value in [
        "1.5",
        ".5",
        "5.",
        "1e-3",
        "1_0.0_1E+5",
        "inf",
        "-Infinity",
        "NaN",
    ] {
        cases.extend([
            number("float", value),
            number("int", value).refuses(Difference::Number),
        ]);
    }
    for value in [
        "", "abc", "0x10", "1__0", "_1", "1_", ".", "e5", "1e", "1e5.0", "--1", "1 000",
    ] {
        cases.extend([
            number("int", value).refuses(Difference::Number),
            number("float", value).refuses(Difference::Number),
        ]);
    }
    cases.push(main("{a: {type: int, default: 1.5}}", "run {a}"));
    cases.push(main("{a: {type: int, default: 0x1F}}", "run {a}"));
    cases.push(main("{a: {type: float, default: 1.0e-5}}", "run {a}"));
    cases.push(main("{a: {type: float, default: 1e-5}}", "run {a}"));
    cases
}

fn paths_and_uris() -> Vec<Case> {
    let here = |kind: &str, value: &str| {
        let case =
            Case::main("path and uri", &format!("{{a: {kind}}}"), "run {a}").value("a", value);
        let files = [
            "data.csv",
            "a b.csv",
            "it's.csv",
            "dir/x.csv",
            "per%20cent",
            "5",
            "~",
            "é",
            "a?b",
            "a#b",
            "a;b",
        ];
        files
            .iter()
            .fold(case.file("s/own.csv", ""), |case, file| case.file(file, ""))
    };
    let default = |kind: &str, value: &str| {
        Case::main(
            "path and uri by default",
            &format!("{{a: {{type: {kind}, default: {value}}}}}"),
            "run {a}",
        )
        .file("data.csv", "")
        .file("s/own.csv", "")
        .file("5", "")
    };
    let paths = [" data.csv", "data.csv ", "data.csv\n"];
    let mut cases: Vec<Case> = lines(PATHS, &paths)
        .map(|value| here("path", value))
        .collect();
    let uris = ["", " http://x", "ht\ntp://x"];
    cases.extend(lines(URIS, &uris).map(|value| here("uri", value)));
    let literal =
        |value: &str, ours: &str| here("path", value).gives(Difference::PathSpelling, ours);
    let local = |value: &str, ours: &str| here("uri", value).gives(Difference::LocalUri, ours);
    cases.extend([
        local("data.csv", "run [DIR]/data.csv"),
        local("a b.csv", "run '[DIR]/a b.csv'"),
        local("/dev/null", "run /dev/null"),
        literal("nowhere/../data.csv", "run [DIR]/data.csv"),
        literal("data.csv/", "run [DIR]/data.csv"),
        literal("//dev/null", "run /dev/null"),
        literal("per%20cent", "run [DIR]/per%20cent"),
        here("path", "a%20b.csv").refuses(Difference::PathSpelling),
        here("path", "").refuses(Difference::EmptyPath),
        here("path", "file:").refuses(Difference::EmptyPath),
        here("path", "file://").refuses(Difference::EmptyPath),
        default("path", "data.csv"),
        default("path", "own.csv"),
        default("path", "5").gives(Difference::NonTextPath, "run [DIR]/5"),
        default("path", "7"),
        default("path", "[a]"),
        default("uri", "http://x"),
        default("uri", "5"),
        default("uri", "nowhere"),
    ]);
    cases
}

fn templates() -> Vec<Case> {
    let parameters = "{a: {default: x y}, b: {default: 5}, e: {default: ''}, q: {default: \"é'\"}, l: {default: abcdefgh}}";
    let multiline = [
        "{a\n}",
        "{\n}",
        "{a\u{301}}",
        "line one\nline two",
        "line one\n",
        "\n",
        "\t{a}\t",
        "{a}\n{b}\n",
        "run \\\n  {a}",
    ];
    let render = |template: &str| Case::main("template", parameters, &quoted(template));
    let mut cases: Vec<Case> = lines(TEMPLATES, &multiline).map(render).collect();
    // Python prints the address of a method here, which differs from run to run.
    for template in ["{a.upper}", "{a.__class__}", "{a.__doc__[0]}"] {
        cases.push(render(template).refuses(Difference::Attribute));
    }
    cases.extend(["{a.nothing}", "{a.}", "{a[0].x}", "{b:{a.upper:.0}}"].map(render));
    for template in ["{l:\u{663}}", "{l[\u{663}]}"] {
        cases.push(render(template).refuses(Difference::Digits));
    }
    cases
}

fn undeclared() -> Vec<Case> {
    let given = |values: &[(&str, &str)]| {
        let case = Case::main("undeclared parameters", "{a: {default: 1}}", "run {a}");
        values
            .iter()
            .fold(case, |case, (name, value)| case.value(name, value))
    };
    let ending = |command: &str| {
        Case::main(
            "undeclared parameters after",
            "{a: {default: 1}}",
            &quoted(command),
        )
        .value("z", "q r")
    };
    let blanks = |command: &str, ours: &str| ending(command).gives(Difference::FinalBlanks, ours);
    let mut cases = vec![
        given(&[("x", "1")]),
        given(&[("z", "1"), ("y", "2"), ("x", "3")]),
        given(&[("z", "1"), ("a", "2"), ("b", "3")]),
        given(&[("x", "")]),
        given(&[("", "x")]),
        given(&[("x", "a b")]),
        given(&[("x y", "a")]),
        given(&[("x'y", "it's")]),
        given(&[("-x", "--y")]),
        given(&[("x.y", "1")]),
        given(&[("s.x", "1")]),
        given(&[("é", "ü")]),
        given(&[("x", "a=b=c")]),
        given(&[("x", "{a}")]),
        given(&[("{a}", "{{")]),
        given(&[("x", "a\nb")]),
        given(&[("x\ny", "a\tb")]),
        given(&[("steps", "a,b")]),
        given(&[("help", "x"), ("version", "y"), ("P", "z")]),
        given(&[("A", "x")]),
        ending("run"),
        ending(""),
        ending("run \\"),
        ending("run #"),
        ending("\nrun"),
        blanks("run\n", "run --z 'q r'"),
        blanks("run \n\n", "run --z 'q r'"),
        blanks("run\t", "run --z 'q r'"),
        blanks("run {a} ", "run 1 --z 'q r'"),
        blanks("\n", " --z 'q r'"),
        Case::new(
            "undeclared parameters after a block",
            "entry_points:\n  main:\n    command: |\n      run a\n      run b\n",
        )
        .value("z", "1")
        .gives(Difference::FinalBlanks, "run a\nrun b --z 1"),
        Case::new(
            "undeclared parameters after a block",
            "entry_points:\n  main:\n    command: >\n      run a\n      run b\n",
        )
        .value("z", "1")
        .gives(Difference::FinalBlanks, "run a run b --z 1"),
        Case::new(
            "undeclared parameters after a block",
            "entry_points:\n  main:\n    command: |-\n      run a\n      run b\n",
        )
        .value("z", "1"),
        Case::new(
            "undeclared parameters after a block",
            "entry_points:\n  main:\n    command: |\n      run a\n      run b\n",
        ),
    ];
    for name in ["train.py", "train.sh", "train.R"] {
        cases.push(
            Case::without_mlproject("undeclared parameters of a script")
                .entry_point(name)
                .value("b", "1 2")
                .value("a", "é"),
        );
    }
    cases
}

fn long() -> Vec<Case> {
    let limit = Difference::Limit;
    let one = |command: &str| Case::main("long command", "{a: {default: x}}", &quoted(command));
    vec![
        one("{a:130000}"),
        // Linux starts no program with so long an argument.
        one("{a:140000}").refuses(limit),
        one("{a:2000000}").refuses(limit),
        one(&format!("{{a:{}5}}", "0".repeat(200))),
        one(&format!("{{a:{}5}}", "0".repeat(300))).refuses(limit),
    ]
}

const PATHS: &str = r"
data.csv
./data.csv
dir
dir/
dir/../data.csv
dir//x.csv
nowhere
own.csv
s/own.csv
a b.csv
it's.csv
.
..
/
/dev/null
/nowhere
~
é
a?b
a#b
a;b
file:data.csv
file:///dev/null
file:/dev/null
file://dev/null
file:///nowhere
FILE:///dev/null
file:///dev/null?x=y#z
file:///dev%2Fnull
a:b
:
://
1:2
";

const URIS: &str = r#"
http://x/y
https://x
s3://b/k
mailto:a
C:/x
c:\x
a:b
a:
file:///nowhere
file:nowhere
runs:/1/x
+x:y
a+b-c.d:e
http://x/a b
http://x/'"$
HTTP://X
1a:b
-a:b
:a
nowhere
://x
é:x
a/b:c
a_b:c
"#;

const TEMPLATES: &str = r#"
run
{{}}
{{a}}
}}{{
{a}
'{a}'
"{a}"
{a}{b}
$HOME
${{HOME}}
${HOME}
$({a})
{a!s}
{a!r}
{a!a}
{q!r}
{q!a}
{a!x}
{a!}
{a!rr}
{a!r }
{a! r}
{a!:}
{a!r:}
{a:}
{b:>4}
{b:<4}
{b:^4}
{b:^5}
{b:=4}
{b:4}
{b:04}
{b:<04}
{b:x<04}
{b:*^4}
{b:{{>4}
{b:}>4}
{b:é>3}
{b:.0}
{l:.3}
{l:.99}
{l:6.2}
{l:>6.2s}
{l:s}
{l:d}
{l:x}
{l:,}
{l:_}
{l:+}
{l:-}
{l: }
{l:#}
{l:z}
{l:.}
{l:.x}
{l:5.}
{l:ss}
{l:0}
{l:00}
{l:000000005}
{l:99999999999999999999}
{l:.99999999999999999999}
{l:x}
{l:>}
{l:>>}
{l:>>9}
{l:!r}
{b:{b}}
{b:>{b}}
{b:{b}.{b}}
{b:{b:{b}}}
{b:{c}}
{b:{}}
{b:{b!r}}
{l:{b}{b}}
{b:{{}}
{b:{{b}}}
{b:{b
{b:{b}
{l[0]}
{l[7]}
{l[8]}
{l[-1]}
{l[00]}
{l[+1]}
{l[ 1]}
{l[x]}
{l[]}
{l[0}
{l[0]
{l[0]x}
{l[0][0]}
{l[0][1]}
{l[0:2]}
{l[:]}
{l[!]}
{l[0]!r}
{l[0]:>3}
{l]}
{]}
{l[{b}]}
{a[0]}{a[1]}
{
}
a {
a }
{a
{a}}
{{a}
{{{a}}}
{{{{a}}}}
{a{b}}
{a b}
{ a}
{a }
{}
{0}
{1}
{00}
{-1}
{c}
{A}
{a,b}
{a;b}
{"a"}
{!r}
{:>5}
{:}
{!}
{.a}
{[0]}
{a..b}
{a[0].b}
{é}
awk '{print $1}'
awk '{{print $1}}'
jq '.a | {b: .c}'
for i in {1..3}; do x; done
a \{b\}
\{{a\}}
a && b || c; d | e > f < g & # h
"#;
