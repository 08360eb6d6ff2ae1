//! Which values mean null.

/// What `pandas.read_csv` takes for a missing value, as of pandas 3.1, besides the empty field.
const PANDAS: [&str; 18] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The set of values that mean null; the empty value always does.
pub(crate) struct NullValues {
    values: Vec<String>,
    longest: usize,
    starts: [bool; 256],
}

impl NullValues {
    /// The values that pandas takes for null.
    pub(crate) fn pandas() -> Self {
        Self::new(PANDAS.map(String::from).into())
    }

    /// The given values and no others, except the empty one.
    pub(crate) fn new(values: Vec<String>) -> Self {
        let longest = values.iter().map(String::len).max().unwrap_or(0);
        let mut starts = [false; 256];
        for first in values.iter().filter_map(|value| value.bytes().next()) {
            starts[usize::from(first)] = true;
        }
        Self {
            values,
            longest,
            starts,
        }
    }

    /// Whether `value`, without the quotes it may have had in the file, means null.
    pub(crate) fn contains(&self, value: &str) -> bool {
        // This is asked of every field of the file: nearly all are told apart by two cheap looks.
        let Some(&first) = value.as_bytes().first() else {
            return true;
        };
        value.len() <= self.longest
            && self.starts[usize::from(first)]
            && self.values.iter().any(|null| null == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pandas_values_are_null_to_the_letter() {
        let nulls = NullValues::pandas();
        for null in PANDAS {
            assert!(nulls.contains(null), "{null}");
        }
        for value in [
            "na",
            "Null",
            " NA",
            "NA ",
            "nil",
            "-",
            "0",
            "N",
            "NAN",
            "<na>",
            "#N/A N/A ",
        ] {
            assert!(!nulls.contains(value), "{value}");
        }
    }

    #[test]
    fn own_values_replace_the_list() {
        let nulls = NullValues::new(vec!["-999".into(), "ß".into()]);
        assert!(nulls.contains("-999") && nulls.contains("ß"));
        assert!(!nulls.contains("NA") && !nulls.contains("-99") && !nulls.contains("ü"));
    }

    #[test]
    fn the_empty_value_is_always_null() {
        for values in [vec![], vec![String::new()], vec!["NA".to_owned()]] {
            assert!(NullValues::new(values).contains(""));
        }
    }
}
