//! The way from the input file to the output file.

use std::io::Read;

use anyhow::{Context, Error, Result};

use crate::cli::{Arguments, OnRagged};
use crate::counts::Counts;
use crate::csv::Failure;
use crate::csv::copy::Sink;
use crate::csv::filter::Reader;
use crate::csv::scan::Judge;
use crate::csv::units::USUAL;
use crate::format::{Format, check_built, check_output};
use crate::input::Input;
use crate::null_values::NullValues;
use crate::rules::Verdict;
#[cfg(feature = "tables")]
use crate::table::{from_csv, from_table};
use crate::target::Target;

/// What was done.
pub(crate) struct Cleaned {
    pub(crate) findings: Findings,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

/// What was found in the rows.
pub(crate) struct Findings {
    /// The names of the columns.
    pub(crate) names: Vec<String>,
    pub(crate) counts: Counts,
    /// The values that meant null.
    pub(crate) nulls: NullValues,
}

/// Copies the input to the output without the rows that do not stay.
///
/// The output is put in place only when it is complete, so it may be the same file as the input.
pub(crate) fn clean(arguments: &Arguments) -> Result<Cleaned> {
    let reading = || format!("cannot read `{}`", arguments.input.display());
    let writing = || format!("cannot write `{}`", arguments.output.display());

    let (from, to) = formats(arguments);
    check_built(from).with_context(reading)?;
    check_built(to).with_context(writing)?;
    let input = Input::open(&arguments.input).with_context(reading)?;
    check_output(&arguments.output).with_context(writing)?;
    let mut target = Target::create(&arguments.output).with_context(writing)?;
    let findings = match (from, to) {
        #[cfg(feature = "tables")]
        (Format::Csv, Format::Parquet | Format::Arrow | Format::Ndjson) => {
            from_csv(arguments, &input, to, &mut target)
        }
        #[cfg(feature = "tables")]
        (Format::Parquet | Format::Arrow | Format::Ndjson, _) => {
            from_table(arguments, &input, from, to, &mut target)
        }
        _ => clean_csv(arguments, &input, &mut target),
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
    if target.replaces(input.before()) {
        target.sync().with_context(writing)?;
    }
    let bytes_written = target.finish().with_context(writing)?;
    Ok(Cleaned {
        findings,
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
) -> Result<Findings, Failure> {
    let nulls = arguments.csv_nulls();
    let text = input.text().map_err(Failure::Input)?;
    let csv = CsvInput::open(arguments, text).map_err(Failure::Input)?;
    let names = csv.names.clone();
    let header = csv.reader.header.write(target);
    header.map_err(|error| Failure::Output(Error::new(error)))?;
    let counts = csv.filter(arguments, &nulls, target)?;
    Ok(Findings {
        names,
        counts,
        nulls,
    })
}

/// A CSV file of which the header has been read.
pub(crate) struct CsvInput {
    reader: Reader,
    pub(crate) names: Vec<String>,
    verdict: Verdict,
}

impl CsvInput {
    pub(crate) fn open(arguments: &Arguments, text: impl Read + Send + 'static) -> Result<Self> {
        let reader = Reader::open(text, arguments.delimiter, USUAL)?;
        let names = reader.header.labels();
        let verdict = arguments.rules().resolve(&names)?;
        Ok(Self {
            reader,
            names,
            verdict,
        })
    }

    /// Gives the records that stay to `sink`, without the header.
    pub(crate) fn filter(
        self,
        arguments: &Arguments,
        nulls: &NullValues,
        sink: &mut (impl Sink + Send),
    ) -> Result<Counts, Failure> {
        let judge = Judge {
            delimiter: arguments.delimiter,
            nulls,
            verdict: &self.verdict,
            drop_ragged: arguments.on_ragged == OnRagged::Drop,
        };
        self.reader.filter(judge, sink)
    }
}
