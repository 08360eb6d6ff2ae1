//! The way from the input file to the output file.

use std::io::Write;

use anyhow::{Context, Error, Result};

use crate::cli::Wanted;
use crate::csv::Csv;
use crate::failure::Failure;
use crate::files::format::{Format, check_built, check_output};
use crate::files::input::Input;
use crate::files::output::Target;
use crate::findings::Findings;
use crate::ndjson::clean_ndjson;
use crate::pump::units::USUAL;
#[cfg(feature = "tables")]
use crate::table::{from_csv, from_table};

/// What was done.
pub struct Cleaned {
    pub findings: Findings,
    pub bytes_read: u64,
    pub bytes_written: u64,
}

/// Copies the input to the output without the rows that do not stay.
///
/// The output is put in place only when it is complete, so it may be the same file as the input.
pub fn clean(wanted: &Wanted) -> Result<Cleaned> {
    let reading = || format!("cannot read `{}`", wanted.input.display());
    let writing = || format!("cannot write `{}`", wanted.output.display());

    check_built(wanted.from, wanted.to).with_context(reading)?;
    check_built(wanted.to, wanted.from).with_context(writing)?;
    let mut input = Input::open(&wanted.input).with_context(reading)?;
    check_output(&wanted.output).with_context(writing)?;
    let mut target = Target::create(&wanted.output).with_context(writing)?;
    let findings = match (wanted.from, wanted.to) {
        (Format::Csv, Format::Csv) => clean_csv(wanted, &input, &mut target),
        (Format::Ndjson, Format::Ndjson) => clean_ndjson(wanted, &mut input, &mut target),
        #[cfg(feature = "tables")]
        (Format::Csv, _) => from_csv(wanted, &mut input, &mut target),
        #[cfg(feature = "tables")]
        _ => from_table(wanted, &mut input, &mut target),
        #[cfg(not(feature = "tables"))]
        _ => unreachable!("refused above"),
    };
    let findings =
        findings.map_err(
            |failure| match (target.error(), input.unchanged(), failure) {
                // Polars tells in many words that something could not be written.
                (Some(error), ..) => Error::new(error).context(writing()),
                // Whatever else is wrong with a file that changes meanwhile is just that.
                (None, Err(error), _) | (None, Ok(()), Failure::Input(error)) => {
                    error.context(reading())
                }
                (None, Ok(()), Failure::Output(error)) => error.context(writing()),
            },
        )?;
    let bytes_read = input.finish().with_context(reading)?;
    if target.replaces(input.opened()) {
        target.sync().with_context(writing)?;
    }
    let bytes_written = target.finish().with_context(writing)?;
    Ok(Cleaned {
        findings,
        bytes_read,
        bytes_written,
    })
}

/// CSV to CSV: what stays is copied as it is.
fn clean_csv(wanted: &Wanted, input: &Input, target: &mut Target) -> Result<Findings, Failure> {
    let nulls = wanted.csv_nulls();
    let text = input.text(Format::Csv).map_err(Failure::Input)?;
    let csv = Csv::open(text, wanted.dialect, USUAL);
    let csv = csv
        .and_then(|csv| csv.expected(wanted.guessed))
        .map_err(Failure::Input)?;
    let names = csv.header.labels();
    let verdict = wanted.rules.resolve(&names).map_err(Failure::Input)?;
    let header = csv.header.write(target);
    header.map_err(|error| Failure::Output(error.into()))?;
    let mut put = |bytes: &[u8]| Ok(target.write_all(bytes)?);
    let counts = csv.filter(&nulls, &verdict, &mut put)?;
    Ok(Findings {
        names,
        counts,
        nulls,
        verdict,
    })
}
