//! When to try again.
//!
//! Pure, but for the dice.

use std::time::{Duration, SystemTime};

/// No wait of ours is longer.
const LONGEST: Duration = Duration::from_mins(1);

/// A server that asks for a longer pause is not waited for.
pub const MOST_PATIENCE: Duration = Duration::from_mins(10);

/// The attempts so far.
pub struct Attempts {
    pub made: u32,
    in_vain: u32,
    retries: u32,
    delay: Duration,
    furthest: u64,
}

impl Attempts {
    pub fn new(retries: u32, delay: Duration) -> Attempts {
        Attempts {
            made: 0,
            in_vain: 0,
            retries,
            delay,
            furthest: 0,
        }
    }

    /// Counts an attempt that failed when the file had `length` bytes, and returns how long to
    /// wait before the next one, or none when there is to be no next one.
    ///
    /// Bytes start the count anew. They have to lie beyond all that came before, else a server
    /// that always breaks at the same place would be asked for ever.
    pub fn failed(&mut self, length: u64, asked: Option<Duration>) -> Option<Duration> {
        self.made += 1;
        if length > self.furthest {
            self.furthest = length;
            self.in_vain = 0;
        }
        self.in_vain += 1;
        if self.in_vain > self.retries || asked.is_some_and(|asked| asked > MOST_PATIENCE) {
            return None;
        }
        let doubled = self.delay.saturating_mul(1 << (self.in_vain - 1).min(16));
        // Spread out, so that many clients of a server that broke do not come back all at once.
        let wait = doubled.min(LONGEST).mul_f64(0.5 + fastrand::f64() / 2.0);
        Some(wait.max(asked.unwrap_or_default()))
    }
}

/// How long a `Retry-After` asks to wait, which is a number of seconds or a date.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_gives_up() {
        let mut attempts = Attempts::new(3, Duration::from_secs(1));
        for seconds in [1, 2, 4] {
            let wait = attempts.failed(0, None).unwrap();
            let full = Duration::from_secs(seconds);
            assert!(wait >= full / 2 && wait <= full, "{wait:?}");
        }
        assert_eq!(attempts.failed(0, None), None);
        assert_eq!(attempts.made, 4);
    }

    #[test]
    fn never_waits_too_long() {
        let mut attempts = Attempts::new(u32::MAX, Duration::from_secs(50));
        for _ in 0..100 {
            assert!(attempts.failed(0, None).unwrap() <= LONGEST);
        }
    }

    #[test]
    fn only_new_bytes_start_the_count_anew() {
        let mut attempts = Attempts::new(1, Duration::ZERO);
        assert!(attempts.failed(10, None).is_some());
        assert!(attempts.failed(11, None).is_some());
        assert!(attempts.failed(11, None).is_none());
    }

    #[test]
    fn obeys_the_server() {
        let seconds = Duration::from_secs;
        let mut attempts = Attempts::new(9, Duration::ZERO);
        assert_eq!(attempts.failed(0, Some(seconds(7))), Some(seconds(7)));
        assert_eq!(attempts.failed(0, Some(seconds(601))), None);

        let now = httpdate::parse_http_date("Mon, 02 Nov 2026 10:00:00 GMT").unwrap();
        let cases = [
            ("5", Some(5)),
            ("Mon, 02 Nov 2026 10:00:30 GMT", Some(30)),
            ("Mon, 02 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
        ];
        for (value, expected) in cases {
            assert_eq!(retry_after(value, now), expected.map(seconds), "{value}");
        }
    }
}
