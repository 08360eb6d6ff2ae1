use crate::harness::clean;

/// All that pandas 3.1 takes for null, as `pandas._libs.parsers.STR_NA_VALUES` has it.
const PANDAS: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

#[test]
fn pandas_nulls_are_dropped_quoted_or_not() {
    for null in PANDAS {
        for field in [null.to_owned(), format!("\"{null}\"")] {
            let (cleaned, summary) = clean(format!("a,b\n1,{field}\n2,x\n"), &[]);
            assert_eq!(cleaned, "a,b\n2,x\n", "{field}");
            assert_eq!(
                summary,
                "data_cleaning: 2 rows read, 1 dropped, 1 kept -> clean_data.csv\n  nulls: b 1\n"
            );
        }
    }
}

#[test]
fn what_only_resembles_a_null_is_kept() {
    let raw = "a\n NA\nna\nNull\nnone\nNAN\n-\n?\nN/A.\n0\n#n/a\n";
    assert_eq!(clean(raw, &[]).0, raw);
}

#[test]
fn nulls_are_counted_for_each_column() {
    let (cleaned, summary) = clean("a,b,c\n,,1\nNA,2,3\n4,5,6\n\"\",7,8\n", &[]);
    assert_eq!(cleaned, "a,b,c\n4,5,6\n");
    assert_eq!(
        summary,
        "data_cleaning: 4 rows read, 3 dropped, 1 kept -> clean_data.csv\n  nulls: a 3, b 1\n"
    );
}

#[test]
fn every_row_may_go() {
    let (cleaned, summary) = clean("a,b\n1,\n,2\n", &[]);
    assert_eq!(cleaned, "a,b\n");
    assert_eq!(
        summary,
        "data_cleaning: 2 rows read, 2 dropped, 0 kept -> clean_data.csv\n  nulls: a 1, b 1\n"
    );
}

#[test]
fn blank_lines_are_no_rows() {
    let summary = "data_cleaning: 3 rows read, 1 dropped, 2 kept -> clean_data.csv\n  nulls: b 1\n";
    for (raw, cleaned) in [
        ("\n\na,b\n\n1,2\n\n\n3,\n5,6\n\n", "a,b\n1,2\n5,6\n"),
        (
            "\r\na,b\r\n\r\n1,2\r\n\r\n3,\r\n5,6\r\n\r\n",
            "a,b\r\n1,2\r\n5,6\r\n",
        ),
        ("\u{feff}\na,b\n1,2\n3,\n\n5,6\n", "\u{feff}a,b\n1,2\n5,6\n"),
    ] {
        assert_eq!(
            clean(raw, &[]),
            (cleaned.to_owned(), summary.to_owned()),
            "{raw:?}"
        );
    }
}

#[test]
fn one_column_tells_blank_lines_from_empty_quotes() {
    let (cleaned, summary) = clean("a\n1\n\n\"\"\n\nNA\n2\n", &[]);
    assert_eq!(cleaned, "a\n1\n2\n");
    assert_eq!(
        summary,
        "data_cleaning: 4 rows read, 2 dropped, 2 kept -> clean_data.csv\n  nulls: a 2\n"
    );
}

#[test]
fn own_null_values_replace_the_list() {
    let raw = "a,b\n1,NA\n2,-999\n3,?\n4,\n5,\"\"\n6,\"?\"\n";
    for option in ["--null_values", "--null-values"] {
        let (cleaned, summary) = clean(raw, &[option, "-999,?"]);
        assert_eq!(cleaned, "a,b\n1,NA\n");
        assert_eq!(
            summary,
            "data_cleaning: 6 rows read, 5 dropped, 1 kept -> clean_data.csv\n  nulls: b 5\n"
        );
    }
}

#[test]
fn own_null_values_are_compared_without_quotes() {
    let raw = "a\n\"say \"\"no\"\"\"\nyes\n";
    assert_eq!(clean(raw, &["--null_values", "say \"no\""]).0, "a\nyes\n");
}

#[test]
fn no_null_values_leave_the_empty_field() {
    assert_eq!(
        clean("a,b\n1,NA\n2,\n", &["--null_values", ""]).0,
        "a,b\n1,NA\n"
    );
}

#[test]
fn names_in_the_summary_stay_on_the_line() {
    let (_, summary) = clean("\"x\ny\",,\"p, q\"\n,,\n", &[]);
    assert_eq!(
        summary,
        "data_cleaning: 1 row read, 1 dropped, 0 kept -> clean_data.csv\n  \
         nulls: x\\ny 1, (column 2) 1, p, q 1\n  hint: no row stays, as 3 columns are null in every \
         row; name in `--columns` only those that may decide\n"
    );
}
