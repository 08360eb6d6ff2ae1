//! Integers and floats in the spellings of YAML 1.1.

use super::{MAX_DIGITS, Object};

/// Whether a plain scalar is an integer, by PyYAML's pattern.
pub(super) fn is_plain_integer(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0b") {
        return is_made_of(digits, |byte| matches!(byte, b'0' | b'1'));
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return is_made_of(digits, |byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = unsigned.strip_prefix('0') {
        return digits.is_empty() || is_made_of(digits, |byte| matches!(byte, b'0'..=b'7'));
    }
    is_decimal_or_sexagesimal(unsigned)
}

/// Whether a plain scalar is a float, by PyYAML's pattern: an exponent needs a dot and a sign.
pub(super) fn is_plain_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = unsigned.split_once('.') else {
        return false;
    };
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let exponent_fits = exponent.is_none_or(|text| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if whole.is_empty() {
        return text.starts_with('.')
            && exponent_fits
            && starts_with_digit(fraction)
            && is_decimal(fraction);
    }
    let fraction_fits = fraction.is_empty() || is_decimal(fraction);
    let whole_fits = is_decimal(whole) || exponent.is_none() && is_decimal_or_sexagesimal(whole);
    starts_with_digit(whole) && whole_fits && fraction_fits && exponent_fits
}

fn is_made_of(text: &str, is_digit: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'_' || is_digit(byte))
}

fn is_decimal(text: &str) -> bool {
    is_made_of(text, |byte| byte.is_ascii_digit())
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// `90` and, in base 60, `1:30`.
fn is_decimal_or_sexagesimal(text: &str) -> bool {
    let mut parts = text.split(':');
    let head = parts.next().unwrap_or_default();
    starts_with_digit(head)
        && is_decimal(head)
        && parts.all(|part| match part.as_bytes() {
            [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        })
}

/// Splits a number as PyYAML does before it converts it: underscores away, sign apart.
fn unsigned(text: &str) -> (bool, String) {
    let digits = text.replace('_', "");
    match digits.strip_prefix(['+', '-']) {
        Some(rest) => (digits.starts_with('-'), rest.to_owned()),
        None => (false, digits),
    }
}

/// Reads an integer; also some that the pattern does not know, for a tag can ask for it.
pub(super) fn integer(text: &str) -> Option<Object> {
    let (negative, digits) = unsigned(text);
    let mut number = Natural::default();
    let digits = digits.trim();
    if let Some(digits) = digits.strip_prefix("0b") {
        number.extend(digits, 2)?;
    } else if let Some(digits) = digits.strip_prefix("0x") {
        number.extend(digits, 16)?;
    } else if let Some(octal) = digits.strip_prefix('0') {
        number.extend(
            if octal.is_empty() {
                "0"
            } else {
                octal.strip_prefix('o').unwrap_or(octal)
            },
            8,
        )?;
    } else {
        let mut parts = digits.split(':');
        number.extend(parts.next()?, 10)?;
        for part in parts {
            number.push(60, part.parse().ok()?)?;
        }
    }
    let digits = number.to_string();
    if digits.len() > MAX_DIGITS {
        return None;
    }
    let is_negative = negative && digits != "0";
    Some(Object::Int(if is_negative {
        format!("-{digits}")
    } else {
        digits
    }))
}

/// A natural number of any length, in limbs of nine decimal digits, the lowest first.
#[derive(Default)]
struct Natural(Vec<u32>);

impl Natural {
    const LIMB: u64 = 1_000_000_000;
    const LIMB_DIGITS: usize = 9;

    /// Appends digits, some at once: as many as surely fit.
    fn extend(&mut self, digits: &str, radix: u32) -> Option<()> {
        const AT_ONCE: usize = 7;
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
            return None;
        }
        digits.as_bytes().chunks(AT_ONCE).try_for_each(|chunk| {
            let digits = std::str::from_utf8(chunk).ok()?;
            let length = u32::try_from(chunk.len()).ok()?;
            self.push(radix.pow(length), u32::from_str_radix(digits, radix).ok()?)
        })
    }

    /// Multiplies by `radix` and adds `digit`; none when the number is far longer than Python prints.
    fn push(&mut self, radix: u32, digit: u32) -> Option<()> {
        let mut carry = u64::from(digit);
        for limb in &mut self.0 {
            let sum = u64::from(*limb) * u64::from(radix) + carry;
            *limb = u32::try_from(sum % Self::LIMB).ok()?;
            carry = sum / Self::LIMB;
        }
        while carry > 0 {
            self.0.push(u32::try_from(carry % Self::LIMB).ok()?);
            carry /= Self::LIMB;
        }
        (self.0.len() <= MAX_DIGITS / Self::LIMB_DIGITS + 1).then_some(())
    }
}

impl std::fmt::Display for Natural {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut limbs = self.0.iter().rev();
        write!(f, "{}", limbs.next().unwrap_or(&0))?;
        limbs.try_for_each(|limb| write!(f, "{limb:09}"))
    }
}

/// Whether it is a number with an exponent as OmegaConf reads it: no point is needed, and no sign.
pub(super) fn has_exponent(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((digits, exponent)) = unsigned.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    starts_with_digit(whole)
        && is_decimal(whole)
        && (fraction.is_empty() || is_decimal(fraction))
        && !exponent.is_empty()
        && exponent.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a float; also some that the pattern does not know, for a tag can ask for it.
pub(super) fn float(text: &str) -> Option<Object> {
    let (negative, digits) = unsigned(&text.to_lowercase());
    let number = match digits.as_str() {
        ".inf" => f64::INFINITY,
        // PyYAML's sign does not reach this one.
        ".nan" => return Some(Object::Float(f64::NAN)),
        _ => {
            let mut sum = 0.0;
            let mut base = 1.0;
            for part in digits.rsplit(':') {
                sum += part.trim().parse::<f64>().ok()? * base;
                base *= 60.0;
            }
            sum
        }
    };
    Some(Object::Float(if negative { -number } else { number }))
}
