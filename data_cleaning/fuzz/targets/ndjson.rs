#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| data_cleaning_fuzz::compare_json(line));
