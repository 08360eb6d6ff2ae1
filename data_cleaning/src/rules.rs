//! Which rows go: how many nulls a row may hold, and in which columns they count.

use anyhow::{Result, bail, ensure};

/// What the user asked for, before the columns of the file are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The columns whose nulls count; all of them without names.
    pub columns: Option<Vec<String>>,
    pub required: Required,
}

/// How many values other than null a row has to have in the columns that count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Required {
    /// One in each of them.
    All,
    /// One in any of them.
    One,
    /// So many.
    AtLeast(usize),
}

/// The rules for the columns of one file.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    /// For each column whether its nulls count; without, all do.
    counting: Option<Vec<bool>>,
    /// How many nulls a row may hold and stay; without, no row stays.
    allowed: Option<usize>,
}

impl Rules {
    /// The rules for a file whose columns have these names.
    pub fn resolve(&self, names: &[String]) -> Result<Verdict> {
        let counting = match &self.columns {
            Some(columns) => Some(mark(columns, names)?),
            None => None,
        };
        let count = counting.as_ref().map_or(names.len(), |counting| {
            counting.iter().filter(|counts| **counts).count()
        });
        let required = match self.required {
            Required::All => count,
            Required::One => 1,
            Required::AtLeast(values) => values,
        };
        Ok(Verdict {
            counting,
            allowed: count.checked_sub(required),
        })
    }
}

/// Which of the columns count; `!name` stands for all others, unless a column has that very name.
fn mark(columns: &[String], names: &[String]) -> Result<Vec<bool>> {
    let is_there = |name: &String| names.contains(name);
    let others = |column: &String| {
        let name = column.strip_prefix('!').filter(|_| !is_there(column));
        name.map(str::to_owned)
    };
    let left_out: Vec<String> = columns.iter().filter_map(others).collect();
    if left_out.is_empty() {
        return named(columns, names);
    }
    ensure!(
        left_out.len() == columns.len(),
        "some columns are named and others left out by `!`, expected one or the other"
    );
    let left_out = named(&left_out, names)?;
    Ok(left_out.into_iter().map(|left_out| !left_out).collect())
}

fn named(columns: &[String], names: &[String]) -> Result<Vec<bool>> {
    let mut counting = vec![false; names.len()];
    for column in columns {
        let mut places = names
            .iter()
            .zip(&mut counting)
            .filter(|(name, _)| *name == column);
        let Some((_, counts)) = places.next() else {
            bail!("there is no column `{column}`, {}", known(names));
        };
        *counts = true;
        ensure!(
            places.next().is_none(),
            "there are several columns `{column}`, so it cannot be told which of them counts"
        );
    }
    Ok(counting)
}

/// The names to choose from, as long as they can be read at a glance.
fn known(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > SHOWN { ", .." } else { "" };
    format!("expected one of {}{more}", shown.join(", "))
}

impl Verdict {
    /// All rows without a null stay.
    pub fn strict() -> Self {
        Self {
            counting: None,
            allowed: Some(0),
        }
    }

    /// Whether a null in this column counts.
    pub fn counts(&self, column: usize) -> bool {
        self.counting
            .as_ref()
            .is_none_or(|counting| counting[column])
    }

    /// Whether a row stays that has so many nulls in the columns that count.
    pub fn keeps(&self, nulls: usize) -> bool {
        self.allowed.is_some_and(|allowed| nulls <= allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(columns: Option<&[&str]>, required: Required) -> Result<Verdict, String> {
        let names = ["a", "b", "c", "b", ""].map(str::to_owned);
        let columns = columns.map(|columns| columns.iter().map(|c| (*c).to_owned()).collect());
        let rules = Rules { columns, required };
        rules.resolve(&names).map_err(|error| error.to_string())
    }

    /// The numbers of nulls with which a row stays.
    fn kept(columns: Option<&[&str]>, required: Required) -> Vec<usize> {
        let verdict = verdict(columns, required).expect("the columns are there");
        (0..=5).filter(|nulls| verdict.keeps(*nulls)).collect()
    }

    #[test]
    fn nulls_are_held_against_what_is_required() {
        assert_eq!(kept(None, Required::All), [0]);
        assert_eq!(kept(None, Required::One), [0, 1, 2, 3, 4]);
        assert_eq!(kept(None, Required::AtLeast(3)), [0, 1, 2]);
        assert_eq!(kept(None, Required::AtLeast(0)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(None, Required::AtLeast(6)), [0; 0]);
        assert_eq!(kept(Some(&["a", "c", "a"]), Required::All), [0]);
        assert_eq!(kept(Some(&["a", "c", "a"]), Required::One), [0, 1]);
        assert_eq!(kept(Some(&["a", "c"]), Required::AtLeast(3)), [0; 0]);
    }

    #[test]
    fn only_the_named_columns_count() {
        let verdict = verdict(Some(&["c", ""]), Required::All).expect("they are there");
        let counting: Vec<usize> = (0..5).filter(|column| verdict.counts(*column)).collect();
        assert_eq!(counting, [2, 4]);
    }

    #[test]
    fn columns_may_be_left_out() {
        let counting = |columns: &[&str]| {
            let verdict = verdict(Some(columns), Required::All)?;
            Ok((0..5).filter(|column| verdict.counts(*column)).collect())
        };
        for (columns, expected) in [
            (&["!a"][..], Ok(vec![1, 2, 3, 4])),
            (&["!a", "!c"], Ok(vec![1, 3, 4])),
            (&["!"], Ok(vec![0, 1, 2, 3])),
            (
                &["!a", "c"],
                Err(
                    "some columns are named and others left out by `!`, expected one or the other"
                        .to_owned(),
                ),
            ),
        ] {
            assert_eq!(counting(columns), expected, "{columns:?}");
        }
        let missing = counting(&["!x"]).unwrap_err();
        assert!(missing.starts_with("there is no column `x`"), "{missing}");
        let names = ["!a", "a"].map(str::to_owned);
        assert_eq!(mark(&["!a".to_owned()], &names).unwrap(), [true, false]);
    }

    #[test]
    fn a_name_means_one_column() {
        for (column, message) in [
            (
                "x",
                "there is no column `x`, expected one of `a`, `b`, `c`, `b`, ``",
            ),
            (
                "b",
                "there are several columns `b`, so it cannot be told which of them counts",
            ),
        ] {
            assert_eq!(
                verdict(Some(&[column]), Required::All),
                Err(message.to_owned())
            );
        }
    }
}
