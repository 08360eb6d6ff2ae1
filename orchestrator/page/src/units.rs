//! Times, counts and numbers as people read them.

use std::time::{Duration, SystemTime};

/// A point in time in UTC, with its offset, as an element.
pub(crate) fn moment(time: SystemTime) -> String {
    let machine = humantime::format_rfc3339_seconds(time).to_string();
    let human = machine.replace('T', " ").replace('Z', " +00:00");
    format!("<time datetime={machine}>{human}</time>")
}

/// `12 ms`, `1.2 s`, from a minute on whole seconds as `2h 3m 20s`.
pub(crate) fn seconds(time: Duration) -> String {
    if time < Duration::from_millis(100) {
        return format!("{} ms", time.as_millis());
    }
    if time < Duration::from_mins(1) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// A count with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 step`, `1,200 steps`.
pub(crate) fn plural(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number as u64))
}

/// A number: whole ones with commas between thousands, others with six digits.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return value.to_string();
    }
    if value.fract() == 0.0 && size < 1e15 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and small enough"
        )]
        let digits = count(size as u64);
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{digits}");
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.4e}");
    }
    // Six digits in all.
    let after = (0..=9).find(|after| size * 10_f64.powi(*after) >= 1e5);
    let after = usize::try_from(after.unwrap_or(9)).unwrap_or(0);
    let text = format!("{value:.after$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The size of a file.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            // In tenths.
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", count(tenths / 10), tenths % 10)
        }
        None => plural(usize::try_from(bytes).unwrap_or(usize::MAX), "byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_times_have_units() {
        let numbers = [
            891.0,
            -1_234_567.0,
            0.0,
            0.798_743_2,
            12.345_678,
            1234.5678,
            123_456.78,
            0.05,
            1e-9,
            1e300,
            f64::NAN,
        ];
        let texts = [
            "891",
            "-1,234,567",
            "0",
            "0.798743",
            "12.3457",
            "1234.57",
            "123457",
            "0.05",
            "1.0000e-9",
            "1.0000e300",
            "NaN",
        ];
        assert_eq!(numbers.map(number), texts);
        assert_eq!(
            [0, 1, 999, 60_302, 1_500_000, 2_000_000_000_000].map(size),
            [
                "0 bytes",
                "1 byte",
                "999 bytes",
                "60.3 kB",
                "1.5 MB",
                "2,000.0 GB"
            ]
        );
        assert_eq!(
            [3, 99, 100, 59_900, 60_000, 7_400_000]
                .map(|time| seconds(Duration::from_millis(time))),
            ["3 ms", "99 ms", "0.1 s", "59.9 s", "1m", "2h 3m 20s"]
        );
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        assert_eq!(
            moment(time),
            "<time datetime=2027-01-15T08:00:00Z>2027-01-15 08:00:00 +00:00</time>"
        );
    }
}
