//! The command line, and what it means.

use std::env;
use std::ffi::OsStr;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{
    BoolValueParser, EnumValueParser, PathBufValueParser, PossibleValue, RangedU64ValueParser,
    TypedValueParser,
};
use clap::error::{Error, ErrorKind};
use clap::{Arg, Command, CommandFactory, Parser, ValueEnum};

use crate::console::{printable, printable_lines, say};
use crate::csv::dialect::{Dialect, Ragged};
use crate::csv::field::{fields, meaning};
use crate::files::format::{Format, is_tabbed};
use crate::null_values::NullValues;
use crate::rules::{Required, Rules};

/// Delete the rows of a table that hold a null and leave all others as they were
///
/// An option with an empty value counts as not given, except `--null_values ''`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// File to read: CSV, Parquet, Arrow or NDJSON
    ///
    /// CSV and NDJSON may be packed by gzip or zstd. `-` is standard input.
    #[arg(long, value_name = "FILE", default_value = "raw_data.csv", value_parser = OrEmpty(PathBufValueParser::new()))]
    input: Option<Given<PathBuf>>,

    /// File to write
    ///
    /// `-` is standard output, which may end half-written.
    #[arg(long, value_name = "FILE", default_value = "clean_data.csv", value_parser = OrEmpty(PathBufValueParser::new()))]
    output: Option<Given<PathBuf>>,

    /// Format of the input [default: by the end of its name, else CSV]
    #[arg(long = "input_format", alias = "input-format", value_name = "FORMAT", value_parser = OrEmpty(EnumValueParser::<Format>::new()))]
    input_format: Option<Given<Format>>,

    /// Format of the output [default: by the end of its name, else CSV]
    #[arg(long = "output_format", alias = "output-format", value_name = "FORMAT", value_parser = OrEmpty(EnumValueParser::<Format>::new()))]
    output_format: Option<Given<Format>>,

    /// Values that mean null, besides the empty one [default: those of pandas in CSV, else none]
    // Markers such as -999 are common.
    #[arg(
        long = "null_values",
        alias = "null-values",
        value_name = "A,B,..",
        value_parser = list,
        allow_hyphen_values = true
    )]
    null_values: Option<Vec<List>>,

    /// Values that mean null, too
    #[arg(
        long = "add_null_values",
        alias = "add-null-values",
        value_name = "A,B,..",
        value_parser = list,
        allow_hyphen_values = true
    )]
    add_null_values: Vec<List>,

    /// Columns whose nulls count; `!A` stands for all but A [default: all]
    #[arg(long, value_name = "A,B,..", value_parser = list, allow_hyphen_values = true)]
    columns: Vec<List>,

    /// Delete a row with a null in any of these columns, or only one with nulls in all of them
    /// [default: any]
    #[arg(long, value_parser = OrEmpty(EnumValueParser::<How>::new()))]
    how: Option<Given<How>>,

    /// Delete a row with fewer values in these columns, instead of --how
    #[arg(long = "min_valid", alias = "min-valid", value_name = "N", value_parser = OrEmpty(RangedU64ValueParser::<usize>::new()))]
    min_valid: Option<Given<usize>>,

    /// Character between the fields of a CSV file; `\t` is the tab [default: the tab if the name ends
    /// in .tsv, else the comma]
    #[arg(long, value_name = "C", allow_hyphen_values = true, value_parser = delimiter)]
    delimiter: Option<Given<u8>>,

    /// Character around fields of a CSV file, or `none` [default: "]
    #[arg(long, value_name = "C|none", value_parser = quote, allow_hyphen_values = true)]
    quote: Option<Given<Option<u8>>>,

    /// What to do with a quote in a field that does not begin with one [default: error]
    #[arg(long = "on_quote", alias = "on-quote", value_parser = OrEmpty(EnumValueParser::<OnQuote>::new()))]
    on_quote: Option<Given<OnQuote>>,

    /// What to do with a row that has more or fewer fields than the header [default: error]
    #[arg(long = "on_ragged", alias = "on-ragged", value_parser = OrEmpty(EnumValueParser::<Ragged>::new()))]
    on_ragged: Option<Given<Ragged>>,

    /// Take the first line of a CSV file for a row; the columns are called 1, 2, ..
    #[arg(long = "no_header", alias = "no-header", num_args = 0..=1, default_missing_value = "true", value_parser = OrEmpty(BoolValueParser::new()))]
    no_header: Option<Given<bool>>,

    /// Pass over so many lines before the header of a CSV file
    #[arg(long = "skip_lines", alias = "skip-lines", value_name = "N", value_parser = OrEmpty(RangedU64ValueParser::<u64>::new()))]
    skip_lines: Option<Given<u64>>,

    /// Look at the values of a CSV file without the blanks around them; what stays keeps its blanks
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = OrEmpty(BoolValueParser::new()))]
    trim: Option<Given<bool>>,

    /// Give the columns of a CSV file that becomes Parquet, Arrow or NDJSON the types of their values
    #[arg(long = "infer_types", alias = "infer-types", num_args = 0..=1, default_missing_value = "true", value_parser = OrEmpty(BoolValueParser::new()))]
    infer_types: Option<Given<bool>>,

    /// JSON file to write the figures of the run to
    #[arg(long, value_name = "FILE", value_parser = OrEmpty(PathBufValueParser::new()))]
    report: Option<Given<PathBuf>>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum How {
    Any,
    All,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum OnQuote {
    Error,
    Text,
}

impl ValueEnum for Ragged {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Error, Self::Drop, Self::Null]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Error => ("error", "refuse the file"),
            Self::Drop => ("drop", "delete the row"),
            Self::Null => (
                "null",
                "take missing fields for null, and pass over empty ones too many",
            ),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// Texts that were given as one line of CSV.
#[derive(Clone)]
struct List(Vec<String>);

/// The value of an option, or nothing if it was left empty: so a caller can pass every option every
/// time.
#[derive(Clone)]
struct Given<T>(Option<T>);

fn value<T>(given: Option<Given<T>>) -> Option<T> {
    given.and_then(|given| given.0)
}

/// Reads a value as the parser within does, unless it is empty.
#[derive(Clone)]
struct OrEmpty<P>(P);

impl<P: TypedValueParser> TypedValueParser for OrEmpty<P> {
    type Value = Given<P::Value>;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, Error> {
        if value.is_empty() {
            return Ok(Given(None));
        }
        let parsed = self.0.parse_ref(command, argument, value);
        parsed.map(|value| Given(Some(value)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// What is to be done.
pub struct Wanted {
    pub input: PathBuf,
    pub output: PathBuf,
    pub from: Format,
    pub to: Format,
    pub dialect: Dialect,
    /// Whether nobody named the delimiter, so that the header is looked at for another one.
    pub guessed: bool,
    pub rules: Rules,
    /// The values that mean null, where they were given.
    null_values: Option<Vec<String>>,
    add_null_values: Vec<String>,
    pub infer_types: bool,
    pub report: Option<PathBuf>,
}

impl Wanted {
    /// The values that mean null in a CSV file.
    pub fn csv_nulls(&self) -> NullValues {
        match self.given_nulls() {
            Some(nulls) if self.null_values.is_some() => nulls,
            _ => NullValues::pandas_and(self.add_null_values.clone()),
        }
    }

    /// The null values that were given, if any were: for formats that have nulls of their own.
    pub fn given_nulls(&self) -> Option<NullValues> {
        let added = (!self.add_null_values.is_empty()).then(Vec::new);
        let values = self.null_values.clone().or(added)?;
        Some(NullValues::new(
            [values, self.add_null_values.clone()].concat(),
        ))
    }
}

/// Reads the command line. If it is wrong, or asks for help, that is told, and the exit code returned.
pub fn read() -> Result<Wanted, ExitCode> {
    let wanted = Arguments::try_parse().and_then(Arguments::resolve);
    wanted.map_err(|error| usage(&error))
}

impl Arguments {
    /// Every default filled in, and refused what would do nothing.
    fn resolve(self) -> Result<Wanted, Error> {
        let input = value(self.input).unwrap_or_else(|| "raw_data.csv".into());
        let output = value(self.output).unwrap_or_else(|| "clean_data.csv".into());
        let from = value(self.input_format).unwrap_or_else(|| Format::of(&input));
        let to = value(self.output_format).unwrap_or_else(|| Format::of(&output));
        let (how, min_valid) = (value(self.how), value(self.min_valid));
        if how.is_some() && min_valid.is_some() {
            return Err(conflict(
                "the argument `--how` cannot be used with `--min_valid`",
            ));
        }
        let delimiter = value(self.delimiter);
        let csv = if from == Format::Csv { &input } else { &output };
        let tab_or_comma = if is_tabbed(csv) { b'\t' } else { b',' };
        let infer_types = value(self.infer_types).unwrap_or(false);
        let dialect = Dialect {
            delimiter: delimiter.unwrap_or(tab_or_comma),
            quote: value(self.quote).unwrap_or(Some(b'"')),
            stray_quotes: value(self.on_quote) == Some(OnQuote::Text),
            has_header: !value(self.no_header).unwrap_or(false),
            skip_lines: value(self.skip_lines).unwrap_or(0),
            trim: value(self.trim).unwrap_or(false),
            ragged: value(self.on_ragged).unwrap_or(Ragged::Error),
        };
        check_delimiter(&dialect)?;
        check_formats((from, to), &dialect, delimiter.is_some(), infer_types)?;
        let both_csv = (from, to) == (Format::Csv, Format::Csv);
        if both_csv && delimiter.is_none() && is_tabbed(&output) && !is_tabbed(&input) {
            let output = output.display();
            return Err(conflict(&format!(
                "the name `{output}` says that tabs are between the fields, and the rows come out as \
                 they are in the input; `--delimiter '\\t'` if these are tabs"
            )));
        }
        let report = value(self.report);
        check_report(report.as_deref(), &input, &output)?;
        // `--columns ''` is how an MLproject says that nothing was given.
        let columns = flat(self.columns);
        Ok(Wanted {
            input,
            output,
            from,
            to,
            dialect,
            guessed: delimiter.is_none(),
            rules: Rules {
                columns: Some(columns).filter(|names| names.iter().any(|name| !name.is_empty())),
                required: match (min_valid, how.unwrap_or(How::Any)) {
                    (Some(values), _) => Required::AtLeast(values),
                    (None, How::Any) => Required::All,
                    (None, How::All) => Required::One,
                },
            },
            null_values: self.null_values.map(flat),
            add_null_values: flat(self.add_null_values),
            infer_types,
            report,
        })
    }
}

fn flat(lists: Vec<List>) -> Vec<String> {
    lists.into_iter().flat_map(|list| list.0).collect()
}

fn conflict(message: &str) -> Error {
    Arguments::command().error(ErrorKind::ArgumentConflict, message)
}

/// Refuses a report that would take the place of the data.
fn check_report(report: Option<&Path>, input: &Path, output: &Path) -> Result<(), Error> {
    let is = |other: &Path| report.is_some_and(|report| place(report) == place(other));
    let is_input = input != Path::new("-") && is(input);
    for (is, option) in [(is(output), "output"), (is_input, "input")] {
        if is {
            return Err(conflict(&format!(
                "`--report` names what `--{option}` does, expected another file"
            )));
        }
    }
    Ok(())
}

/// Where a file is or is going to be, behind all links.
fn place(path: &Path) -> PathBuf {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let below = || {
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    path.canonicalize()
        .ok()
        .or_else(below)
        .unwrap_or_else(|| path.to_owned())
}

fn check_delimiter(dialect: &Dialect) -> Result<(), Error> {
    if Some(dialect.delimiter) == dialect.quote {
        return Err(conflict(
            "`--delimiter` and `--quote` are the same character",
        ));
    }
    // The tab between fields is no blank around them.
    if dialect.trim && dialect.delimiter == b' ' {
        return Err(conflict(
            "`--trim` would take the blanks between fields for a part of them",
        ));
    }
    Ok(())
}

/// Refuses options of CSV where there is none, which would do nothing.
fn check_formats(
    (from, to): (Format, Format),
    dialect: &Dialect,
    delimiter: bool,
    infer_types: bool,
) -> Result<(), Error> {
    if from == Format::Csv {
        return Ok(());
    }
    let usual = Dialect {
        delimiter: dialect.delimiter,
        ..Dialect::default()
    };
    let option = if delimiter && to != Format::Csv {
        "--delimiter"
    } else if infer_types {
        "--infer_types"
    } else if dialect.ragged != usual.ragged {
        "--on_ragged"
    } else if *dialect != usual {
        "one of `--quote`, `--on_quote`, `--no_header`, `--skip_lines` and `--trim`"
    } else {
        return Ok(());
    };
    let option = if option.starts_with("--") {
        format!("`{option}`")
    } else {
        option.to_owned()
    };
    Err(conflict(&format!(
        "{option} was given, which is for CSV, and the input is {from}; `--input_format csv` if it is \
         not"
    )))
}

/// Shows the help that was asked for, or what is wrong with the arguments.
fn usage(error: &Error) -> ExitCode {
    let mut text = error.render().to_string();
    // What was typed is shown with all its characters, line ends too.
    for argument in env::args_os() {
        let argument = argument.to_string_lossy();
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        for typed in [&argument, value]
            .into_iter()
            .filter(|typed| typed.contains('\n'))
        {
            text = text.replace(typed, &printable(typed));
        }
    }
    if error.use_stderr() {
        say(text.trim_end());
    } else {
        stdout().write_all(printable_lines(&text).as_bytes()).ok();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The texts in a line of CSV.
#[expect(
    clippy::unnecessary_wraps,
    reason = "as parsers of arguments are called"
)]
fn list(text: &str) -> Result<List, String> {
    let dialect = Dialect {
        stray_quotes: true,
        ..Dialect::default()
    };
    let values = fields(text.as_bytes(), &dialect).into_iter();
    let values = values.map(|field| String::from_utf8_lossy(&meaning(field, &dialect)).into());
    Ok(List(values.collect()))
}

fn delimiter(text: &str) -> Result<Given<u8>, String> {
    match text.as_bytes() {
        b"" => Ok(Given(None)),
        b"\\t" => Ok(Given(Some(b'\t'))),
        [b'"' | b'\r' | b'\n'] => Err("it has a meaning of its own in CSV".into()),
        [character] if character.is_ascii() => Ok(Given(Some(*character))),
        _ => Err("expected one ASCII character".into()),
    }
}

fn quote(text: &str) -> Result<Given<Option<u8>>, String> {
    match text.as_bytes() {
        b"" => Ok(Given(None)),
        b"none" => Ok(Given(Some(None))),
        [b'\r' | b'\n'] => Err("it ends a line".into()),
        [character] if character.is_ascii() => Ok(Given(Some(Some(*character)))),
        _ => Err("expected one ASCII character, or `none`".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn try_parse(arguments: &[&str]) -> Result<Wanted, String> {
        let arguments = Arguments::try_parse_from([&["data_cleaning"], arguments].concat());
        let wanted = arguments.and_then(Arguments::resolve);
        wanted.map_err(|error| error.to_string())
    }

    fn parse(arguments: &[&str]) -> Wanted {
        try_parse(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    #[test]
    fn rules_are_those_of_pandas() {
        for (arguments, columns, required) in [
            (&[][..], None, Required::All),
            (&["--columns", ""], None, Required::All),
            (
                &["--columns", "a,-b", "--how", "all"],
                Some(vec!["a", "-b"]),
                Required::One,
            ),
            (
                &["--columns", "a", "--columns=", "--min_valid", "0"],
                Some(vec!["a", ""]),
                Required::AtLeast(0),
            ),
            (
                &["--columns", "\"a,b\",5\" pipe,\"say \"\"x\"\"\""],
                Some(vec!["a,b", "5\" pipe", "say \"x\""]),
                Required::All,
            ),
        ] {
            let columns = columns.map(|columns| columns.into_iter().map(str::to_owned).collect());
            assert_eq!(parse(arguments).rules, Rules { columns, required });
        }
    }

    #[test]
    fn an_empty_value_is_none() {
        const OPTIONS: [&str; 16] = [
            "input",
            "output",
            "input_format",
            "output_format",
            "add_null_values",
            "columns",
            "how",
            "min_valid",
            "delimiter",
            "quote",
            "on_quote",
            "on_ragged",
            "no_header",
            "skip_lines",
            "trim",
            "infer_types",
        ];
        for option in OPTIONS {
            for option in [
                format!("--{option}="),
                format!("--{}=", option.replace('_', "-")),
            ] {
                let wanted = parse(&[&option, "--report="]);
                assert_eq!(wanted.input, Path::new("raw_data.csv"), "{option}");
                assert_eq!((wanted.from, wanted.to), (Format::Csv, Format::Csv));
                assert_eq!((wanted.dialect, wanted.guessed), (Dialect::default(), true));
                assert_eq!((wanted.report, wanted.infer_types), (None, false));
                let rules = (wanted.rules.columns, wanted.rules.required);
                assert_eq!(rules, (None, Required::All));
            }
        }
    }

    #[test]
    fn null_values_replace_or_are_added() {
        let given = |arguments: &[&str]| {
            let wanted = parse(arguments);
            let table = wanted.given_nulls().map(|nulls| nulls.values().len());
            (wanted.csv_nulls().values().len(), table)
        };
        assert_eq!(given(&[]), (19, None));
        assert_eq!(given(&["--null_values", ""]), (1, Some(1)));
        assert_eq!(given(&["--null_values", "-999,\"a,b\""]), (3, Some(3)));
        assert_eq!(given(&["--add_null_values", "?,NA"]), (20, Some(3)));
        assert_eq!(
            given(&["--null_values", "x", "--add-null-values", "?"]),
            (3, Some(3))
        );
    }

    #[test]
    fn a_delimiter_is_one_character() {
        for (text, byte) in [(",", b','), ("\\t", b'\t'), ("\t", b'\t'), ("-", b'-')] {
            let wanted = parse(&["--delimiter", text]);
            assert_eq!((wanted.dialect.delimiter, wanted.guessed), (byte, false));
        }
        for text in [",,", "\"", "\n", "§", "\\n"] {
            assert!(delimiter(text).is_err(), "{text:?}");
        }
        for (arguments, byte) in [
            (&["--input", "x.TSV"][..], b'\t'),
            (&["--input", "x.tsv.gz"], b'\t'),
            (&["--input", "x.parquet", "--output", "x.tsv"], b'\t'),
            (&["--input", "x.tsv", "--delimiter", ","], b','),
        ] {
            assert_eq!(parse(arguments).dialect.delimiter, byte, "{arguments:?}");
        }
    }

    #[test]
    fn what_would_do_nothing_is_refused() {
        for (arguments, message) in [
            (
                &["--input", "x.parquet", "--on_ragged", "drop"][..],
                "`--on_ragged` was given",
            ),
            (
                &["--input", "x.ndjson", "--infer_types"],
                "`--infer_types` was given",
            ),
            (
                &["--input", "x.arrow", "--trim"],
                "`--skip_lines` and `--trim` was given",
            ),
            (
                &[
                    "--input",
                    "x.arrow",
                    "--output",
                    "y.arrow",
                    "--delimiter",
                    ";",
                ],
                "`--delimiter` was given",
            ),
            (
                &["--output", "x.tsv"],
                "says that tabs are between the fields",
            ),
            (&["--delimiter", ";", "--quote", ";"], "the same character"),
            (&["--how", "any", "--min_valid", "1"], "cannot be used with"),
        ] {
            let error = try_parse(arguments).err().expect(message);
            assert!(error.contains(message), "{error}");
        }
        parse(&["--input", "x.parquet", "--delimiter", ";"]);
        parse(&[
            "--input",
            "x.parquet",
            "--on_ragged",
            "error",
            "--infer_types",
            "false",
        ]);
    }
}
