#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| data_download_fuzz::strangers::check(text));
