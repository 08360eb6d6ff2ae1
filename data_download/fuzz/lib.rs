//! A fuzz target for what strangers write and the program reads: what has to hold of it is told in
//! `tests/strangers.rs`.
//!
//! To fuzz for a minute, with new inputs in the folder `found`:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir data_download/fuzz strangers found data_download/fuzz/corpus/strangers -- -max_total_time=60
//! ```

#[path = "../tests/strangers.rs"]
pub mod strangers;
