//! The files of a step: which there are, and what is wrong with them.

use std::path::{Path, PathBuf};

use mlproject::{EntryPoint, Parameter, ParameterKind};
use schedule::{Files, NamedFile, Paths};

use super::ProblemKind;
use super::step::{Before, Complaint, Context, Draft};
use super::values::Resolved;
use crate::definition::Step;

impl Before<'_> {
    fn makes(&self, path: &Path) -> bool {
        let mut makers = self.written.overlapping(path);
        makers.any(|maker| maker < self.steps.len() || !self.is_ordered)
    }
}

impl Context<'_> {
    /// The files that the parameters name.
    pub(super) fn files(&self, entry_point: &EntryPoint, resolved: &[Resolved]) -> Files {
        let named = |value: &Resolved| {
            let path = match &value.download {
                Some(_) => PathBuf::from(&value.value),
                None => value.path.clone()?,
            };
            Some(NamedFile {
                name: value.name.clone(),
                real: self.links.resolve(&path),
                path,
            })
        };
        let is_written = |value: &&Resolved| entry_point.is_output(&value.name);
        let is_read = |value: &&Resolved| !is_written(value) || entry_point.is_input(&value.name);
        Files {
            inputs: resolved.iter().filter(is_read).filter_map(named).collect(),
            outputs: resolved
                .iter()
                .filter(is_written)
                .filter_map(named)
                .collect(),
        }
    }

    /// Files that should exist, or be made by an earlier step, and outputs that two steps would write.
    pub(super) fn file_problems(&self, draft: &Draft, before: &Before) -> Vec<Complaint> {
        let (step, entry_point) = (draft.step, &*draft.entry_point);
        let problem = |value: &Resolved| {
            let path = value.path.as_ref()?;
            let parameter = entry_point.parameter(&value.name)?;
            let real = self.links.resolve(path);
            let kind = if entry_point.is_output(&value.name) && !entry_point.is_input(&value.name) {
                let other = before.written.first(&real)?;
                let other = before.steps.get(other)?;
                ProblemKind::SameOutput {
                    name: value.name.clone(),
                    path: path.clone(),
                    other: other.name.clone(),
                }
            } else if path.exists() || before.makes(&real) {
                return None;
            } else {
                self.missing_file(step, entry_point, parameter, path)
            };
            Some((Some(parameter.place.clone()), kind))
        };
        draft.resolved.iter().filter_map(problem).collect()
    }

    /// Why a file that nobody makes has to be there.
    fn missing_file(
        &self,
        step: &Step,
        entry_point: &EntryPoint,
        parameter: &Parameter,
        path: &Path,
    ) -> ProblemKind {
        let name = parameter.name.clone();
        let is_input = entry_point.is_input(&name);
        let value = path.to_string_lossy().into_owned();
        match parameter.kind {
            _ if is_input => {
                let maker = self.maker(path, &step.name);
                ProblemKind::MissingInput {
                    name,
                    path: path.to_owned(),
                    maker,
                }
            }
            ParameterKind::Uri => ProblemKind::NotAUri { name, value },
            _ => ProblemKind::NoSuchPath { name, value },
        }
    }

    /// The step that would make a file, were it selected or before.
    fn maker(&self, path: &Path, for_step: &str) -> Option<String> {
        let others = self.pipeline.steps.iter();
        let others: Vec<&Step> = others.filter(|step| step.name != for_step).collect();
        let drafts = others.iter().map(|step| self.draft(step).ok());
        let files: Vec<Files> = drafts
            .map(|draft| draft.map(|draft| draft.files).unwrap_or_default())
            .collect();
        let real = self.links.resolve(path);
        let maker = Paths::written(files.iter()).overlapping(&real).min()?;
        Some(others[maker].name.clone())
    }
}
