//! The image of a container: is it there, and how it is made. How a step runs in it is the engine's
//! business.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::make::Builder;
use super::{EnvironmentError, MakeError, Manager, hash, reference};
use crate::DockerOptions;
use mlproject::expansion::{Refusal, Surroundings, expand};
use mlproject::shell::quote;
use mlproject::{DockerEnvironment, Project};
use process::git;
use process::host;
use process::redact::shown_value;

/// Where `--build-image` puts the project's files, as MLflow does.
const CODE: &str = "/mlflow/projects/code/";

/// A container in which a step runs: the image, and what is said of how it runs.
#[derive(Debug, Clone)]
pub struct Container {
    /// The image that runs.
    pub image: String,
    /// `docker` or `podman`.
    pub engine: String,
    /// What the project says.
    pub environment: DockerEnvironment,
    /// The project's folder, if its files are built into an image of their own.
    build: Option<PathBuf>,
    /// `-A name=value` and `-A flag`.
    pub arguments: Vec<(String, Option<String>)>,
    /// By which the engine knows the image that the project names, if it has it.
    pub(crate) id: Option<String>,
}

impl Container {
    /// Asks the engine whether it has the image; `defined` are the variables that the step has besides the
    /// caller's.
    pub(crate) fn plan(
        environment: &DockerEnvironment,
        project: &Project,
        defined: &[(String, String)],
        options: &DockerOptions,
    ) -> Result<Container, EnvironmentError> {
        reference::check(environment)?;
        let (name, folder) = (project.name.as_deref(), project.folder.as_path());
        let variable = |name: &str| {
            let ours = defined.iter().find(|(known, _)| known == name);
            ours.map(|(_, value)| value.into())
                .or_else(|| std::env::var_os(name))
        };
        let environment = expanded(environment, folder, &variable)?;
        let unset: Vec<String> = environment
            .variables
            .iter()
            .filter(|(name, value)| value.is_none() && variable(name).is_none())
            .map(|(name, _)| name.clone())
            .collect();
        if !unset.is_empty() {
            return Err(EnvironmentError::Unset { variables: unset });
        }
        let engine = ["docker", "podman"]
            .into_iter()
            .find_map(|engine| Some((engine, host::find(engine)?)));
        let (engine, program) = engine.ok_or_else(|| EnvironmentError::NoTool {
            manager: Manager::Docker,
            tools: vec!["docker".to_owned(), "podman".to_owned()],
        })?;
        let id = image_id(engine, &program, &environment.image)?;
        let build = options.build_image.then(|| folder.to_owned());
        Ok(Container {
            image: match build {
                Some(_) => tag(name, folder),
                None => environment.image.clone(),
            },
            engine: engine.to_owned(),
            environment,
            build,
            arguments: options.arguments.clone(),
            id,
        })
    }

    /// Whether the image is there. One that is built is built again, which the engine's cache makes short.
    pub(crate) fn is_ready(&self) -> bool {
        self.id.is_some() && self.build.is_none()
    }

    pub(crate) fn tool(&self) -> String {
        let verb = if self.build.is_some() {
            "build"
        } else {
            "pull"
        };
        format!("{} {verb}", self.engine)
    }

    pub(crate) fn key(&self) -> String {
        format!("docker-{}", &hash(&self.image)[..16])
    }

    pub(crate) fn make(&self, builder: &Builder) -> Result<(), MakeError> {
        let Some(folder) = &self.build else {
            return builder.run(&format!(
                "{} pull {}",
                self.engine,
                quote(&self.environment.image)
            ));
        };
        let image = &self.environment.image;
        let text = format!("FROM {image}\nCOPY . {CODE}\nWORKDIR {CODE}\n");
        let file = builder.write("dockerfile", &text)?;
        builder.run(&format!(
            "{} build --tag {} --file {} {}",
            self.engine,
            quote(&self.image),
            quote(&file.to_string_lossy()),
            quote(&folder.to_string_lossy())
        ))
    }

    /// The folder of the project's files in the container, if they are in its image.
    pub fn code(&self) -> Option<&'static str> {
        self.build.as_ref().map(|_| CODE)
    }

    /// Whether a step's relative paths mean something else in the container.
    pub(crate) fn moves_the_project(&self) -> bool {
        self.build.is_some()
    }
}

