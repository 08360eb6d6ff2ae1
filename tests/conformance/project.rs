//! Projects: the file, entry points, environments, and values of another shape than expected.

use crate::case::{Case, Difference};

pub(crate) fn cases() -> Vec<Case> {
    [files(), entry_points(), environments(), shapes()].concat()
}

fn files() -> Vec<Case> {
    let named = |name: &str| Case::without_mlproject("file name").file(&format!("s/{name}"), MAIN);
    let mut cases: Vec<Case> = [
        "MLproject",
        "mlproject",
        "MLPROJECT",
        "MlPrOjEcT",
        "MLproject.yaml",
        "MLproject.yml",
        "mlproject~",
    ]
    .map(named)
    .to_vec();
    cases.push(Case::without_mlproject("no file"));
    cases.push(
        Case::without_mlproject("no file")
            .file("s/train.py", "")
            .entry_point("train.py")
            .value("a", "b c"),
    );
    cases.push(Case::without_mlproject("a folder of that name").file("s/MLproject/x", ""));
    cases.push(Case::new(
        "not UTF-8",
        *b"entry_points: {main: {command: \"\xe9\"}}\n",
    ));
    cases.push(Case::new(
        "not UTF-8",
        *b"# \xff\xfe\nentry_points: {main: {command: a}}\n",
    ));
    cases
}

fn entry_points() -> Vec<Case> {
    let names = [
        "main",
        "train",
        "Main",
        "",
        "train.py",
        "train.sh",
        "train.R",
        "train.r",
        "train.PY",
        "train.pyc",
        "train",
        "a.b.py",
        "src/train.py",
        "./train.sh",
        "my train.py",
        "it's.sh",
        "my train.R",
        "it's.R",
        ".py",
        "..py",
        "a/.py",
        "a.py/",
        "a..sh",
        "{a}.py",
        "{{a}}.py",
        "$x.sh",
        "é.py",
        "py",
        "other name",
        "1",
        "1.5",
        "true",
        "null",
        "declared.py",
        "a.py b",
        "a\nb.py",
    ];
    let text = "entry_points:\n  main: {command: run main}\n  other name: {command: run other}\n  declared.py: {command: run declared}\n  \
                1: {command: run one}\n  1.5: {command: run}\n  true: {command: run true}\n  null: {command: run null}\n  \"\": {command: run empty}\n";
    let mut cases: Vec<Case> = Vec::new();
    for name in names {
        cases.push(
            Case::new("entry point", text)
                .entry_point(name)
                .value("x", "a b"),
        );
        cases.push(Case::new("entry point, none declared", "name: s\n").entry_point(name));
    }
    cases
}

