//! What fits a terminal: text by the width in which it is shown, numbers, times of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use process::styled::width;
use tz::TimeZone;

/// A text filled up to a width with blanks.
pub(crate) fn filled(text: &str, limit: usize) -> String {
    let blanks = limit.saturating_sub(width(text));
    format!("{text}{:blanks$}", "")
}

/// A number with four digits that count, or all those before the point.
pub(crate) fn number(value: f64) -> String {
    const DIGITS: i32 = 4;
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -324 and 308")]
    let size = value.abs().log10().floor() as i32;
    if !(-4..15).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = usize::try_from(DIGITS - 1 - size).unwrap_or(0);
    let shown = format!("{value:.decimals$}");
    if !shown.contains('.') {
        return shown;
    }
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The time of day where the user is.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    /// Now, by this clock.
    now: String,
}

impl Clock {
    /// By the variable `TZ` if it is set, else by the system's time zone; UTC where that is not known.
    pub(crate) fn local() -> Clock {
        let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
        let zone = match named {
            Some(name) => TimeZone::from_posix_tz(&name),
            None => TimeZone::local(),
        };
        Clock::new(zone.unwrap_or_else(|_| TimeZone::utc()), SystemTime::now())
    }

    fn new(zone: TimeZone, now: SystemTime) -> Clock {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut clock = Clock {
            zone,
            now: String::new(),
        };
        clock.now = clock.time(u64::try_from(now.as_millis()).unwrap_or_default());
        clock
    }

    /// A point in time, in milliseconds since 1970: `2026-08-25 10:24:03`.
    pub(crate) fn time(&self, milliseconds: u64) -> String {
        /// The beginning of the year 9999: a store may say anything.
        const LAST: u64 = 253_370_764_800;
        let seconds = (milliseconds / 1000).min(LAST);
        let offset = i64::try_from(seconds).ok();
        let offset = offset.and_then(|seconds| self.zone.find_local_time_type(seconds).ok());
        let offset = offset.map_or(0, |found| i64::from(found.ut_offset()));
        let local = UNIX_EPOCH + Duration::from_secs(seconds.saturating_add_signed(offset));
        let shown = humantime::format_rfc3339_seconds(local).to_string();
        shown.trim_end_matches('Z').replace('T', " ")
    }

    /// The same as short as it is clear today: `10:24`, `08-25 10:24`, `2026-08-25`.
    pub(crate) fn short(&self, milliseconds: u64) -> String {
        let time = self.time(milliseconds);
        match time.split_at_checked("2026-08-25 ".len()) {
            Some((day, rest)) if self.now.starts_with(day) => rest[..5].to_owned(),
            Some((day, rest)) if self.now.starts_with(&day[..5]) => {
                format!("{}{}", &day[5..], &rest[..5])
            }
            _ => time[..10].to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_up() {
        assert_eq!(filled("日", 4), "日  ");
        assert_eq!(filled("abc", 2), "abc");
    }

    #[test]
    fn a_number_has_the_digits_that_count() {
        for (value, expected) in [
            (2.016_432, "2.016"),
            (2.0, "2"),
            (891.0, "891"),
            (1_234_567.0, "1234567"),
            (-0.25, "-0.25"),
            (0.000_123_456, "0.0001235"),
            (0.000_012_345, "1.234e-5"),
            (9.999_96, "10"),
            (1e300, "1.000e300"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn times_are_those_of_the_users_clock() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        // A Friday in winter, 9:00 there.
        let zone = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let clock = Clock::new(zone, at(1_800_000_000));
        assert_eq!(clock.time(1_800_000_000_000), "2027-01-15 09:00:00");
        assert_eq!(clock.short(1_800_000_000_000), "09:00");
        assert_eq!(clock.short(1_799_900_000_000), "01-14 05:13");
        // In summer time.
        assert_eq!(clock.time(1_784_000_000_000), "2026-07-14 05:33:20");
        assert_eq!(clock.short(1_784_000_000_000), "2026-07-14");
        assert_eq!(clock.short(u64::MAX), "9999-01-01");
        assert_eq!(clock.short(0), "1970-01-01");
    }
}
