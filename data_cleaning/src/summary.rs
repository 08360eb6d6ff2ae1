//! What a run did, in words.

use std::cmp::Reverse;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// How many columns are named at most; a file may have thousands.
const NAMED: usize = 10;

/// The figures of a finished run. Its text is what the user sees.
pub(crate) struct Summary {
    pub(crate) output: PathBuf,
    pub(crate) rows: u64,
    pub(crate) kept: u64,
    /// Name and number of nulls of each column, in the order of the file.
    pub(crate) nulls: Vec<(String, u64)>,
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "data_cleaning: {} {} read, {} dropped, {} kept -> {}",
            self.rows,
            if self.rows == 1 { "row" } else { "rows" },
            self.rows - self.kept,
            self.kept,
            self.output.display()
        )?;
        let (named, unnamed) = self.columns_with_nulls();
        for (i, (column, nulls)) in named.iter().enumerate() {
            f.write_str(if i == 0 { "\n  nulls: " } else { ", " })?;
            write!(f, "{} {nulls}", self.label(*column))?;
        }
        match unnamed {
            0 => Ok(()),
            1 => f.write_str(" and 1 more column"),
            _ => write!(f, " and {unnamed} more columns"),
        }
    }
}

impl Summary {
    /// The columns with the most nulls in the order of the file, and how many others have some.
    fn columns_with_nulls(&self) -> (Vec<(usize, u64)>, usize) {
        let nulls = self.nulls.iter().map(|(_, nulls)| *nulls);
        let mut columns: Vec<(usize, u64)> =
            nulls.enumerate().filter(|(_, nulls)| *nulls > 0).collect();
        columns.sort_by_key(|(_, nulls)| Reverse(*nulls));
        let unnamed = columns.len().saturating_sub(NAMED);
        columns.truncate(NAMED);
        columns.sort_unstable();
        (columns, unnamed)
    }

    /// A name as it may stand on one line of a terminal.
    fn label(&self, column: usize) -> String {
        let name = &self.nulls[column].0;
        if name.is_empty() {
            return format!("(column {})", column + 1);
        }
        let mut label = String::new();
        for c in name.chars() {
            if c.is_control() {
                label.extend(c.escape_default());
            } else {
                label.push(c);
            }
        }
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rows: u64, kept: u64, nulls: &[(&str, u64)]) -> String {
        let nulls = nulls
            .iter()
            .map(|(name, nulls)| ((*name).to_owned(), *nulls))
            .collect();
        let output = "out.csv".into();
        Summary {
            output,
            rows,
            kept,
            nulls,
        }
        .to_string()
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
    fn a_name_never_breaks_the_line() {
        assert!(
            text(1, 0, &[("", 1), ("a\n\u{1b}[1mé", 1)])
                .ends_with("nulls: (column 1) 1, a\\n\\u{1b}[1mé 1")
        );
    }
}
