//! Each construct of Python that is understood, and what it becomes.

#![expect(
    clippy::unwrap_used,
    reason = "a pipeline that cannot be made fails its test"
)]

use std::fs;
use std::path::Path;

use init::{InitError, Proposal, propose};
use tempfile::TempDir;

const MLPROJECT: &str = "name: x\nentry_points:\n  main:\n    parameters:\n      rows: {type: int, default: 5}\n      \
                         steps: {default: all}\n      name: {default: given}\n      data: {type: path, default: raw}\n    \
                         command: \"python main.py --rows {rows} --steps {steps} plain {data} {name}\"\n";

const CONFIG: &str = "main:\n  steps: all\n  project: demo\n  list: [a, b]\n  release: false\n  \
                      folder: parts\n  home: /srv/x\n  joined: \"${main.project}/x\"\nmodel: {depth: 3, 'odd]key': 1}\n";

const HEAD: &str = "\
import argparse, json, os, sys, tempfile
import hydra, mlflow, yaml
from pathlib import Path
from omegaconf import OmegaConf
config = OmegaConf.load('config.yaml')
NAME = 'n'
root = os.getcwd()
";

fn pipeline(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Proposes for a program behind [`HEAD`], in a pipeline with the folders `a`, `b` and `src/c`.
fn proposed(program: &str) -> Proposal {
    let step = "entry_points: {main: {command: x}, fit: {command: y}}\n";
    let program = format!("{HEAD}{program}");
    let folder = pipeline(&[
        ("MLproject", MLPROJECT),
        ("config.yaml", CONFIG),
        ("main.py", &program),
        ("a/MLproject", step),
        ("b/MLproject", step),
        ("src/c/MLproject", step),
    ]);
    propose(folder.path()).unwrap()
}

/// The new lines from `env:` or `steps:` on, without the final blank one.
fn section(program: &str) -> String {
    let proposal = proposed(program);
    let added = proposal
        .diff
        .lines()
        .filter_map(|line| line.strip_prefix('+'));
    let is_section = |line: &&str| {
        !line.is_empty() && !line.starts_with("++ ") && *line != "config: config.yaml"
    };
    let lines: Vec<&str> = added.filter(is_section).collect();
    lines.join("\n")
}

fn failure(files: &[(&str, &str)]) -> String {
    let folder = pipeline(files);
    let root = folder.path().canonicalize().unwrap();
    let error = propose(&root).unwrap_err().to_string();
    error.replace(root.to_str().unwrap(), "ROOT")
}

#[test]
fn expressions_become_values() {
    let table = [
        ("'text'", "text"),
        ("'a' 'b'", "ab"),
        ("r'\\d'", "\\d"),
        ("'tab\\t\\x41\\u00e9'", "\"tab\\tAé\""),
        ("'''two\nlines'''", r#""two\nlines""#),
        ("'{braces}'", r#""{{braces}}""#),
        ("'yes'", r#""yes""#),
        ("''", r#""""#),
        ("5", "5"),
        ("-0x10", "-16"),
        ("1_000", "1000"),
        ("1e-5", "1e-05"),
        ("0.10", "0.1"),
        ("True", "True"),
        ("None", "None"),
        ("[1, 'a']", r#""[1, 'a']""#),
        ("2 + 3 * 4", "14"),
        ("NAME", "n"),
        (
            "f'{NAME}-{config.main.project}'",
            r#""n-{config[main][project]}""#,
        ),
        ("f'{{x}}{NAME!s}'", r#""{{x}}n""#),
        (
            "'{}/{1}/{k}'.format(NAME, 'b', k=config['model']['depth'])",
            r#""n/b/{config[model][depth]}""#,
        ),
        (
            "'%s-%d' % (NAME, config.model.depth)",
            r#""n-{config[model][depth]}""#,
        ),
        ("'%(k)s%%' % {'k': NAME}", "n%"),
        (
            "NAME + '/' + config['main']['project']",
            r#""n/{config[main][project]}""#,
        ),
        ("config.main['list'][0]", r#""{config[main][list][0]}""#),
        (
            "config['main'].get('project')",
            r#""{config[main][project]}""#,
        ),
        ("config.get('absent', 7)", "7"),
        ("str(config.model.depth)", r#""{config[model][depth]}""#),
        ("int(config.model.depth)", r#""{config[model][depth]}""#),
        (
            "os.path.join(root, 'data', 'x.csv')",
            r#""{root}/data/x.csv""#,
        ),
        ("os.path.join('data', 'x.csv')", "data/x.csv"),
        ("os.path.join(root, '/abs')", "/abs"),
        ("os.path.abspath('./data/../x')", r#""{root}/x""#),
        (
            "os.path.abspath(config.main.folder)",
            r#""{root}/{config[main][folder]}""#,
        ),
        (
            "os.path.abspath(config.main.home)",
            r#""{config[main][home]}""#,
        ),
        (
            "os.path.join(root, config.main.home, 'x')",
            r#""{config[main][home]}/x""#,
        ),
        ("os.path.join(root, sys.argv[6])", r#""{data}""#),
        ("Path(sys.argv[6]).resolve() / 'x'", r#""{data}/x""#),
        ("hydra.utils.get_original_cwd()", r#""{root}""#),
        ("hydra.utils.to_absolute_path('x')", r#""{root}/x""#),
        ("os.path.dirname(os.path.realpath(__file__))", r#""{root}""#),
        (
            "str(Path(__file__).resolve().parent / 'data' / NAME)",
            r#""{root}/data/n""#,
        ),
        ("Path('a', 'b').joinpath('c').as_posix()", "a/b/c"),
        ("Path.cwd() / 'x'", r#""{root}/x""#),
        ("os.path.basename('a/b.csv')", "b.csv"),
        ("sys.argv[2]", r#""{rows}""#),
        ("sys.argv[-1]", r#""{name}""#),
        ("sys.argv[1:][1]", r#""{rows}""#),
        ("'a' if True else 'b'", "a"),
        ("NAME or 'other'", "n"),
        ("{'k': 'v'}['k']", "v"),
        ("','.join(['a', NAME])", "a,n"),
        ("[part.upper() for part in 'a b'.split()][1]", "B"),
        ("len([1, 2])", "2"),
        ("os.getenv('OTHER', 'default')", "default"),
    ];
    for (expression, expected) in table {
        let found = section(&format!(
            "mlflow.run('a', parameters={{'x': {expression}}})\n"
        ));
        let expected = format!("      x: {expected}");
        assert_eq!(
            found.lines().last(),
            Some(expected.as_str()),
            "{expression}"
        );
    }
}

#[test]
fn what_is_not_understood_is_a_comment_with_its_line() {
    let table = [
        "time.time()",
        "os.environ['SECRET']",
        "os.getenv('SECRET')",
        "os.getenv('MLFLOW_EXPERIMENT_ID', '0')",
        "config.model.depth * 2",
        "config.model['odd]key']",
        "f'{NAME:>5}'",
        "f'{NAME!r}'",
        "b'bytes'",
        "undefined",
        "lambda: 1",
        "{**undefined}",
        "tempfile.mkdtemp()",
        "mlflow.active_run().info.run_id",
        "NAME.encode()",
    ];
    for expression in table {
        let proposal = proposed(&format!(
            "mlflow.run('a', parameters={{'x': {expression}, 'y': 1}})\n"
        ));
        let line = "      # x: not understood, main.py line 8: ";
        let comment = proposal.new.lines().find(|found| found.starts_with(line));
        assert!(comment.is_some(), "{expression}: {}", proposal.new);
        let notes: Vec<String> = proposal
            .not_understood
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            notes
                .iter()
                .any(|note| note.starts_with("line 8: step `a`, parameter `x`: `")),
            "{notes:?}"
        );
    }
}

#[test]
fn calls_become_steps() {
    let table = [
        ("mlflow.run('a')", "  a:"),
        ("mlflow.projects.run(uri='./a/')", "  a:"),
        ("from mlflow.projects import run as go\ngo('a')", "  a:"),
        ("import mlflow.projects as p\np.run('a')", "  a:"),
        ("mlflow.run(os.path.join(root, 'src', 'c'))", "  c:"),
        ("mlflow.run('other/c')", "  c:\n    project: other/c"),
        ("mlflow.run('a', 'fit')", "  a:\n    entry_point: fit"),
        (
            "mlflow.run('.', entry_point='fit')",
            "  fit:\n    project: .\n    entry_point: fit",
        ),
        (
            "mlflow.run('https://h.invalid/o/r.git', version='v1')",
            "  r:\n    project: https://h.invalid/o/r.git\n    version: v1",
        ),
        (
            "mlflow.run(f'https://h.invalid/{config.main.joined}#p')",
            "  p:\n    project: https://h.invalid/demo/x#p",
        ),
        ("mlflow.run('/abs/z')", "  z:\n    project: /abs/z"),
        (
            "mlflow.run((Path.cwd() / 'a').as_uri(), 'fit.py')",
            "  fit:\n    project: a\n    entry_point: fit.py",
        ),
        (
            "p = {'x': 1, 'y': 2}\nmlflow.run('a', parameters={'z': p.pop('x'), **p})",
            "  a:\n    parameters:\n      z: 1\n      y: 2",
        ),
        (
            "mlflow.run('a', env_manager='uv')",
            "  a:\n    env_manager: uv",
        ),
        (
            "mlflow.run('a', use_conda=False)",
            "  a:\n    env_manager: local",
        ),
        (
            "mlflow.run('a', experiment_name='e: 1')",
            "  a:\n    experiment: \"e: 1\"",
        ),
        (
            "mlflow.run('a', version=commit(), env_manager=best)",
            "  a:\n    # not understood, main.py line 8: version=commit()\n    # not understood, main.py line 8: env_manager=best",
        ),
        (
            "mlflow.run('a', experiment_name=config.main.project)",
            "  a:\n    experiment: demo",
        ),
        (
            "config.model.depth = 4\njson.dump(config.model, open('f', 'w'))\nmlflow.run('a', parameters={'x': os.path.abspath('f')})",
            "  a:\n    # parameters:\n      # x: not understood, main.py line 10: os.path.abspath('f')",
        ),
        (
            "mlflow.run('a', backend='databricks')",
            "  a:\n    # not understood, main.py line 8: backend=databricks",
        ),
        (
            "mlflow.run('a')\nmlflow.run(where())",
            "  a:\n  step:\n    # not understood, main.py line 9: where()",
        ),
        ("mlflow.run(where())", "  a:\n  b:\n  c:"),
        (
            "mlflow.run('a')\nmlflow.run('a')",
            "  a:\n  a_2:\n    project: a",
        ),
        (
            "mlflow.run('a')\nmlflow.run('a', 'fit')",
            "  a:\n  a_fit:\n    project: a\n    entry_point: fit",
        ),
        (
            "mlflow.run('a', parameters=dict(config.model, y=1))",
            "  a:\n    parameters:\n      depth: \"{config[model][depth]}\"\n      # odd]key: not understood, main.py line 8: mlflow.run('a', parameters=dict(config.model, y=1))\n      y: 1",
        ),
    ];
    for (program, expected) in table {
        assert_eq!(
            section(&format!("{program}\n")),
            format!("steps:\n{expected}"),
            "{program}"
        );
    }
}

#[test]
fn conditions_name_steps_and_say_what_is_default() {
    let head =
        "active = config.main.steps.split(',') if config.main.steps != 'all' else ['first', 'b']\n";
    let table = [
        (
            "if 'first' in active:\n    mlflow.run('a')",
            "  first:\n    project: a",
        ),
        (
            "if 'third' in active:\n    mlflow.run('a')",
            "  third:\n    project: a\n    default: false",
        ),
        (
            "if 'third' in active or 'b' in active:\n    mlflow.run('a')",
            "  third:\n    project: a",
        ),
        (
            "if 'all' in active or 'b' in active:\n    mlflow.run('a')",
            "  b:\n    project: a",
        ),
        (
            "if config.main.absent in (None, 'a'):\n    mlflow.run('a')",
            "  a:\n    # not understood, main.py line 9: if config.main.absent in (None, 'a')",
        ),
        (
            "if active and 'b' in active:\n    mlflow.run('b')",
            "  b:\n    # not understood, main.py line 9: if active and 'b' in active",
        ),
        (
            "if config.main.release:\n    mlflow.run('a')",
            "  a:\n    # not understood, main.py line 9: if config.main.release\n    default: false",
        ),
        (
            "if not config.main.release:\n    mlflow.run('a')",
            "  a:\n    # not understood, main.py line 9: if not config.main.release",
        ),
        (
            "if os.path.exists('x'):\n    mlflow.run('a')",
            "  a:\n    # not understood, main.py line 9: if os.path.exists('x')",
        ),
        (
            "if False:\n    mlflow.run('a')\nelse:\n    mlflow.run('b')",
            "  b:",
        ),
        (
            "for n in names():\n    mlflow.run('a')",
            "  a:\n    # not understood, main.py line 9: for n in names()",
        ),
        (
            "for n in active:\n    mlflow.run(n)",
            "  first:\n    project: first\n  b:",
        ),
        (
            "for n, d in zip(['a', 'b'], range(2)):\n    mlflow.run(n, parameters={'d': d})",
            "  a:\n    parameters:\n      d: 0\n  b:\n    parameters:\n      d: 1",
        ),
        (
            "for k, v in config['model'].items():\n    mlflow.run('a', parameters={'k': k})\n    break",
            "  a:\n    parameters:\n      k: depth",
        ),
        ("if __name__ == '__main__':\n    mlflow.run('a')", "  a:"),
        (
            "try:\n    mlflow.run('a')\nexcept Exception:\n    raise\nfinally:\n    mlflow.run('b')",
            "  a:\n  b:",
        ),
        (
            "runs = {'a': lambda: 1}\nwith mlflow.start_run() as r:\n    mlflow.run('a')",
            "  a:",
        ),
    ];
    for (program, expected) in table {
        assert_eq!(
            section(&format!("{head}{program}\n")),
            format!("steps:\n{expected}"),
            "{program}"
        );
    }
}

#[test]
fn functions_of_the_program_are_entered() {
    let table = [
        (
            "def go(name, /, x, *rest, y=2, **more):\n    return mlflow.run(name, parameters={'x': x, 'y': y, **more})\ngo('a', 1, z=3)",
            "  a:\n    parameters:\n      x: 1\n      y: 2\n      z: 3",
        ),
        (
            "def go(name: str, x: int = 4) -> None:\n    mlflow.run(name, parameters={'x': x})\nSTEPS = {'a': go}\nSTEPS['a']('a')",
            "  a:\n    parameters:\n      x: 4",
        ),
        (
            "def forever():\n    mlflow.run('a')\n    forever()\nforever()",
            "",
        ),
        ("def uncalled():\n    mlflow.run('a')", "  a:"),
    ];
    for (program, expected) in table {
        let found = section(&format!("{program}\n"));
        if expected.is_empty() {
            assert!(found.starts_with("steps:\n  a:\n  a_2:"), "{found}");
        } else {
            assert_eq!(found, format!("steps:\n{expected}"), "{program}");
        }
    }
}

#[test]
fn earlier_runs_are_named_by_their_steps() {
    let program = "\
first = mlflow.run('a')
client = mlflow.tracking.MlflowClient()
info = client.get_run(first.run_id).info
second = mlflow.run('b', parameters={'id': first.run_id, 'in': os.path.join(info.artifact_uri, 'x')})
mlflow.run('c', parameters={'model': f'runs:/{mlflow.get_run(second.run_id).info.run_id}/model'})
";
    let expected = "\
steps:
  a:
  b:
    parameters:
      id: \"{steps[a][run_id]}\"
      in: \"{steps[a][artifact_uri]}/x\"
  c:
    project: c
    parameters:
      model: \"runs:/{steps[b][run_id]}/model\"";
    assert_eq!(section(program), expected);
}

#[test]
fn variables_of_all_steps_stand_at_the_root() {
    let program = "\
os.environ['ALL'] = config['main']['project']
os.environ.update({'BOTH': '1'}, LAST='no')
mlflow.run('a', parameters={'p': os.environ['ALL']})
os.environ['LAST'] = 'yes'
os.putenv('LATE', unknown())
mlflow.run('b')
";
    let expected = "\
env:
  ALL: \"{config[main][project]}\"
  BOTH: \"1\"
steps:
  a:
    env:
      LAST: \"no\"
    parameters:
      p: \"{config[main][project]}\"
  b:
    env:
      LAST: \"yes\"
      # LATE: not understood, main.py line 12: os.putenv('LATE', unknown())";
    assert_eq!(section(program), expected);
}

#[test]
fn parts_of_the_config_are_files() {
    let table = [
        (
            "with open('f', 'w') as fp:\n    json.dump(dict(config.model.items()), fp)",
            "json",
        ),
        (
            "with open('f', 'w') as fp:\n    json.dump(OmegaConf.to_container(config.model), fp=fp)",
            "json",
        ),
        ("Path('f').write_text(json.dumps(config['model']))", "json"),
        (
            "open('f', 'w').write(OmegaConf.to_yaml(config.model))",
            "yaml",
        ),
        (
            "with open('f', 'w') as fp:\n    yaml.dump(dict(config.model), fp)",
            "yaml",
        ),
        ("OmegaConf.save(config=config.model, f='f')", "yaml"),
    ];
    for (program, format) in table {
        let found = section(&format!(
            "{program}\nmlflow.run('a', parameters={{'x': os.path.abspath('f')}})\n"
        ));
        let expected =
            format!("steps:\n  a:\n    parameters:\n      x: {{{format}: \"config[model]\"}}");
        assert_eq!(found, expected, "{program}");
    }
}

#[test]
fn the_command_line_is_read_as_the_program_reads_it() {
    let argparse = "\
parser = argparse.ArgumentParser()
group = parser.add_argument_group('g')
group.add_argument('-r', '--rows', type=int)
parser.add_argument('--steps')
parser.add_argument('--seed-value', default=3)
parser.add_argument('--fast', action='store_true')
parser.add_argument('kind')
parser.add_argument('title')
parser.add_argument('--must', required=True)
args, rest = parser.parse_known_args()
mlflow.run('a', parameters=vars(args))
";
    let expected = "\
steps:
  a:
    parameters:
      rows: \"{rows}\"
      steps: \"{steps}\"
      seed_value: 3
      fast: False
      kind: plain
      title: \"{data}\"
      # must: not understood, main.py line 16: parser.add_argument('--must', required=True)";
    assert_eq!(section(argparse), expected);
    let click = "\
import click
@click.command()
@click.option('--rows', '-r', 'count', default=1)
@click.option('--seed', default=3)
@click.argument('kind')
def go(count, **rest):
    mlflow.run('a', parameters={'count': count, **rest})
go()
";
    let expected =
        "steps:\n  a:\n    parameters:\n      count: \"{rows}\"\n      seed: 3\n      kind: all";
    // An option that the program does not know takes no value, so that `all` is the first argument.
    assert!(
        section(click).starts_with(expected.trim_end_matches("all")),
        "{}",
        section(click)
    );
}

#[test]
fn folders_are_the_steps_where_no_program_says_them() {
    let folder = pipeline(&[
        ("MLproject", "name: x\n"),
        ("b/MLproject", "name: b\n"),
        ("src/a/mlproject", "name: a\n"),
        ("components/c/MLproject", "name: c\n"),
        (".hidden/MLproject", "name: d\n"),
        ("main.py", "print('no steps here')\n"),
    ]);
    let proposal = propose(folder.path()).unwrap();
    assert_eq!(proposal.new, "name: x\n\nsteps:\n  a:\n  b:\n  c:\n");
    assert_eq!(proposal.program, None);
    assert_eq!(proposal.warnings.len(), 1);
}

#[test]
fn other_programs_are_found() {
    let step = ("a/MLproject", "name: a\n");
    let run = "import mlflow\nmlflow.run('a')\n";
    let table: [&[(&str, &str)]; 3] = [
        &[
            (
                "MLproject",
                "entry_points: {main: {command: 'cd src && python -u go.py'}}\n",
            ),
            ("src/go.py", run),
        ],
        &[
            (
                "MLproject",
                "entry_points: {main: {command: python -m tool.go}}\n",
            ),
            ("tool/go.py", run),
        ],
        &[
            ("MLproject", "name: x\n"),
            ("go.py", run),
            ("other.py", "import mlflow\n"),
        ],
    ];
    for files in table {
        let folder = pipeline(&[files, &[step]].concat());
        assert_eq!(propose(folder.path()).unwrap().steps, ["a"]);
    }
}

#[test]
fn files_in_the_forms_of_other_systems_are_read() {
    let program =
        "\u{feff}import mlflow\r\nprint \"old\"\r\nmlflow.run('a',\r\n  parameters={'x': 1})\r\n";
    let folder = pipeline(&[
        (
            "MLproject",
            "\u{feff}name: x\r\nentry_points:\r\n  main: {command: python main.py}",
        ),
        ("main.py", program),
        ("a/MLproject", "name: a\n"),
    ]);
    let proposal = propose(folder.path()).unwrap();
    let expected = "\u{feff}name: x\r\n\r\nsteps:\r\n  a:\r\n    parameters:\r\n      x: 1\r\n\r\nentry_points:\r\n  \
                    main: {command: python main.py}";
    assert_eq!(proposal.new, expected);
}

#[test]
fn texts_of_a_stranger_cannot_leave_their_place() {
    let program = "\
mlflow.run('a', parameters={'x\\n  evil: y': '\\x1b[31m\\u202e\\n', 'k': 'v\\\\n# c'})
mlflow.run('a', 'fit', parameters={'y': f('''
steps: evil''')})
if 'a\\nb: c' in config.main.list:
    mlflow.run('b')
";
    let proposal = proposed(program);
    let document = mlproject::pyyaml::parse(&proposal.new).unwrap();
    let steps = document.value.get("steps").unwrap().as_dict().unwrap();
    let names: Vec<&str> = steps.iter().filter_map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "a_fit", "a\nb: c"]);
    let parameters = steps[0].1.get("parameters").unwrap();
    let value = parameters.get("x\n  evil: y").unwrap().as_str();
    assert_eq!(value, Some("\u{1b}[31m\u{202e}\n"));
    assert!(!proposal.new.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn hostile_programs_are_bounded() {
    let deep = format!(
        "x = {}1{}\nmlflow.run('a')\n",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    let doubling = format!(
        "x = ['a']\nt = 'a'\n{}mlflow.run('a', parameters={{'x': x, 't': t}})\n",
        "x = [x, x]\nt = t + t\n".repeat(200)
    );
    let loops = "for a in range(1000):\n  for b in range(1000):\n    for c in range(1000):\n      pass\nmlflow.run('a')\n";
    let recursive = "def f(n):\n  f(n)\n  f(n)\n  mlflow.run('a')\nf(1)\n";
    let blocks: Vec<String> = (0..90).map(|depth| " ".repeat(depth) + "if x:\n").collect();
    let blocks = blocks.concat();
    let nested = format!("{blocks}{}mlflow.run('a')\n", " ".repeat(90));
    let heavy = "x = [1, 2, 3, 4, 5, 6, 7, 8]\nx = x + x + x + x + x + x + x + x\n".to_owned()
        + "x = x + x + x + x + x + x + x + x\n"
        + &(0..60)
            .map(|at| format!("x{at} = x + x\n"))
            .collect::<Vec<_>>()
            .concat()
        + &"if a():\n  pass\n".repeat(5000)
        + "mlflow.run('a')\n";
    let late = "mlflow.run('a')\n".to_owned() + &heavy;
    for program in [deep.as_str(), &doubling, loops, recursive, &nested, &late] {
        let start = std::time::Instant::now();
        let step = ("a/MLproject", "name: a\n");
        let program = format!("import mlflow\n{program}");
        let folder = pipeline(&[("MLproject", "name: x\n"), ("main.py", &program), step]);
        let proposal = propose(folder.path()).unwrap();
        assert!(proposal.new.len() < 200_000);
        assert!(
            start.elapsed().as_secs() < 5,
            "{:?} {}",
            start.elapsed(),
            &program[..60]
        );
    }
}

#[test]
fn a_section_has_an_end() {
    let entries: Vec<String> = (0..1000).map(|at| format!("'k{at}': {at},")).collect();
    let entries = entries.concat();
    let program = format!(
        "import mlflow\nfor n in range(30):\n  mlflow.run('a', parameters={{{entries}}})\n"
    );
    let step = ("a/MLproject", "name: a\n");
    let files = [
        ("MLproject", "name: x\n"),
        ("main.py", program.as_str()),
        step,
    ];
    let message = failure(&files);
    assert!(
        message.starts_with("ROOT/MLproject: the steps would have "),
        "{message}"
    );
}

#[test]
fn nothing_outside_of_the_pipeline_is_read() {
    let outside = pipeline(&[("secret.yaml", "key: value\n")]);
    let path = outside.path().join("secret.yaml");
    for written in [
        path.to_str().unwrap(),
        "../secret.yaml",
        "x/../../secret.yaml",
    ] {
        let program = format!(
            "import mlflow, yaml\nc = yaml.safe_load(open('{written}'))\nmlflow.run('a', parameters=dict(c, z=1))\n"
        );
        let folder = pipeline(&[
            ("MLproject", "name: x\n"),
            ("main.py", &program),
            ("a/MLproject", "name: a\n"),
        ]);
        let proposal = propose(folder.path()).unwrap();
        assert!(
            !proposal.new.contains("config:") && !proposal.new.contains("key"),
            "{}",
            proposal.new
        );
    }
}

#[test]
fn failures_say_where_and_what_next() {
    let main = ("main.py", "import mlflow\nmlflow.run('a')\n");
    let table: [(&[(&str, &str)], &str); 8] = [
        (
            &[("x", "")],
            "no MLproject in `ROOT`; expected the folder of a pipeline, which `-C` names",
        ),
        (
            &[("MLproject", "name: x\nsteps:\n  a:\n"), main],
            "ROOT/MLproject:2: the section `steps:` is there already; edit it, or remove it and type `orchestrator --init` again",
        ),
        (
            &[("MLproject", "{name: x}\n"), main],
            "ROOT/MLproject: expected a key on each line, such as `entry_points:`, for a section to be put in between; \
             write the file so, then type `orchestrator --init` again",
        ),
        (
            &[
                ("MLproject", "name: x\n"),
                ("main.py", "import mlflow\n\nif True\n    mlflow.run('a')\n"),
            ],
            "ROOT/main.py:3: expected Python, found `if True mlflow.run('a')`; `python3 -m py_compile` tells what is wrong there",
        ),
        (
            &[
                ("MLproject", "name: x\n"),
                ("main.py", "import mlflow\nmlflow.run('a'\n"),
            ],
            "ROOT/main.py:2: expected Python, found `mlflow.run('a'`; `python3 -m py_compile` tells what is wrong there",
        ),
        (
            &[
                ("MLproject", "name: x\n"),
                ("main.py", "print('nothing')\n"),
            ],
            "ROOT/MLproject: found no steps: no `mlflow.run` in a program of this folder, and no folder with an MLproject; \
             `orchestrator` runs its `main` as it is",
        ),
        (
            &[("MLproject", "name: [\n"), main],
            "ROOT/MLproject:2:1: expected",
        ),
        (
            &[("MLproject", "- a\n"), main],
            "ROOT/MLproject: an MLproject should be",
        ),
    ];
    for (files, expected) in table {
        let found = failure(files);
        assert!(found.starts_with(expected), "{found}");
    }
    let large = "# large\n".repeat(200_000);
    let message = failure(&[("MLproject", "name: x\n"), ("main.py", &large)]);
    assert_eq!(message, "cannot read `ROOT/main.py`");
    let folder = pipeline(&[("MLproject", "name: x\n")]);
    fs::write(
        folder.path().join("main.py"),
        b"import mlflow\nx = '\xff'\nmlflow.run('a')\n",
    )
    .unwrap();
    let error = propose(folder.path()).unwrap_err();
    assert!(matches!(error, InitError::NotUtf8 { line: 2, .. }));
}

#[test]
fn the_smallest_project_is_one() {
    let folder = pipeline(&[]);
    let read = |text: &str| {
        mlproject::Project::parse(text, Path::new("MLproject"), folder.path()).unwrap()
    };
    let text = init::smallest(Path::new("/pipelines/no"));
    assert!(text.starts_with("name: \"no\"\n") && text.contains("  # prepare:\n"));
    assert_eq!(read(&text).steps.unwrap().len(), 0);
    let folder = pipeline(&[
        ("b/MLproject", "name: b\n"),
        ("src/a/MLproject", "name: a\n"),
    ]);
    let project = read(&init::smallest(folder.path()));
    let names: Vec<String> = project
        .steps
        .unwrap()
        .into_iter()
        .map(|step| step.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
}
