//! What a run did, in words.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

use crate::console::printable;
use crate::files::is_standard;
use crate::findings::{ColumnNulls, Counts, Findings};

/// How many columns are named at most; a file may have thousands.
const NAMED: usize = 10;

/// The cells of the longest bar in the table, and of the longest name.
const BAR: u64 = 24;
const NAME: usize = 32;

/// The figures of a finished run. Its text is what the user sees.
pub struct Summary<'a> {
    pub output: &'a Path,
    /// The names of the columns, in the order of the file.
    pub names: &'a [String],
    pub counts: &'a Counts,
    /// Whether the nulls are shown as a table, for a terminal, instead of on one line.
    pub table: bool,
    /// The columns because of which no row stays.
    pub blamed: Vec<usize>,
    /// Whether the columns that count were named by the user.
    pub chosen: bool,
}

/// The columns that count and are null in every row, if no row stays.
pub fn blamed(findings: &Findings) -> Vec<usize> {
    let counts = &findings.counts;
    let columns = counts.columns.iter().enumerate();
    let null = columns
        .filter(|(column, nulls)| findings.verdict.counts(*column) && nulls.total() == counts.rows);
    let none_stays = counts.rows > 0 && counts.kept == 0;
    null.map(|(column, _)| column)
        .filter(|_| none_stays)
        .collect()
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = self.counts;
        write!(
            f,
            "data_cleaning: {} {} read, {} dropped",
            counts.rows,
            if counts.rows == 1 { "row" } else { "rows" },
            counts.dropped(),
        )?;
        if counts.ragged > 0 {
            write!(f, " ({} ragged)", counts.ragged)?;
        }
        let output = if is_standard(self.output) {
            "standard output".into()
        } else {
            self.output.to_string_lossy()
        };
        write!(f, ", {} kept -> {}", counts.kept, printable(&output))?;
        let (named, unnamed) = self.columns_with_nulls();
        if self.table {
            self.write_table(f, &named)?;
        } else {
            for (i, (column, nulls)) in named.iter().enumerate() {
                f.write_str(if i == 0 { "\n  nulls: " } else { ", " })?;
                write!(f, "{} {nulls}", self.label(*column))?;
            }
        }
        let before = if self.table { "\n  and" } else { " and" };
        match unnamed {
            0 => (),
            1 => write!(f, "{before} 1 more column")?,
            _ => write!(f, "{before} {unnamed} more columns")?,
        }
        self.write_hint(f)
    }
}

impl Summary<'_> {
    /// The columns with the most nulls in the order of the file, and how many others have some.
    fn columns_with_nulls(&self) -> (Vec<(usize, u64)>, usize) {
        let nulls = self.counts.columns.iter().map(ColumnNulls::total);
        let mut columns: Vec<(usize, u64)> =
            nulls.enumerate().filter(|(_, nulls)| *nulls > 0).collect();
        columns.sort_by_key(|(_, nulls)| Reverse(*nulls));
        let unnamed = columns.len().saturating_sub(NAMED);
        columns.truncate(NAMED);
        columns.sort_unstable();
        (columns, unnamed)
    }

    /// What to type where no row can stay.
    fn write_hint(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns = self.blamed.len();
        let (which, verb) = match self.blamed.as_slice() {
            [] => return Ok(()),
            [column] => (format!("column `{}`", self.label(*column)), "is"),
            [..] => (format!("{columns} columns"), "are"),
        };
        write!(
            f,
            "\n  hint: no row stays, as {which} {verb} null in every row; "
        )?;
        let names = self.blamed.iter().take(NAMED).map(|column| {
            let name = format!("!{}", self.names[*column]);
            if name.contains([',', '"']) {
                format!("\"{}\"", name.replace('"', "\"\""))
            } else {
                name
            }
        });
        let option = names.collect::<Vec<_>>().join(",").replace('\'', "'\\''");
        // What cannot be typed is not proposed.
        if self.chosen || matches!(printable(&option), Cow::Owned(_)) {
            return f.write_str("name in `--columns` only those that may decide");
        }
        let more = if columns > NAMED { ",.." } else { "" };
        write!(f, "`--columns '{option}{more}'` leaves ")?;
        f.write_str(if columns == 1 { "it out" } else { "them out" })
    }

    fn write_table(&self, f: &mut Formatter<'_>, columns: &[(usize, u64)]) -> fmt::Result {
        let labels: Vec<String> = columns
            .iter()
            .map(|(c, _)| shorten(&self.label(*c)))
            .collect();
        let name = labels
            .iter()
            .map(|label| label.chars().count())
            .max()
            .unwrap_or(0);
        let number = columns
            .iter()
            .map(|(_, nulls)| nulls.to_string().len())
            .max();
        let (name, number) = (
            name.max("column".len()),
            number.unwrap_or(0).max("nulls".len()),
        );
        if !columns.is_empty() {
            write!(f, "\n  {:name$}  {:>number$}   share", "column", "nulls")?;
        }
        for (label, (_, nulls)) in labels.iter().zip(columns) {
            let share = share(*nulls, self.counts.rows);
            write!(f, "\n  {label:name$}  {nulls:>number$}  {share}")?;
        }
        Ok(())
    }

    /// A name as it may stand on one line of a terminal.
    fn label(&self, column: usize) -> String {
        let name = &self.names[column];
        if name.is_empty() {
            return format!("(column {})", column + 1);
        }
        printable(name).into_owned()
    }
}

