//! What is wrong with a step, or whichever steps are selected.

use environment::Environment;
use mlproject::{EntryPoint, Project};
use process::host;
use tracking::refused_name;

use super::command::undeclared_files;
use super::fill::qualified;
use super::step::{Complaint, Context};
use super::values::Resolved;
use super::{Problem, ProblemKind};
use crate::definition::Step;
use crate::engine;

impl Context<'_> {
    /// What is wrong with an entry point, its command and its values.
    pub(super) fn complaints(
        &self,
        (step, project): (&Step, &Project),
        entry_point: &EntryPoint,
        resolved: &[Resolved],
        (environment, command): (&Environment, &Result<String, ProblemKind>),
    ) -> Vec<Complaint> {
        let code = entry_point.code.as_deref().unwrap_or_default();
        let of_code = freshness::check_code(code).err();
        let of_code = of_code.map(|error| ProblemKind::Code(error.to_string()));
        let size_problem = |command: &String| self.size_problem(project, environment, command);
        let kinds = undeclared_files(entry_point)
            .into_iter()
            .chain(of_code)
            .chain(command.as_ref().err().cloned())
            .chain(self.refused_names(step, resolved))
            .chain(command.as_ref().ok().and_then(size_problem));
        let complaints = kinds.map(|kind| (Some(entry_point.place.clone()), kind));
        complaints.collect()
    }

    /// What is wrong whichever steps are selected.
    pub(super) fn general_problems(&self) -> Vec<Problem> {
        let mut problems = self.unknown_parameters();
        problems.extend(self.of_config.iter().cloned());
        problems
    }

    /// Given names that no declaration knows; also those of steps which are not selected count as known.
    fn unknown_parameters(&self) -> Vec<Problem> {
        let known: Vec<String> = self
            .pipeline
            .options()
            .into_iter()
            .map(|option| option.name)
            .collect();
        let is_known = |name: &str| {
            known.iter().any(|known| known == name)
                || self.config.has(name)
                || self
                    .pipeline
                    .steps
                    .iter()
                    .any(|step| qualified(name, &step.name).is_some())
        };
        let unknown = self
            .request
            .parameters
            .iter()
            .filter(|(name, _)| !is_known(name));
        unknown
            .map(|(name, _)| {
                let kind = ProblemKind::UnknownParameter {
                    name: name.clone(),
                    known: known.clone(),
                };
                Problem::general(None, kind)
            })
            .collect()
    }

    /// Whether the system would not start a command, in its environment, for its length.
    fn size_problem(
        &self,
        project: &Project,
        environment: &Environment,
        command: &str,
    ) -> Option<ProblemKind> {
        let most = host::longest_argument()?;
        // Quotes within quotes make it a few times longer.
        if command.len() < most / 16 {
            return None;
        }
        let job = engine::Job {
            step: "",
            command,
            root: self.pipeline.root(),
            folder: &project.folder,
            reads: &[],
            writes: &[],
            variables: &[],
            defined: &[],
            submission: None,
        };
        let launch = engine::launch(&job, environment, self.settings.store.as_ref());
        let set_up = launch.bracket.map(|bracket| bracket.set_up.len());
        let size = launch.command.len().max(set_up.unwrap_or(0));
        (size > most).then_some(ProblemKind::LongCommand { size, most })
    }

    /// Names that cannot be recorded, told before anything runs.
    fn refused_names(&self, step: &Step, resolved: &[Resolved]) -> Vec<ProblemKind> {
        if !self.is_recorded(step) {
            return Vec::new();
        }
        let refused = resolved.iter().filter_map(|value| {
            let reason = refused_name(&value.name)?;
            let name = value.name.clone();
            Some(ProblemKind::RefusedName { name, reason })
        });
        refused.collect()
    }
}
