//! The modules of the step's `table` that need no files.

#[path = "../src/table/columns.rs"]
pub(crate) mod columns;
#[path = "../src/table/panics.rs"]
pub(crate) mod panics;
#[path = "../src/table/records.rs"]
pub(crate) mod records;
#[path = "../src/table/types.rs"]
pub(crate) mod types;
