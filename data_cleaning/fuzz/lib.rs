//! A fuzz target for CSV: the byte route, in pieces of several sizes, against polars, the parser of
//! the `csv` crate and the tables that are made of its records.
//!
//! The step is no library, so its modules are compiled in here. To fuzz for a minute, with new
//! inputs in the folder `found`:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir data_cleaning/fuzz csv found data_cleaning/fuzz/corpus/csv -- -max_total_time=60
//! ```

#![expect(dead_code, reason = "the modules are those of a larger program")]

#[path = "../src/counts.rs"]
mod counts;
#[path = "../src/csv/mod.rs"]
mod csv;
#[path = "../src/differential.rs"]
mod differential;
#[path = "../src/null_values.rs"]
mod null_values;
#[path = "../src/rules.rs"]
mod rules;

mod table;

/// Checks that all who read the text find the same, unless it is refused.
pub fn compare(text: &[u8]) {
    differential::check(text).ok();
}