fn shorten(label: &str) -> String {
    if label.chars().count() <= NAME {
        return label.to_owned();
    }
    label.chars().take(NAME - 1).chain(['…']).collect()
}

/// The part of the rows, in percent and as a bar; whatever is not nothing has a bar.
fn share(nulls: u64, rows: u64) -> String {
    let tenths = (1000 * u128::from(nulls)).div_ceil(u128::from(rows.max(1)));
    let cells = (u128::from(BAR) * u128::from(nulls)).div_ceil(u128::from(rows.max(1)));
    let bar: String = (0..cells).map(|_| '█').collect();
    format!("{:>3}.{}%  {bar}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rows: u64, kept: u64, nulls: &[(&str, u64)]) -> String {
        summary(rows, kept, nulls, false)
    }

    fn summary(rows: u64, kept: u64, nulls: &[(&str, u64)], table: bool) -> String {
        let names: Vec<String> = nulls.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut counts = Counts::new(nulls.len());
        (counts.rows, counts.kept) = (rows, kept);
        for (column, (_, nulls)) in counts.columns.iter_mut().zip(nulls) {
            column.empty = *nulls;
        }
        let summary = Summary {
            output: Path::new("out.csv"),
            names: &names,
            counts: &counts,
            table,
            blamed: Vec::new(),
            chosen: false,
        };
        summary.to_string()
    }

    #[test]
    fn a_terminal_shows_a_table() {
        let long = "x".repeat(40);
        assert_eq!(
            summary(
                891,
                183,
                &[("Sex", 0), ("Age", 177), ("Cabin", 891), (&long, 1)],
                true
            ),
            format!(
                "data_cleaning: 891 rows read, 708 dropped, 183 kept -> out.csv\n  \
                 {:32}  nulls   share\n  \
                 {:32}    177   19.9%  █████\n  \
                 {:32}    891  100.0%  ████████████████████████\n  \
                 {:31}…      1    0.2%  █",
                "column",
                "Age",
                "Cabin",
                "x".repeat(31)
            )
        );
        assert_eq!(
            summary(1, 1, &[("a", 0)], true),
            "data_cleaning: 1 row read, 0 dropped, 1 kept -> out.csv"
        );
    }

    #[test]
    fn only_columns_with_nulls_are_named() {
        assert_eq!(
            text(891, 183, &[("Sex", 0), ("Age", 177), ("Cabin", 687)]),
            "data_cleaning: 891 rows read, 708 dropped, 183 kept -> out.csv\n  nulls: Age 177, Cabin 687"
        );
        assert_eq!(
            text(1, 1, &[("a", 0)]),
            "data_cleaning: 1 row read, 0 dropped, 1 kept -> out.csv"
        );
    }

    #[test]
    fn the_columns_with_most_nulls_are_named_in_the_order_of_the_file() {
        let names: Vec<String> = (1..=12).map(|n| format!("c{n}")).collect();
        let nulls: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(1..).collect();
        let listed = "c3 3, c4 4, c5 5, c6 6, c7 7, c8 8, c9 9, c10 10, c11 11, c12 12";
        assert!(text(20, 0, &nulls).ends_with(&format!("nulls: {listed} and 2 more columns")));
        assert!(text(20, 0, &nulls[1..]).ends_with(&format!("nulls: {listed} and 1 more column")));
        assert!(text(20, 0, &nulls[2..]).ends_with(&format!("nulls: {listed}")));
    }

    #[test]
    fn a_column_that_leaves_no_row_is_blamed() {
        for (blamed, chosen, expected) in [
            (&[][..], false, ""),
            (
                &[0],
                false,
                "\n  hint: no row stays, as column `a'` is null in every row; `--columns '!a'\\'''` \
                 leaves it out",
            ),
            (
                &[0, 1, 2],
                false,
                "\n  hint: no row stays, as 3 columns are null in every row; \
                 `--columns '!a'\\'',\"!b, \"\"c\"\"\",!'` leaves them out",
            ),
            (
                &[2],
                true,
                "\n  hint: no row stays, as column `(column 3)` is null in every row; name in \
                 `--columns` only those that may decide",
            ),
        ] {
            let names = ["a'", "b, \"c\"", ""].map(str::to_owned);
            let mut counts = Counts::new(3);
            counts.rows = 1;
            let summary = Summary {
                output: Path::new("-"),
                names: &names,
                counts: &counts,
                table: false,
                blamed: blamed.into(),
                chosen,
            };
            let text = "data_cleaning: 1 row read, 1 dropped, 0 kept -> standard output";
            assert_eq!(summary.to_string(), format!("{text}{expected}"));
        }
    }

    #[test]
    fn a_name_never_breaks_the_line() {
        assert!(
            text(1, 0, &[("", 1), ("a\n\u{1b}[1mé", 1)])
                .ends_with("nulls: (column 1) 1, a\\n\\u{1b}[1mé 1")
        );
    }
}
