//! The way from the input file to the output file.

use anyhow::{Context, Result, ensure};

use crate::cli::{Arguments, OnRagged};
use crate::counts::Counts;
use crate::csv::Failure;
use crate::csv::filter::{PIECE, Reader};
use crate::csv::scan::Judge;
use crate::format::{Format, check_output};
use crate::input::Input;
use crate::null_values::NullValues;
use crate::target::Target;

/// What was done.
pub(crate) struct Cleaned {
    /// The names of the columns.
    pub(crate) names: Vec<String>,
    pub(crate) counts: Counts,
    /// The values that meant null.
    pub(crate) nulls: NullValues,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

/// Copies the input to the output without the rows that do not stay.
///
/// The output is put in place only when it is complete, so it may be the same file as the input.
pub(crate) fn clean(arguments: &Arguments) -> Result<Cleaned> {
    let reading = || format!("cannot read `{}`", arguments.input.display());
    let writing = || format!("cannot write `{}`", arguments.output.display());

    let (from, to) = formats(arguments);
    ensure!(
        (from, to) == (Format::Csv, Format::Csv),
        "only CSV can be read and written as of now"
    );
    let input = Input::open(&arguments.input).with_context(reading)?;
    check_output(&arguments.output).with_context(writing)?;
    let mut target = Target::create(&arguments.output).with_context(writing)?;
    let (names, counts, nulls) = clean_csv(arguments, &input, &mut target)?;
    let bytes_read = input.finish().with_context(reading)?;
    let bytes_written = target.finish().with_context(writing)?;
    Ok(Cleaned {
        names,
        counts,
        nulls,
        bytes_read,
        bytes_written,
    })
}

/// The formats of input and output.
fn formats(arguments: &Arguments) -> (Format, Format) {
    let from = arguments.input_format;
    let to = arguments.output_format;
    (
        from.unwrap_or_else(|| Format::of(&arguments.input)),
        to.unwrap_or_else(|| Format::of(&arguments.output)),
    )
}

/// CSV to CSV: what stays is copied as it is.
fn clean_csv(
    arguments: &Arguments,
    input: &Input,
    target: &mut Target,
) -> Result<(Vec<String>, Counts, NullValues)> {
    let reading = || format!("cannot read `{}`", arguments.input.display());
    let writing = || format!("cannot write `{}`", arguments.output.display());

    let nulls = arguments.null_values().unwrap_or_else(NullValues::pandas);
    let text = input.text().with_context(reading)?;
    let reader = Reader::open(text, arguments.delimiter, PIECE).with_context(reading)?;
    let names = reader.header.labels();
    let verdict = arguments.rules().resolve(&names).with_context(reading)?;
    let judge = Judge {
        delimiter: arguments.delimiter,
        nulls: &nulls,
        verdict: &verdict,
        drop_ragged: arguments.on_ragged == OnRagged::Drop,
    };
    reader.header.write(target).with_context(writing)?;
    let counts = reader
        .filter(judge, target)
        .map_err(|failure| match failure {
            Failure::Input(error) => error.context(reading()),
            Failure::Output(error) => error.context(writing()),
        })?;
    Ok((names, counts, nulls))
}
