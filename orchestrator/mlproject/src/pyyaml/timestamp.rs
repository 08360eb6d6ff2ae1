//! Dates and times in the spellings of YAML 1.1.

use super::Object;

/// A date, or a date with a time, as written: not checked against the calendar.
pub(super) struct Timestamp {
    date: [u32; 3],
    time: Option<Time>,
}

struct Time {
    clock: [u32; 3],
    microsecond: u32,
    /// Minutes east of Greenwich.
    zone: Option<i32>,
}

/// Reads `2020-1-31` and `2020-01-31T12:30:45.5 +01:00` in their spellings.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    // The end of PyYAML's pattern is also before a last newline.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (year, rest) = number(text, 4, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 1, 2)?;
    let date = [year, month, day];
    if rest.is_empty() {
        return Some(Timestamp { date, time: None });
    }
    let clock = rest
        .strip_prefix(['T', 't'])
        .unwrap_or_else(|| rest.trim_start_matches([' ', '\t']));
    if clock.len() == rest.len() {
        return None;
    }
    let (hour, rest) = number(clock, 1, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2, 2)?;
    let (second, rest) = number(rest.strip_prefix(':')?, 2, 2)?;
    let (microsecond, rest) = rest.strip_prefix('.').map_or((0, rest), fraction);
    let clock = [hour, minute, second];
    let zone = if rest.is_empty() {
        None
    } else {
        Some(zone(rest)?)
    };
    Some(Timestamp {
        date,
        time: Some(Time {
            clock,
            microsecond,
            zone,
        }),
    })
}

/// A number of `least` to `most` digits at the start of the text, and the rest.
fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let digits = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if digits < least {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

/// The fraction of a second in microseconds; further digits are cut off.
fn fraction(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at(
        text.find(|digit: char| !digit.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let microseconds = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
    (
        microseconds.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')),
        rest,
    )
}

fn zone(text: &str) -> Option<i32> {
    let text = text.trim_start_matches([' ', '\t']);
    if text == "Z" {
        return Some(0);
    }
    let (hours, rest) = number(text.strip_prefix(['+', '-'])?, 1, 2)?;
    let (minutes, rest) = rest
        .strip_prefix(':')
        .map_or(Some((0, rest)), |rest| number(rest, 2, 2))?;
    let offset = i32::try_from(hours * 60 + minutes).ok()?;
    rest.is_empty().then_some(if text.starts_with('-') {
        -offset
    } else {
        offset
    })
}

impl Timestamp {
    /// Whether a plain scalar of this text is one; without a time only `2020-01-31` is.
    pub(super) fn is_plain(&self, text: &str) -> bool {
        self.time.is_some() || text.len() == "2020-01-31".len()
    }

    /// Python's object; none where there is no such day or time.
    pub(super) fn value(&self) -> Option<Object> {
        let [year, month, day] = self.date;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            1..=12 => 31,
            _ => 0,
        };
        if year == 0 || day == 0 || day > days {
            return None;
        }
        let date = format!("{year:04}-{month:02}-{day:02}");
        match &self.time {
            None => Some(Object::Date(date)),
            Some(time) => Some(Object::DateTime(format!("{date} {}", time.text()?))),
        }
    }
}

impl Time {
    fn text(&self) -> Option<String> {
        const DAY: u32 = 24 * 60;
        let [hour, minute, second] = self.clock;
        let offset = self.zone.map_or(0, i32::unsigned_abs);
        if hour > 23 || minute > 59 || second > 59 || offset >= DAY {
            return None;
        }
        let fraction = if self.microsecond > 0 {
            format!(".{:06}", self.microsecond)
        } else {
            String::new()
        };
        let sign = if self.zone.is_some_and(i32::is_negative) {
            '-'
        } else {
            '+'
        };
        let zone = self.zone.map_or_else(String::new, |_| {
            format!("{sign}{:02}:{:02}", offset / 60, offset % 60)
        });
        Some(format!("{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
    }
}