/// The section with its volumes and values as a shell in the project's folder would hand them to docker.
///
/// Under MLflow one does: `docker run … -v VOLUME -e NAME=VALUE` is run by `bash -c` there
/// (mlflow/projects/backend/local.py). Values of the caller's variables are handed over as they are; MLflow
/// writes them into that line, too.
fn expanded(
    environment: &DockerEnvironment,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<DockerEnvironment, EnvironmentError> {
    let shell = shell_folder(folder);
    let around = Surroundings {
        folder: &shell.to_string_lossy(),
        variable,
    };
    let mut environment = environment.clone();
    for volume in &mut environment.volumes {
        let refused = |reason| EnvironmentError::Expansion {
            key: "volumes",
            text: volume.clone(),
            reason,
        };
        let expanded = expand(volume, &around).map_err(refused)?;
        if !reference::is_volume(&expanded.text) {
            // A value is not repeated, as it may be a secret.
            return Err(match expanded.unset.into_iter().next() {
                Some(unset) => refused(Refusal::Unset(unset)),
                None => EnvironmentError::Docker {
                    what: "volume",
                    text: volume.clone(),
                },
            });
        }
        *volume = expanded.text;
    }
    for (name, value) in &mut environment.variables {
        let Some(value) = value else { continue };
        let refused = |reason| EnvironmentError::Expansion {
            key: "environment",
            text: format!("{name}={}", shown_value(name, value)),
            reason,
        };
        // One word for the shell, as `~` counts behind `NAME=`.
        let word = expand(&format!("{name}={value}"), &around)
            .map_err(refused)?
            .text;
        word[name.len() + 1..].clone_into(value);
    }
    Ok(environment)
}

/// A folder as bash calls it that is started in it: as `PWD` says, if that is the same folder.
fn shell_folder(folder: &Path) -> PathBuf {
    let place = |path: &Path| path.metadata().map(|data| (data.dev(), data.ino())).ok();
    let is_plain = |path: &PathBuf| {
        let mut parts = path.components();
        parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
    };
    let said = host::variable("PWD").map(PathBuf::from);
    let said = said
        .filter(|said| is_plain(said) && place(said).is_some_and(|it| Some(it) == place(folder)));
    said.unwrap_or_else(|| folder.canonicalize().unwrap_or_else(|_| folder.to_owned()))
}

/// Whether the engine has an image; an error when there is no engine to ask.
fn image_id(engine: &str, program: &Path, image: &str) -> Result<Option<String>, EnvironmentError> {
    let arguments = ["image", "inspect", "--format", "{{.Id}}", image];
    let arguments = arguments.map(AsRef::as_ref);
    let failed = |message: String| EnvironmentError::Engine {
        tool: engine.to_owned(),
        message,
    };
    let output = super::ask(program, &arguments);
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        return Ok(Some(id));
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // docker says "No such image", podman "image not known".
    let lower = message.to_lowercase();
    if lower.contains("no such image") || lower.contains("image not known") {
        return Ok(None);
    }
    Err(failed(
        message.lines().last().unwrap_or("it failed").to_owned(),
    ))
}

/// MLflow's tag for the image of a project: its name, and the beginning of its commit.
fn tag(name: Option<&str>, folder: &Path) -> String {
    let name = name.unwrap_or("docker-project").to_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
    let name: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    let name = name.trim_matches(['.', '/', '_', '-']);
    let commit = git::ask_tree(folder, &["rev-parse", "HEAD"]);
    let commit = commit.ok().and_then(Result::ok);
    let short = commit.as_deref().and_then(|commit| commit.get(..7));
    match (name, short) {
        ("", short) => format!("docker-project:{}", short.unwrap_or("latest")),
        (name, Some(short)) => format!("{name}:{short}"),
        (name, None) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_name_that_engines_take() {
        let folder = Path::new("/");
        assert_eq!(tag(Some("My Project!"), folder), "my-project");
        assert_eq!(tag(Some("!"), folder), "docker-project:latest");
        assert_eq!(tag(None, folder), "docker-project");
    }
}
