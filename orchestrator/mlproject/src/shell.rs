//! Words for the shell, as Python's `shlex` writes them.

/// Quotes a word for the shell, to the byte as Python's `shlex.quote`.
pub fn quote(word: &str) -> String {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r#"'"'"'"#))
}

/// Where a command ends so that no program gets what is appended to it, as far as a look at its quotes
/// can tell: in a comment, or at the end of a here-document.
pub fn dead_end(command: &str) -> Option<&'static str> {
    let (mut quote, mut before, mut is_comment) = (None, ' ', false);
    let mut characters = command.trim_end().chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\n', _) if is_comment => is_comment = false,
            _ if is_comment => {}
            ('\\', None | Some('"')) => {
                characters.next();
            }
            ('\'' | '"', None) => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            ('#', None) if before.is_whitespace() || ";&|(".contains(before) => is_comment = true,
            _ => {}
        }
        before = character;
    }
    if is_comment {
        return Some("a comment");
    }
    let last = command.trim_end().lines().last()?.trim_start_matches('\t');
    let mut begun = command.split("<<").skip(1);
    let is_last = |text: &str| {
        let word = text.trim_start_matches(['-', ' ']);
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        !last.is_empty() && word[..end].replace(['\'', '"', '\\'], "") == last
    };
    begun.any(is_last).then_some("a here-document")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_read_nothing_at_their_end() {
        for (command, end) in [
            ("echo a # more", Some("a comment")),
            ("echo a\n# more\n", Some("a comment")),
            ("cat <<E\na\nE\n", Some("a here-document")),
            ("cat <<-'E'\n\ta\n\tE", Some("a here-document")),
            ("echo a#b", None),
            ("echo '# a'", None),
            ("echo \"it's # a\"", None),
            ("# first\necho a", None),
            ("echo \\# a", None),
            ("cat <<E\na\nE\necho b", None),
            ("cat <<<E", None),
            ("", None),
        ] {
            assert_eq!(dead_end(command), end, "{command}");
        }
    }
}
