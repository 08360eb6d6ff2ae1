//! Deletes the rows of a table that hold a null.
//!
//! `clean` tells the whole way from file to file; start reading there. A library only for its own
//! program, tests and fuzz targets.

pub mod clean;
pub mod cli;
pub mod console;
pub mod csv;
pub mod failure;
pub mod files;
pub mod findings;
pub mod ndjson;
pub mod null_values;
pub mod pump;
pub mod rules;
#[cfg(feature = "tables")]
pub mod table;
pub mod tell;
