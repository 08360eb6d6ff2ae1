//! The way from the input file to the output file.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::engine;
use crate::null_values::NullValues;
use crate::summary::Summary;
use crate::survey::{Survey, column_names};
use crate::target::Target;

/// Copies `input` to `output` without the rows that hold a null.
///
/// The input is read twice: once to see that it is well-formed, because polars pads short rows
/// without a word and cannot name a line, and once to filter it. The output is put in place only
/// when it is complete, so it may be the same file as the input.
pub(crate) fn clean(input: &Path, output: &Path, nulls: &NullValues) -> Result<Summary> {
    let reading = || format!("cannot read `{}`", input.display());
    let writing = || format!("cannot write `{}`", output.display());

    let file = open(input).with_context(reading)?;
    let mut target = Target::create(output).with_context(writing)?;
    let survey = Survey::of(&file).with_context(reading)?;
    let header = survey.header(&file).with_context(reading)?;

    // The header leaves as it came: polars would rename duplicates and double quotes in it.
    write!(target, "{}{header}{}", survey.bom, survey.line_end).with_context(writing)?;
    let filtered = engine::filter(file, &survey, nulls, |rows| {
        target.write_all(rows).with_context(writing)
    })
    .with_context(|| format!("cannot clean `{}`", input.display()))?;
    target.finish().with_context(writing)?;

    Ok(Summary {
        output: output.to_owned(),
        rows: survey.rows,
        kept: filtered.kept,
        nulls: column_names(&header)
            .into_iter()
            .zip(filtered.nulls)
            .collect(),
    })
}

fn open(path: &Path) -> Result<File> {
    let metadata = fs::metadata(path)?;
    ensure!(!metadata.is_dir(), "it is a folder, expected a CSV file");
    // Opening a pipe would wait for its writer.
    ensure!(
        metadata.is_file(),
        "it is not a regular file, which is needed because it is read twice"
    );
    Ok(File::open(path)?)
}
