//! A binary that was built without the other formats.

use crate::harness::Folder;

#[test]
fn other_formats_are_refused_with_the_command_that_builds_them() {
    let refused = |doing: &str, path: &str, format: &str| {
        format!(
            "cannot {doing} `{path}`: this data_cleaning was built for CSV alone and knows no \
             {format}; in the folder of its sources, `cargo build --release` builds it with all \
             formats"
        )
    };
    let folder = Folder::with("a\n1\n");
    for (name, format) in [
        ("x.parquet", "Parquet"),
        ("x.arrow", "Arrow"),
        ("x.feather", "Arrow"),
        ("x.ndjson", "NDJSON"),
        ("x.jsonl", "NDJSON"),
    ] {
        // Whether the file is there or not, and whatever is in it.
        let from = folder.run(&["--input", name]);
        from.assert_failure(&refused("read", name, format));
        let to = folder.run(&["--output", name, "--infer_types"]);
        to.assert_failure(&refused("write", name, format));
    }
    let named = folder.run(&["--output_format", "parquet"]);
    named.assert_failure(&refused("write", "clean_data.csv", "Parquet"));
    assert_eq!(folder.names(), ["raw_data.csv"]);
}
