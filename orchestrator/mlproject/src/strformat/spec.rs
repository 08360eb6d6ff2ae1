//! The format spec of a placeholder: what stands behind its colon.

/// The longest format spec: what stands behind the colon of a placeholder, nested fields filled in.
const MAX_SPEC: usize = 256;

/// Python's format mini-language as far as it applies to strings.
pub(super) struct Format {
    fill: char,
    align: char,
    width: usize,
    precision: Option<usize>,
}

impl Format {
    /// Reads `[[fill]align][0][width][.precision][s]`; signs, `=`, `#` and `,` are for numbers only.
    pub(super) fn parse(spec: &str) -> Option<Self> {
        if spec.len() > MAX_SPEC {
            return None;
        }
        let is_align = |character: &char| "<>^".contains(*character);
        let mut characters = spec.chars();
        let (first, second) = (characters.next(), characters.next());
        let (fill, align, mut rest) = match (first, second.filter(is_align), first.filter(is_align))
        {
            (Some(fill), Some(align), _) => (Some(fill), align, characters.as_str()),
            (_, None, Some(align)) => (None, align, &spec[1..]),
            _ => (None, '<', spec),
        };
        let mut zero = false;
        if fill.is_none() {
            (zero, rest) = rest
                .strip_prefix('0')
                .map_or((false, rest), |after| (true, after));
        }
        let (width, rest) = take_digits(rest);
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(after) => {
                let (digits, rest) = take_digits(after);
                (Some(decimal(digits)?), rest)
            }
            None => (None, rest),
        };
        let width = if width.is_empty() { 0 } else { decimal(width)? };
        let fill = fill.unwrap_or(if zero { '0' } else { ' ' });
        matches!(rest, "" | "s").then_some(Self {
            fill,
            align,
            width,
            precision,
        })
    }

    /// The most bytes that it adds to a value.
    pub(super) fn longest_padding(&self) -> usize {
        self.width.saturating_mul(self.fill.len_utf8())
    }

    pub(super) fn apply(&self, value: &str) -> String {
        let end = self
            .precision
            .and_then(|length| value.char_indices().nth(length));
        let value = end.map_or(value, |(end, _)| &value[..end]);
        let padding = self.width.saturating_sub(value.chars().count());
        let left = match self.align {
            '>' => padding,
            '^' => padding / 2,
            _ => 0,
        };
        let fill = |count| self.fill.to_string().repeat(count);
        format!("{}{value}{}", fill(left), fill(padding - left))
    }
}

fn take_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// A number of Python's format grammar: digits only, and no more than a 64-bit system counts.
pub(super) fn decimal(digits: &str) -> Option<usize> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|&number| is_number && number <= isize::MAX.unsigned_abs())
}
