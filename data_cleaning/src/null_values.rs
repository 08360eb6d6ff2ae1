//! Which values mean null.

use std::cmp::Ordering;

/// What `pandas.read_csv` takes for a missing value, as of pandas 3.1, besides the empty field.
const PANDAS: [&str; 18] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The set of values that mean null; the empty value always does.
pub struct NullValues {
    values: Vec<String>,
    longest: usize,
    /// The first two bytes of each value that has as many, and the others but the empty one.
    pairs: Vec<[u8; 2]>,
    singles: Vec<u8>,
    /// The numbers among them, with the place of each.
    numbers: Vec<(f64, usize)>,
}

impl NullValues {
    /// The values that pandas takes for null.
    pub fn pandas() -> Self {
        Self::new(PANDAS.map(String::from).into())
    }

    /// The values that pandas takes for null, and these.
    pub fn pandas_and(values: Vec<String>) -> Self {
        Self::new([PANDAS.map(String::from).into(), values].concat())
    }

    /// The given values and no others, except the empty one.
    pub fn new(mut values: Vec<String>) -> Self {
        values.retain(|value| !value.is_empty());
        values.sort_unstable();
        values.dedup();
        let (mut pairs, mut singles) = (Vec::new(), Vec::new());
        for value in &values {
            match value.as_bytes() {
                [only] => singles.push(*only),
                bytes => pairs.extend(bytes.first_chunk()),
            }
        }
        pairs.dedup();
        values.insert(0, String::new());
        let numbers = values.iter().enumerate().filter_map(|(place, value)| {
            let number = value
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            number.map(|number| (number, place))
        });
        let numbers = numbers.collect();
        let longest = values.iter().map(String::len).max().unwrap_or(0);
        Self {
            values,
            longest,
            pairs,
            singles,
            numbers,
        }
    }

    /// Every value once; the first is the empty one.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The number of bytes of the longest value.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Whether a value other than the empty one may begin like these bytes; says yes too often
    /// rather than too rarely.
    #[inline]
    pub fn may_begin(&self, bytes: &[u8]) -> bool {
        match bytes {
            [first, second, ..] => {
                self.pairs.contains(&[*first, *second]) || self.singles.contains(first)
            }
            _ => true,
        }
    }

    /// Whether there are numbers among the values.
    pub fn has_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Which of the values is this number, however it is written: `-999` is `-999.0`, too.
    pub fn find_number(&self, text: &[u8]) -> Option<usize> {
        if self.numbers.is_empty() {
            return None;
        }
        let is_whole = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
        self.find(text).or_else(|| {
            let number: f64 = str::from_utf8(text).ok()?.parse().ok()?;
            let mut known = self
                .numbers
                .iter()
                .filter(|(known, _)| equal(*known, number));
            // Whole numbers may have more digits than 64 bits of a float tell apart.
            let found = known
                .find(|(_, place)| !(is_whole(text) && is_whole(self.values[*place].as_bytes())));
            found.map(|(_, place)| *place)
        })
    }

    /// Which of the values is this number.
    #[cfg(feature = "tables")]
    pub fn find_float(&self, number: f64) -> Option<usize> {
        let found = self.numbers.iter().find(|(known, _)| equal(*known, number));
        found.map(|(_, place)| *place)
    }

    /// The same, of what has 32 bits.
    #[cfg(feature = "tables")]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "as the number in the file was"
    )]
    pub fn find_single(&self, number: f32) -> Option<usize> {
        let found = self
            .numbers
            .iter()
            .find(|(known, _)| equal(f64::from(*known as f32), f64::from(number)));
        found.map(|(_, place)| *place)
    }

    /// Which of the [values](Self::values) this one is, given without the quotes it may have had.
    pub fn find(&self, value: &[u8]) -> Option<usize> {
        // Asked of every text of a Parquet file: nearly all are told apart by their length.
        if value.len() > self.longest {
            return None;
        }
        self.values.iter().position(|null| null.as_bytes() == value)
    }
}

/// Whether these are the same number, exactly.
fn equal(one: f64, other: f64) -> bool {
    one.partial_cmp(&other) == Some(Ordering::Equal)
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
        let nulls = NullValues::new(vec!["?".into(), "NA".into()]);
        assert!(nulls.may_begin(b"?,") && !nulls.may_begin(b"11") && !nulls.may_begin(b"N,"));
    }

    #[test]
    fn the_empty_value_is_always_null() {
        for values in [vec![], vec![String::new()], vec!["NA".to_owned()]] {
            assert_eq!(NullValues::new(values).find(b""), Some(0));
        }
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        let nulls = NullValues::new(vec!["-999".into(), "0.5".into(), "x".into()]);
        for (number, found) in [
            ("-999", Some("-999")),
            ("-999.0", Some("-999")),
            ("-9.99e2", Some("-999")),
            ("5e-1", Some("0.5")),
            ("999", None),
            ("-999.5", None),
        ] {
            let place = nulls.find_number(number.as_bytes());
            assert_eq!(place.map(|place| nulls.values()[place].as_str()), found);
        }
        // Not told apart by 64 bits of a float.
        let nulls = NullValues::new(vec!["9007199254740993".into()]);
        assert_eq!(nulls.find_number(b"9007199254740992"), None);
        assert_eq!(nulls.find_number(b"9007199254740993"), Some(1));
        assert!(!NullValues::pandas().has_numbers());
    }
}