fn environments() -> Vec<Case> {
    let with_files = |text: &str, files: &[&str]| {
        let case = Case::new("environment", format!("{text}\n{MAIN}"));
        files
            .iter()
            .fold(case, |case, file| case.file(&format!("s/{file}"), ""))
    };
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        ("", &["conda.yaml"]),
        ("", &["conda.yml"]),
        ("", &["python_env.yaml"]),
        ("", &["python_env.yml"]),
        ("", &["conda.yaml", "python_env.yaml"]),
        ("", &["Conda.yaml"]),
        ("conda_env: conda.yml", &["conda.yml"]),
        ("conda_env: conda.yml", &[]),
        (
            "conda_env: conda.yml",
            &["conda.yml", "python_env.yaml", "conda.yaml"],
        ),
        ("conda_env: ./env/conda.yml", &["env/conda.yml"]),
        ("conda_env: ../conda.yml", &["../conda.yml"]),
        ("conda_env:", &["conda.yaml"]),
        ("conda_env:", &["python_env.yaml"]),
        ("conda_env: ''", &["conda.yaml"]),
        ("conda_env: 0", &["conda.yaml"]),
        ("conda_env: 5", &["5"]),
        ("conda_env: no", &[]),
        ("conda_env: yes", &["yes", "True"]),
        ("conda_env: []", &["conda.yaml"]),
        ("conda_env: [conda.yml]", &["conda.yml"]),
        ("python_env: env.yaml", &["env.yaml"]),
        ("python_env: env.yaml", &[]),
        ("python_env: env.yaml", &["env.yaml", "python_env.yaml"]),
        ("python_env:", &["conda.yaml"]),
        ("python_env: {}", &["conda.yaml"]),
        ("python_env: {a: b}", &[]),
        ("docker_env: {image: x}", &[]),
        ("docker_env: {image: x}", &["conda.yaml", "python_env.yaml"]),
        ("docker_env: {}", &[]),
        ("docker_env: {}", &["conda.yaml"]),
        ("docker_env:", &["conda.yaml"]),
        ("docker_env: []", &[]),
        ("docker_env: ''", &[]),
        ("docker_env: x", &[]),
        ("docker_env: [image]", &[]),
        ("docker_env: {image: ''}", &[]),
        ("docker_env: {image: }", &[]),
        ("docker_env: {image: 5}", &[]),
        ("docker_env: {volumes: [a]}", &[]),
        ("docker_env: {image: x, volumes: ['/a:/b', /c]}", &[]),
        ("docker_env: {image: x, volumes: /a}", &[]),
        ("docker_env: {image: x, volumes: [1]}", &[]),
        ("docker_env: {image: x, volumes: []}", &[]),
        ("docker_env: {image: x, volumes: }", &[]),
        ("docker_env: {image: x, volumes: {}}", &[]),
        ("docker_env: {image: x, volumes: {a: b}}", &[]),
        ("docker_env: {image: x, environment: [A, [B, c]]}", &[]),
        ("docker_env: {image: x, environment: A}", &[]),
        ("docker_env: {image: x, environment: [{A: b}]}", &[]),
        ("docker_env: {image: x, environment: [1]}", &[]),
        ("docker_env: {image: x, environment: 0}", &[]),
        ("docker_env: {image: x, environment: {A: b}}", &[]),
        ("docker_env: {image: x, other: 1}", &[]),
        (
            "docker_env: {image: x}\nconda_env: conda.yml",
            &["conda.yml"],
        ),
        ("docker_env:\nconda_env: conda.yml", &["conda.yml"]),
        ("python_env:\nconda_env:", &[]),
        ("python_env: a\ndocker_env: {image: x}", &["a"]),
    ];
    let folder = Difference::EnvironmentFolder;
    table
        .iter()
        .map(|(text, files)| with_files(text, files))
        .chain([
            with_files("", &["conda.yaml/x"]).refuses(folder),
            with_files("conda_env: env", &["env/conda.yml"]).refuses(folder),
        ])
        .collect()
}

