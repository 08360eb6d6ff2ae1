//! The numbers that OmegaConf reads and PyYAML takes for texts: those with an exponent and no point.

/// The number that a plain text is, if it is `1e-3` or of that kind.
pub(super) fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = unsigned.split_once(['e', 'E'])?;
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let is_number = |digits: &str, allowed: &str| {
        digits.starts_with(|first: char| first.is_ascii_digit())
            && digits
                .chars()
                .all(|it| it.is_ascii_digit() || allowed.contains(it))
            && digits.matches('.').count() < 2
    };
    if !is_number(digits, "_.") || !is_number(exponent, "") {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn an_exponent_makes_a_number() {
        for (text, expected) in [
            ("1e-3", Some(1e-3)),
            ("-2E5", Some(-2e5)),
            ("1_0.5e+1", Some(105.0)),
            ("1e", None),
            ("e3", None),
            ("1e3x", None),
            ("1.2.3e4", None),
            ("12", None),
            ("_1e3", None),
        ] {
            assert_eq!(float(text), expected, "{text}");
        }
    }
}
