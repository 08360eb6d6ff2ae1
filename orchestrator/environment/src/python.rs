//! Which Python interpreters there are: uv's, pyenv's, and those on PATH.

use std::path::{Path, PathBuf};

use super::files;
use mlproject::file::read_regular;
use process::host::{self, is_executable, variable};

/// The interpreter of a version such as `3.11` or `3.11.7`, the newest if several fit.
///
/// The folders of uv and pyenv tell the version by their names; an interpreter on PATH is asked.
pub(crate) fn find(version: &str) -> Option<PathBuf> {
    let installed = uv_pythons().into_iter().chain(pyenv_pythons());
    let newest = installed
        .filter(|(known, _)| fits(version, known))
        .max_by_key(|(known, _)| numbers(known));
    if let Some((_, program)) = newest {
        return Some(program);
    }
    let mut parts = version.split('.');
    let major = parts.next()?;
    let minor = parts.next().map(|minor| format!("python{major}.{minor}"));
    let names = minor
        .into_iter()
        .chain([format!("python{major}"), "python".to_owned()]);
    let mut on_path = names.flat_map(|name| host::all(&name).collect::<Vec<_>>());
    on_path.find(|program| asked(program).is_some_and(|known| fits(version, &known)))
}

/// The interpreter that the caller would start as `python3`, without pyenv's detour. Starts nothing.
pub(crate) fn current(folder: &Path) -> Option<PathBuf> {
    for program in host::all("python3").chain(host::all("python")) {
        let is_shim = program
            .parent()
            .is_some_and(|folder| folder.ends_with("shims"));
        if !is_shim {
            return program.canonicalize().ok();
        }
        if let Some(selected) = selected_by_pyenv(folder) {
            return Some(selected);
        }
    }
    None
}

/// All versions that can be found without starting an interpreter, for a message.
pub(crate) fn known_versions() -> Vec<String> {
    let mut versions: Vec<String> = uv_pythons()
        .into_iter()
        .chain(pyenv_pythons())
        .map(|(version, _)| version)
        .collect();
    versions.sort_by_key(|version| numbers(version));
    versions.dedup();
    versions
}

/// Whether a version is the one asked for, or one of its patches.
fn fits(asked: &str, known: &str) -> bool {
    let rest = known.strip_prefix(asked.trim_end_matches(".*"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

/// Those that uv has downloaded: `cpython-3.12.1-linux-x86_64-gnu/bin/python3`.
fn uv_pythons() -> Vec<(String, PathBuf)> {
    let of_data = || {
        let data = variable("XDG_DATA_HOME").map(PathBuf::from);
        Some(
            data.or_else(|| Some(home()?.join(".local/share")))?
                .join("uv/python"),
        )
    };
    let folder = variable("UV_PYTHON_INSTALL_DIR")
        .map(PathBuf::from)
        .or_else(of_data);
    versions_in(folder, |name| {
        name.strip_prefix("cpython-")?.split('-').next()
    })
}

fn pyenv_pythons() -> Vec<(String, PathBuf)> {
    versions_in(pyenv_root().map(|root| root.join("versions")), |name| {
        Some(name)
    })
}

fn versions_in(
    folder: Option<PathBuf>,
    version: impl Fn(&str) -> Option<&str>,
) -> Vec<(String, PathBuf)> {
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let found = entries.into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let program = entry.path().join("bin/python3");
        // Virtual environments and other implementations are among them.
        let version = version(&name)?.to_owned();
        let is_version = version.split('.').all(|part| part.parse::<u32>().is_ok());
        (is_version && is_executable(&program)).then_some((version, program))
    });
    found.collect()
}

/// What pyenv's shims would start in a folder: `PYENV_VERSION`, `.python-version`, the global version.
fn selected_by_pyenv(folder: &Path) -> Option<PathBuf> {
    let of_folders = || {
        let mut files = folder
            .ancestors()
            .map(|folder| folder.join(".python-version"));
        files.find_map(|file| text_of(&file))
    };
    let of_root = || text_of(&pyenv_root()?.join("version"));
    let selected = std::env::var("PYENV_VERSION")
        .ok()
        .or_else(of_folders)
        .or_else(of_root)?;
    let version = selected.split(['\n', ':']).next()?.trim();
    let known = pyenv_pythons().into_iter();
    let newest = known
        .filter(|(known, _)| fits(version, known))
        .max_by_key(|(known, _)| numbers(known));
    newest.map(|(_, program)| program)
}

fn text_of(file: &Path) -> Option<String> {
    String::from_utf8(read_regular(file, files::LIMIT).ok()?).ok()
}

fn pyenv_root() -> Option<PathBuf> {
    let root = variable("PYENV_ROOT").map(PathBuf::from);
    root.or_else(|| Some(home()?.join(".pyenv")))
}

fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

/// The version that an interpreter says it has.
fn asked(program: &Path) -> Option<String> {
    let script = "import sys; print('.'.join(map(str, sys.version_info[:3])))";
    let arguments = ["-I".as_ref(), "-c".as_ref(), script.as_ref()];
    let output = super::ask(program, &arguments).ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_fits_its_patches() {
        for (asked, known, expected) in [
            ("3.1", "3.1.4", true),
            ("3.1", "3.10.2", false),
            ("3.10.2", "3.10.2", true),
            ("3.10.2", "3.10", false),
            ("3", "3.13.0", true),
            ("3.11.*", "3.11.7", true),
        ] {
            assert_eq!(fits(asked, known), expected, "{asked} {known}");
        }
        assert!(numbers("3.10.1") > numbers("3.9.18"));
    }
}