fn shapes() -> Vec<Case> {
    let text = |text: &str| Case::new("shape", text);
    let mut cases: Vec<Case> = [
        "entry_points: []\n",
        "entry_points: [main]\n",
        "entry_points: main\n",
        "entry_points: ''\n",
        "entry_points: 5\n",
        "entry_points: {}\n",
        "name: s\n",
        "entry_points: {main: }\n",
        "entry_points: {main: run}\n",
        "entry_points: {main: [run]}\n",
        "entry_points: {main: 5}\n",
        "entry_points: {main: {}}\n",
        "entry_points: {main: {command: }}\n",
        "entry_points: {main: {command: 5}}\n",
        "entry_points: {main: {command: [run, it]}}\n",
        "entry_points: {main: {command: {run: it}}}\n",
        "entry_points: {main: {command: yes}}\n",
        "entry_points: {main: {command: 2020-01-01}}\n",
        "entry_points: {main: {command: ''}}\n",
        "entry_points: {main: {command: ' '}}\n",
        "entry_points: {main: {command: \"run\\0\"}}\n",
        "entry_points: {main: {parameters: [], command: run}}\n",
        "entry_points: {main: {parameters: [a], command: run}}\n",
        "entry_points: {main: {parameters: a, command: run}}\n",
        "entry_points: {main: {parameters: 5, command: run}}\n",
        "entry_points: {main: {parameters: '', command: run}}\n",
        "entry_points: {main: {parameters: {}, command: run}}\n",
        "entry_points: {main: {parameters: {a: 5}, command: run}}\n",
        "entry_points: {main: {parameters: {a: yes}, command: run}}\n",
        "entry_points: {main: {parameters: {a: [string]}, command: run}}\n",
        "entry_points: {main: {parameters: {a: 1.5}, command: run}}\n",
        "entry_points: {main: {parameters: {a: {}}, command: 'run {a}'}}\n",
        "entry_points: {main: {parameters: {a: {default: 1}}, command: 'run {a}'}}\n",
        "entry_points: {main: {parameters: {a: {type: 5, default: 1}}, command: 'run {a}'}}\n",
        "entry_points: {main: {parameters: {a: {type: , default: 1}}, command: 'run {a}'}}\n",
        "entry_points: {main: {parameters: {a: {type: [path], default: 1}}, command: 'run {a}'}}\n",
        "entry_points: {main: {parameters: {a: ''}, command: run}}\n",
        "entry_points: {main: {parameters: {a: {default: 1, type: string, description: [x], other: 2}}, command: 'run {a}'}}\n",
        "entry_points: {main: {command: run, description: [a]}, other: {command: x}}\n",
        "Entry_points: {main: {command: run}}\n",
        "entry_points: {main: {Command: run}}\n",
        "entry_points: {main: {command: run}, other: 5}\n",
        "entry_points: {main: {command: run}, other: [a]}\n",
        "entry_points: {main: {command: run}, other: {parameters: [a]}}\n",
        "entry_points: {main: {command: run}, other: {}}\n",
        "entry_points: {main: {command: run}, 1: {command: x}}\n",
        "entry_points: !!set {main}\n", "entry_points: !!omap [main: {command: run}]\n",
    ]
    .map(text)
    .to_vec();
    let empty = Difference::Empty;
    cases.extend([
        text("entry_points:\n"),
        text("entry_points: {main: {parameters: , command: run}}\n").gives(empty, "run"),
        text("entry_points: {main: {parameters: , command: run}}\n")
            .value("a", "1")
            .gives(empty, "run --a 1"),
        text("entry_points: {main: {parameters: {a: }, command: 'run {a}'}}\n")
            .value("a", "b c")
            .gives(empty, "run 'b c'"),
        text("entry_points: {main: {parameters: {a: }, command: 'run {a}'}}\n"),
        text("entry_points: {main: {command: run}, other: }\n").gives(empty, "run"),
        text("").entry_point("train.py"),
        text("entry_points:\n")
            .entry_point("train.py")
            .gives(empty, "python train.py"),
        text("entry_points: {main: {command: run}, other: {command: [a]}}\n")
            .refuses(Difference::EveryEntryPoint),
        text("entry_points: {main: {command: run}, other: {command: 5}}\n")
            .refuses(Difference::EveryEntryPoint),
        text("entry_points: {main: {parameters: {1: {default: 2}}, command: run}}\n")
            .refuses(Difference::NonTextName),
        text("entry_points: {main: {command: run}, 1: 5}\n").gives(Difference::NonTextName, "run"),
        text("entry_points: {main: {command: run}, null: {parameters: 5}}\n")
            .gives(Difference::NonTextName, "run"),
        text("entry_points: {main: {parameters: {yes: string}, command: 'run {yes}'}}\n")
            .value("yes", "1"),
        text("env_manager: nothing\nentry_points: {main: {command: run}}\n")
            .refuses(Difference::OwnKeys),
        text("steps: 5\nentry_points: {main: {command: run}}\n").refuses(Difference::OwnKeys),
        text("Conda_env: conda.yml\nentry_points: {main: {command: run}}\n")
            .refuses(Difference::Misspelled),
        text("entry_points: {main: {command: run, Parameters: {a: int}}}\n")
            .refuses(Difference::Misspelled),
        text("entry_points: {main: {command: run, inputs: a}}\n").refuses(Difference::OwnKeys),
        text("entry_points: {main: {command: run, outputs: [a]}}\n").refuses(Difference::OwnKeys),
        text("databricks_spark_job: {python_file: x}\nentry_points: {main: {command: run}}\n")
            .gives(Difference::Databricks, "run"),
        text("databricks_spark_job: {python_file: x}\n"),
        text("databricks_spark_job:\nentry_points: {main: {command: run}}\n"),
    ]);
    cases
}

/// The smallest project that runs.
pub(crate) const MAIN: &str = "entry_points: {main: {command: run}}\n";
