//! The shape of the crates: no file imports one that imports it, directly or through others. Only the
//! parts of a module may share what its own file defines.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The folders of the crates below `orchestrator/`.
const CRATES: [&str; 11] = [
    "src",
    "environment/src",
    "freshness/src",
    "init/src",
    "mlproject/src",
    "page/src",
    "plan/src",
    "process/src",
    "schedule/src",
    "source/src",
    "tracking/src",
];

/// The modules of the orchestrator itself in layers, the lowest first: a file may import what is in its
/// own module or in a layer below.
const LAYERS: [&[&str]; 5] = [
    &["invocation"],
    &["run"],
    &["report"],
    &["cli"],
    &["error", "app"],
];

/// A module by its path from the crate's root, and the modules that its file names.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Every file below `folder`, as text without comments and unit tests.
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
        let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let text = text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
        let name = match name {
            "mod" => module.to_owned(),
            _ => below,
        };
        found.insert(name, text);
    }
}

/// Finds the path that `text` starts with, of `a::{b, c::d}` each one; what follows is returned.
fn paths<'a>(before: &str, text: &'a str, found: &mut Vec<String>) -> &'a str {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let end = text.find(|letter| !is_name(letter)).unwrap_or(text.len());
    let path = match before {
        "" => text[..end].to_owned(),
        _ => format!("{before}::{}", &text[..end]),
    };
    let rest = &text[end..];
    if let Some(mut group) = rest.strip_prefix("::{") {
        loop {
            let item = group.find(|letter| is_name(letter) || letter == '}');
            group = &group[item.unwrap()..];
            if let Some(rest) = group.strip_prefix('}') {
                return rest;
            }
            group = paths(&path, group, found);
        }
    }
    if let Some(rest) = rest.strip_prefix("::") {
        return paths(&path, rest, found);
    }
    found.push(path);
    rest
}

/// The module whose file has what `path` names where `module` says it.
fn named(path: &str, module: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let first = path.split("::").next()?;
    let mut at = match first {
        "crate" => first.to_owned(),
        "self" | "super" => module.to_owned(),
        child if modules.contains_key(&format!("{module}::{child}")) => module.to_owned(),
        _ => return None,
    };
    for word in path.split("::") {
        let below = format!("{at}::{word}");
        match word {
            "crate" | "self" => {}
            "super" => at.truncate(at.rfind("::")?),
            _ if modules.contains_key(&below) => at = below,
            _ => break,
        }
    }
    Some(at)
}

/// The imports among the files below `folder`.
fn imports(folder: &str) -> Imports {
    let mut modules = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    files(&source, "crate", &mut modules);
    let of_module = |(module, text): (&String, &String)| {
        let mut said = Vec::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find(|letter: char| letter.is_alphanumeric()) {
            rest = paths("", &rest[start..], &mut said);
        }
        // The declaration of a module is no import: it names one word only.
        said.retain(|path| path.contains("::"));
        let named = said.iter().filter_map(|path| named(path, module, &modules));
        let is_other = |other: &String| !format!("{module}::").starts_with(&format!("{other}::"));
        (module.clone(), named.filter(is_other).collect())
    };
    modules.iter().map(of_module).collect()
}

/// Whether `module` leads back to a file on the way to it; `way` is then the circle.
fn is_in_circle(
    module: &str,
    imports: &Imports,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> bool {
    if let Some(start) = way.iter().position(|earlier| earlier == module) {
        way.drain(..start);
        return true;
    }
    if done.contains(module) {
        return false;
    }
    way.push(module.to_owned());
    let mut below = imports.get(module).into_iter().flatten();
    if below.any(|next| is_in_circle(next, imports, way, done)) {
        return true;
    }
    way.pop();
    done.insert(module.to_owned());
    false
}

#[test]
fn no_file_imports_one_that_imports_it() {
    for folder in CRATES {
        let imports = imports(folder);
        let (mut way, mut done) = (Vec::new(), BTreeSet::new());
        for module in imports.keys() {
            let is_circle = is_in_circle(module, &imports, &mut way, &mut done);
            assert!(!is_circle, "{folder}: these import each other: {way:?}");
        }
    }
    // The reading finds what is known to be there.
    let app = &imports("src")["crate::app"];
    for below in [
        "crate::cli",
        "crate::report::console",
        "crate::app::running",
    ] {
        assert!(app.contains(below), "{below}: {app:?}");
    }
}

#[test]
fn no_file_of_the_orchestrator_imports_from_a_layer_above() {
    let layer = |module: &str| {
        let top = module.split("::").nth(1)?;
        let found = LAYERS.iter().position(|layer| layer.contains(&top));
        Some((
            found.unwrap_or_else(|| panic!("no layer has {top}")),
            top.to_owned(),
        ))
    };
    for (module, imported) in imports("src") {
        if matches!(module.as_str(), "crate::lib" | "crate::main") {
            continue;
        }
        let (above, own) = layer(&module).unwrap();
        for other in imported {
            let Some((below, top)) = layer(&other) else {
                continue;
            };
            assert!(
                below < above || top == own || above == LAYERS.len() - 1,
                "{module} imports {other}"
            );
        }
    }
}
