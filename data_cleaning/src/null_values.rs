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
    /// The first two bytes of each value, unless one is shorter.
    starts: Option<Vec<[u8; 2]>>,
}

impl NullValues {
    /// The values that pandas takes for null.
    pub(crate) fn pandas() -> Self {
        Self::new(PANDAS.map(String::from).into())
    }

    /// The given values and no others, except the empty one.
    pub(crate) fn new(mut values: Vec<String>) -> Self {
        values.retain(|value| !value.is_empty());
        values.sort_unstable();
        values.dedup();
        let start = |value: &String| value.as_bytes().first_chunk().copied();
        let starts: Option<Vec<[u8; 2]>> = values.iter().map(start).collect();
        let starts = starts.map(|mut starts| {
            starts.dedup();
            starts
        });
        values.insert(0, String::new());
        let longest = values.iter().map(String::len).max().unwrap_or(0);
        Self {
            values,
            longest,
            starts,
        }
    }

    /// Every value once; the first is the empty one.
    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    /// The number of bytes of the longest value.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Whether a value other than the empty one may begin like these bytes; says yes too often
    /// rather than too rarely.
    #[inline]
    pub(crate) fn may_begin(&self, bytes: &[u8]) -> bool {
        match (&self.starts, bytes.first_chunk()) {
            (Some(starts), Some(start)) => starts.contains(start),
            _ => true,
        }
    }

    /// Which of the [values](Self::values) this one is, given without the quotes it may have had.
    pub(crate) fn find(&self, value: &[u8]) -> Option<usize> {
        // Asked of every text of a Parquet file: nearly all are told apart by their length.
        if value.len() > self.longest {
            return None;
        }
        self.values.iter().position(|null| null.as_bytes() == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pandas_values_are_null_to_the_letter() {
        let nulls = NullValues::pandas();
        for null in PANDAS {
            assert!(nulls.find(null.as_bytes()).is_some(), "{null}");
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
            assert!(nulls.find(value.as_bytes()).is_none(), "{value}");
        }
    }

    #[test]
    fn own_values_replace_the_list() {
        let nulls = NullValues::new(vec!["-999".into(), "ß".into()]);
        assert_eq!(nulls.values(), ["", "-999", "ß"]);
        assert_eq!(nulls.find(b"-999"), Some(1));
        assert_eq!(nulls.find("ß".as_bytes()), Some(2));
        for value in ["NA", "-99", "ü", "-9999"] {
            assert_eq!(nulls.find(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_value_is_told_by_its_start() {
        let nulls = NullValues::pandas();
        for null in PANDAS {
            assert!(nulls.may_begin(format!("{null},").as_bytes()), "{null}");
        }
        assert!(!nulls.may_begin(b"11") && !nulls.may_begin(b"Ni") && nulls.may_begin(b"n"));
        assert!(NullValues::new(vec!["?".into(), "NA".into()]).may_begin(b"11"));
    }

    #[test]
    fn the_empty_value_is_always_null() {
        for values in [vec![], vec![String::new()], vec!["NA".to_owned()]] {
            assert_eq!(NullValues::new(values).find(b""), Some(0));
        }
    }
}
