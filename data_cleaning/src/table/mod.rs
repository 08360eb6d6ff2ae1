//! All pairs of formats but CSV to CSV, by way of tables of polars. Only here polars is named.
//!
//! CSV is read record by record like on the way to CSV (`records`), and its fields become
//! `columns` of the `types` they have; the other formats (`parquet`, `arrow`, `ndjson`) are read in
//! batches (`scan`), and their rows are judged by their `nulls`. What stays is written in batches by `writer`,
//! in the types that the columns came with (`origin`).

mod arrow;
mod batches;
pub mod columns;
mod described;
mod groups;
mod kinds;
mod ndjson;
mod nulls;
mod origin;
mod panics;
mod parquet;
pub mod records;
mod scan;
pub mod types;
mod utf8;
mod writer;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;

use anyhow::{Result, anyhow, ensure};

use crate::cli::Wanted;
use crate::csv::Csv;
use crate::failure::Failure;
use crate::files::format::{Format, check_start};
use crate::files::input::Input;
use crate::files::output::Target;
use crate::findings::{Counts, Findings};
use crate::null_values::NullValues;
use crate::pump::units::USUAL;
use crate::table::arrow::ArrowFile;
use crate::table::columns::{Fields, schema};
use crate::table::ndjson::NdjsonFile;
use crate::table::nulls::Judge;
use crate::table::origin::Origin;
use crate::table::panics::unless_it_panics;
use crate::table::parquet::ParquetFile;
use crate::table::records::Records;
use crate::table::scan::{Batch, Table, for_each_batch};
use crate::table::types::{Candidates, Type};
use crate::table::utf8::Utf8;
use crate::table::writer::{Form, Writer};

/// CSV to another format.
pub fn from_csv(
    wanted: &Wanted,
    input: &mut Input,
    target: &mut Target,
) -> Result<Findings, Failure> {
    let nulls = wanted.csv_nulls();
    let fields = Fields::new(wanted.dialect, &nulls);
    let inferred = wanted
        .infer_types
        .then(|| infer(wanted, input, &fields))
        .transpose()?;
    let csv = open(wanted, input).map_err(Failure::Input)?;
    let names = csv.header.labels();
    let verdict = wanted.rules.resolve(&names).map_err(Failure::Input)?;
    check_names(&names, wanted.to).map_err(Failure::Input)?;
    let types = inferred.unwrap_or_else(|| vec![Type::Text; names.len()]);
    if types.len() != names.len() {
        return Err(Failure::Input(anyhow!("it changed while it was read")));
    }
    let schema = schema(&names, &types);
    let form = Form {
        format: wanted.to,
        delimiter: wanted.dialect.delimiter,
        metadata: Vec::new(),
        origin: Origin::default(),
    };
    let writer = Writer::new(form, &schema, target);
    let mut writer = writer.map_err(Failure::Output)?;
    let mut records = Records::new(|records| writer.write(fields.table(records, &names, &types)?));
    let counts = csv.filter(&nulls, &verdict, &mut |bytes| records.put(bytes))?;
    let rest = records.finish();
    rest.and_then(|()| writer.finish())
        .map_err(Failure::Output)?;
    Ok(Findings {
        names,
        counts,
        nulls,
        verdict,
    })
}

fn open(wanted: &Wanted, input: &Input) -> Result<Csv> {
    let text = Utf8::new(input.text(Format::Csv)?);
    Csv::open(text, wanted.dialect, USUAL)?.expected(wanted.guessed)
}

/// The types of the columns, which are known only after all rows that stay were seen.
fn infer(wanted: &Wanted, input: &mut Input, fields: &Fields) -> Result<Vec<Type>, Failure> {
    input.keep().map_err(Failure::Input)?;
    let csv = open(wanted, input).map_err(Failure::Input)?;
    let names = csv.header.labels();
    let verdict = wanted.rules.resolve(&names).map_err(Failure::Input)?;
    let mut columns = vec![Candidates::default(); names.len()];
    let mut records = Records::new(|records| {
        fields.see(records, &mut columns);
        Ok(())
    });
    csv.filter(fields.nulls, &verdict, &mut |bytes| records.put(bytes))?;
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
pub fn from_table(
    wanted: &Wanted,
    input: &mut Input,
    target: &mut Target,
) -> Result<Findings, Failure> {
    let table = open_table(input, wanted).map_err(Failure::Input);
    let result = table.and_then(|table| clean_table(wanted, input, table, target));
    result.map_err(|failure| match failure {
        Failure::Input(error) if wanted.from == Format::Ndjson => {
            let found = input.at_start().and_then(ndjson::first_error);
            Failure::Input(found.ok().flatten().unwrap_or(error))
        }
        failure => failure,
    })
}

fn open_table(input: &mut Input, wanted: &Wanted) -> Result<Box<dyn Table>> {
    let format = wanted.from;
    match format {
        Format::Ndjson => input.keep_unpacked(format)?,
        _ => input.keep()?,
    }
    let mut start = Vec::new();
    input.at_start()?.take(64).read_to_end(&mut start)?;
    check_start(format, &start)?;
    open_file(input.at_start()?, format, wanted.to)
}

/// The table in the file; refused if the `output` could not have its types.
///
/// Never mapped into memory: there, a file that is cut while it is read ends the program.
fn open_file(file: File, format: Format, output: Format) -> Result<Box<dyn Table>> {
    unless_it_panics(|| {
        Ok(match format {
            Format::Parquet => Box::new(ParquetFile::open(file, output)?) as Box<dyn Table>,
            Format::Arrow => Box::new(ArrowFile::open(file, output)?),
            Format::Ndjson => Box::new(NdjsonFile::open(file)?),
            Format::Csv => unreachable!("CSV is read record by record"),
        })
    })
}

fn clean_table(
    wanted: &Wanted,
    input: &Input,
    table: Box<dyn Table>,
    target: &mut Target,
) -> Result<Findings, Failure> {
    let schema = table.schema();
    let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
    let verdict = wanted.rules.resolve(&names).map_err(Failure::Input)?;
    let given = wanted.given_nulls();
    let judge = Judge {
        nulls: given.as_ref(),
        verdict: &verdict,
    };
    let form = Form {
        format: wanted.to,
        delimiter: wanted.dialect.delimiter,
        metadata: table.metadata(),
        origin: table.origin(),
    };
    let writer = Writer::new(form, schema, target);
    let mut writer = writer.map_err(Failure::Output)?;
    let mut counts = Counts::new(names.len());
    let judged = |batch: Batch| {
        input.show(batch.read, batch.all);
        judge.filter(&batch.rows, &mut counts)
    };
    for_each_batch(table, judged, |kept| writer.write(kept))?;
    writer.finish().map_err(Failure::Output)?;
    Ok(Findings {
        names,
        counts,
        nulls: given.unwrap_or_else(|| NullValues::new(Vec::new())),
        verdict,
    })
}
