//! Which texts Python's `int()` and `float()` take.

/// Whether Python's `int()` takes the text: a sign, digits, single underscores between them.
pub fn is_int(text: &str) -> bool {
    let text = text.trim();
    is_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}

/// Whether Python's `float()` takes the text.
pub fn is_float(text: &str) -> bool {
    let text = text.trim();
    let number = text
        .strip_prefix(['+', '-'])
        .unwrap_or(text)
        .to_ascii_lowercase();
    if ["inf", "infinity", "nan"].contains(&number.as_str()) {
        return true;
    }
    let (mantissa, exponent) = number
        .split_once('e')
        .map_or((number.as_str(), None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.is_empty() || is_digits(part);
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    has_digits && digits(whole) && digits(fraction) && exponent.is_none_or(is_int)
}

fn is_digits(text: &str) -> bool {
    text.split('_')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_python() {
        for text in ["1", "-1", "+1", " 1 ", "1_000", "007"] {
            assert!(is_int(text) && is_float(text), "{text}");
        }
        for text in [
            "1.5",
            ".5",
            "5.",
            "1e-3",
            "1_0.0_1E+5",
            "inf",
            "-Infinity",
            "NaN",
        ] {
            assert!(!is_int(text) && is_float(text), "{text}");
        }
        for text in [
            "", "a", "0x10", "1__0", "_1", "1_", ".", "e5", "1e", "1e5.0", "--1", "1 000",
        ] {
            assert!(!is_int(text) && !is_float(text), "{text}");
        }
    }
}
