//! The shape of the program: no file imports one that imports it, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path, and what its file imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The text of every file below `folder`, without comments and tests, by the path of its module.
fn files(folder: &Path, module: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let below = [module, name].join("::");
        if path.is_dir() {
            files(&path, &below, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let lines: Vec<_> = text.lines().filter(is_code).collect();
        let module = match name {
            "mod" => module.to_owned(),
            _ => below,
        };
        found.insert(module, lines.join("\n"));
    }
}

/// The paths that stand behind a `crate::`, those in braces one by one.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for start in text.split("crate::").skip(1) {
        let end = start.find([';', ' ', '(', ')', '<']).unwrap_or(start.len());
        let (path, rest) = start.split_at(end);
        let group = format!("{path}{}", rest.split(';').next().unwrap_or_default());
        match group.split_once("::{") {
            Some((before, names)) if path.contains('{') => {
                let names = names.split([',', '}']).map(str::trim);
                let names = names.filter(|name| !name.is_empty());
                paths.extend(names.map(|name| format!("crate::{before}::{name}")));
            }
            _ => paths.push(format!("crate::{path}")),
        }
    }
    paths
}

fn imports() -> Imports {
    let mut modules = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files(&source, "crate", &mut modules);
    let of = |(module, text): (&String, &String)| {
        let named = paths(text).into_iter().filter_map(|mut path| {
            while !modules.contains_key(&path) {
                path.truncate(path.rfind("::")?);
            }
            Some(path)
        });
        (
            module.clone(),
            named.filter(|other| other != module).collect(),
        )
    };
    modules.iter().map(of).collect()
}

/// The modules that `module` leads to.
fn reached(module: &str, imports: &Imports, found: &mut BTreeSet<String>) {
    for next in &imports[module] {
        if found.insert(next.clone()) {
            reached(next, imports, found);
        }
    }
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let imports = imports();
    assert!(imports["crate::transfer"].contains("crate::keep"));
    assert!(imports["crate::remote"].contains("crate::remote::http"));
    for module in imports.keys() {
        let mut found = BTreeSet::new();
        reached(module, &imports, &mut found);
        assert!(
            !found.contains(module),
            "{module} is in a circle of imports"
        );
    }
}
