#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| data_cleaning_fuzz::compare(text));
