//! The shape of the crate: no file imports one that imports it, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The code of each file below the folder, by module, without its unit tests.
fn files(folder: &Path, module: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let below = format!("{module}::{name}");
        if path.is_dir() {
            files(&path, &below, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        let module = if name == "mod" {
            module.to_owned()
        } else {
            below
        };
        found.insert(module, code.to_owned());
    }
}

/// The modules whose files have what the code names by `crate::`.
fn named(code: &str, files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let paths = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|letter| !is_path(letter));
        let path = &rest[..end.unwrap_or(rest.len())];
        let mut module = "crate".to_owned();
        for word in path.split("::") {
            let below = format!("{module}::{word}");
            if !files
                .keys()
                .any(|file| format!("{file}::").starts_with(&format!("{below}::")))
            {
                break;
            }
            module = below;
        }
        module
    });
    paths.collect()
}

/// A circle that `module` is on or leads to, found on the way to it.
fn circle(
    module: &str,
    imports: &BTreeMap<&String, BTreeSet<String>>,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|earlier| earlier == module) {
        return Some(way[start..].to_vec());
    }
    if !done.insert(module.to_owned()) {
        return None;
    }
    way.push(module.to_owned());
    let others = imports.get(&module.to_owned()).into_iter().flatten();
    let found = others
        .filter(|other| *other != module)
        .find_map(|other| circle(other, imports, way, done));
    way.pop();
    found
}

#[test]
fn no_circle_of_imports() {
    let mut code = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files(&source, "crate", &mut code);
    let imports: BTreeMap<&String, BTreeSet<String>> = code
        .iter()
        .map(|(module, text)| (module, named(text, &code)))
        .collect();
    let count: usize = imports.values().map(BTreeSet::len).sum();
    assert!(count > 100, "they are not found any more: {count}");
    let mut done = BTreeSet::new();
    for module in code.keys() {
        assert_eq!(
            circle(module, &imports, &mut Vec::new(), &mut done),
            None,
            "they import each other"
        );
    }
}
