//! All pairs of formats but CSV to CSV, by way of tables of polars. Only here polars is named.
//!
//! CSV is read record by record like on the way to CSV (`records`), and its fields become
//! `columns` of the `types` they have; the other formats (`parquet`, `arrow`, `ndjson`) are read in
//! batches (`scan`), and their rows are judged by their nulls (`judge`). What stays is written in batches by `writer`.

mod arrow;
pub(crate) mod columns;
mod judge;
mod ndjson;
mod panics;
mod parquet;
pub(crate) mod records;
mod scan;
pub(crate) mod types;
mod utf8;
mod writer;

use std::collections::HashSet;
use std::io::Read;

use anyhow::{Result, anyhow, ensure};

use crate::clean::{CsvInput, Findings};
use crate::cli::Arguments;
use crate::counts::Counts;
use crate::csv::Failure;
use crate::format::{Format, check_start};
use crate::input::Input;
use crate::null_values::NullValues;
use crate::table::columns::{Fields, schema};
use crate::table::judge::Judge;
use crate::table::records::Records;
use crate::table::scan::{Table, for_each_batch};
use crate::table::types::{Candidates, Type};
use crate::table::utf8::Utf8;
use crate::table::writer::Writer;
use crate::target::Target;

/// CSV to another format.
pub(crate) fn from_csv(
    arguments: &Arguments,
    input: &Input,
    format: Format,
    target: &mut Target,
) -> Result<Findings, Failure> {
    let nulls = arguments.csv_nulls();
    let fields = Fields::new(arguments.delimiter, &nulls);
    let inferred = arguments
        .infer_types
        .then(|| infer(arguments, input, &fields))
        .transpose()?;
    let csv = open(arguments, input)?;
    let names = csv.names.clone();
    check_names(&names, format).map_err(Failure::Input)?;
    let types = inferred.unwrap_or_else(|| vec![Type::Text; names.len()]);
    if types.len() != names.len() {
        return Err(Failure::Input(anyhow!("it changed while it was read")));
    }
    let schema = schema(&names, &types);
    let mut writer =
        Writer::new(format, arguments.delimiter, &schema, target).map_err(Failure::Output)?;
    let mut records = Records::new(|records| writer.write(fields.table(records, &names, &types)?));
    let counts = csv.filter(arguments, &nulls, &mut records)?;
    let rest = records.finish();
    rest.and_then(|()| writer.finish())
        .map_err(Failure::Output)?;
    Ok(Findings {
        names,
        counts,
        nulls,
    })
}

fn open(arguments: &Arguments, input: &Input) -> Result<CsvInput, Failure> {
    let text = input.text().map_err(Failure::Input)?;
    CsvInput::open(arguments, Utf8::new(text)).map_err(Failure::Input)
}

/// The types of the columns, which are known only after all rows that stay were seen.
fn infer(arguments: &Arguments, input: &Input, fields: &Fields) -> Result<Vec<Type>, Failure> {
    if !input.is_regular() {
        return Err(Failure::Input(anyhow!(
            "it is a pipe, expected a file as `--infer_types` has to read it twice"
        )));
    }
    let csv = open(arguments, input)?;
    let mut columns = vec![Candidates::new(); csv.names.len()];
    let mut records = Records::new(|records| {
        fields.see(records, &mut columns);
        Ok(())
    });
    csv.filter(arguments, fields.nulls, &mut records)?;
    records.finish().map_err(Failure::Output)?;
    input.rewind().map_err(Failure::Input)?;
    Ok(columns.into_iter().map(Candidates::narrowest).collect())
}

/// Refuses names that only CSV can hold.
fn check_names(names: &[String], format: Format) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        ensure!(
            seen.insert(name),
            "there are several columns `{name}`, expected each name once as {format} needs it"
        );
    }
    Ok(())
}

/// Parquet, Arrow or NDJSON to any format.
pub(crate) fn from_table(
    arguments: &Arguments,
    input: &Input,
    from: Format,
    to: Format,
    target: &mut Target,
) -> Result<Findings, Failure> {
    let table = open_table(input, from).map_err(Failure::Input);
    let result = table.and_then(|table| clean_table(arguments, input, table, to, target));
    result.map_err(|failure| match failure {
        Failure::Input(error) if from == Format::Ndjson => {
            let found = input.at_start().and_then(ndjson::first_error);
            Failure::Input(found.ok().flatten().unwrap_or(error))
        }
        failure => failure,
    })
}

fn open_table(input: &Input, format: Format) -> Result<Box<dyn Table>> {
    ensure!(input.is_regular(), "it is a pipe, expected a file");
    let mut start = Vec::new();
    input.at_start()?.take(64).read_to_end(&mut start)?;
    check_start(format, &start)?;
    scan::open(input.at_start()?, format)
}

fn clean_table(
    arguments: &Arguments,
    input: &Input,
    table: Box<dyn Table>,
    format: Format,
    target: &mut Target,
) -> Result<Findings, Failure> {
    let schema = table.schema();
    let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
    let verdict = arguments.rules().resolve(&names).map_err(Failure::Input)?;
    let given = arguments.null_values();
    let judge = Judge {
        nulls: given.as_ref(),
        verdict: &verdict,
    };
    let mut writer =
        Writer::new(format, arguments.delimiter, schema, target).map_err(Failure::Output)?;
    let mut counts = Counts::new(names.len());
    for_each_batch(table, |batch| {
        let kept = judge.filter(&batch.rows, &mut counts);
        let kept = kept.map_err(Failure::Input)?;
        input.show(batch.read, batch.all);
        writer.write(kept).map_err(Failure::Output)
    })?;
    writer.finish().map_err(Failure::Output)?;
    Ok(Findings {
        names,
        counts,
        nulls: given.unwrap_or_else(|| NullValues::new(Vec::new())),
    })
}
