//! The logins of a netrc file, in the form that ftp(1) and curl read.
//!
//! Pure.

use std::collections::HashMap;

/// User and password.
pub type Login = (String, String);

/// The logins of a netrc file.
#[derive(Debug, Default, PartialEq)]
pub struct Netrc {
    hosts: HashMap<String, Login>,
    /// For all other hosts.
    fallback: Option<Login>,
}

impl Netrc {
    /// Reads the text of a file; none if it is not of that form. The first entry of a host counts.
    pub fn parse(text: &str) -> Option<Netrc> {
        let mut netrc = Netrc::default();
        let mut words = Words(text);
        let mut word = words.keyword();
        while let Some(keyword) = word {
            let host = match keyword.as_str() {
                // As that of a URL is.
                "machine" => Some(words.next()?.to_ascii_lowercase()),
                "default" => None,
                "macdef" => {
                    words.skip_macro();
                    word = words.keyword();
                    continue;
                }
                _ => return None,
            };
            let login;
            (login, word) = words.login()?;
            match host {
                Some(host) => drop(netrc.hosts.entry(host).or_insert(login)),
                None => drop(netrc.fallback.get_or_insert(login)),
            }
        }
        Some(netrc)
    }

    /// The login for a host that has an entry of its own.
    pub fn of(&self, host: &str) -> Option<&Login> {
        self.hosts.get(host)
    }

    /// All passwords.
    pub fn passwords(&self) -> impl Iterator<Item = String> {
        let logins = self.hosts.values().chain(&self.fallback);
        logins.map(|(_, password)| password.clone())
    }

    /// The login for all other hosts.
    pub fn fallback(&self) -> Option<&Login> {
        self.fallback.as_ref()
    }
}

/// What is still to be read.
struct Words<'a>(&'a str);

impl Words<'_> {
    /// The next word. In quotes it may hold blanks; after a backslash any character stands for
    /// itself.
    fn next(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let mut chars = text.chars();
        let mut word = String::new();
        let is_quoted = text.starts_with('"');
        if is_quoted {
            chars.next();
        }
        loop {
            let before = chars.as_str();
            match chars.next() {
                None if before.len() == text.len() => return None,
                None => break,
                Some('"') if is_quoted => break,
                Some(c) if c.is_whitespace() && !is_quoted => {
                    // It tells where the line ends.
                    chars = before.chars();
                    break;
                }
                Some('\\') => word.extend(chars.next()),
                Some(c) => word.push(c),
            }
        }
        self.0 = chars.as_str();
        Some(word)
    }

    /// The next word that is not in a comment.
    fn keyword(&mut self) -> Option<String> {
        loop {
            if !self.0.trim_start().starts_with('#') {
                return self.next();
            }
            self.0 = self.0.trim_start();
            self.skip_line();
        }
    }

    /// The rest of an entry, and the word that begins the next one.
    fn login(&mut self) -> Option<(Login, Option<String>)> {
        let (mut user, mut password) = Login::default();
        loop {
            let word = self.keyword();
            match word.as_deref() {
                Some("login" | "user") => user = self.next()?,
                Some("password") => password = self.next()?,
                Some("account") => drop(self.next()?),
                _ => return Some(((user, password), word)),
            }
        }
    }

    /// Passes over a macro, which ends with an empty line.
    fn skip_macro(&mut self) {
        self.skip_line();
        while self
            .0
            .lines()
            .next()
            .is_some_and(|line| !line.trim().is_empty())
        {
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        self.0 = self.0.split_once('\n').map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, host: &str) -> Option<(String, String)> {
        Netrc::parse(text).unwrap().of(host).cloned()
    }

    #[test]
    fn reads_entries_in_every_form() {
        let cases = [
            ("machine h login u password p", "u", "p"),
            ("machine h\n\tlogin u\n\tpassword p\n", "u", "p"),
            ("machine h\r\nlogin u\r\npassword p\r\n", "u", "p"),
            ("machine h user u account a password p", "u", "p"),
            ("machine h password p login u", "u", "p"),
            ("machine h login \"u v\" password \"p\\\"q\"", "u v", "p\"q"),
            ("machine h login u\\ v password p\\\\", "u v", "p\\"),
            ("machine h login u password p#1 # no more", "u", "p#1"),
            ("machine h login u password #1", "u", "#1"),
            (
                "# machine h login x\nmachine h # y\nlogin u password p",
                "u",
                "p",
            ),
            ("#\nmachine h login u password p", "u", "p"),
            ("machine H login u password p", "u", "p"),
            ("machine h password p", "", "p"),
            ("machine h login u", "u", ""),
            ("machine h login \"\" password p", "", "p"),
            ("machine a login b machine h login u password p", "u", "p"),
            ("machine h login u password p machine h login v", "u", "p"),
            (
                "macdef init\nmachine h\n\nmachine h login u password p",
                "u",
                "p",
            ),
            ("macdef x\n\nmachine h login u password p", "u", "p"),
            (
                "machine machine login u machine h login u password p",
                "u",
                "p",
            ),
        ];
        for (text, user, password) in cases {
            let expected = (user.to_owned(), password.to_owned());
            assert_eq!(of(text, "h"), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_entry() {
        for text in [
            "machine",
            "x",
            "machine h x y",
            "login u",
            "machine h login",
            "{}",
        ] {
            assert_eq!(Netrc::parse(text), None, "{text:?}");
        }
        for text in ["", "\n \n", "# x", "#", "macdef x", "macdef x\ny"] {
            assert_eq!(Netrc::parse(text), Some(Netrc::default()), "{text:?}");
        }
    }

    #[test]
    fn knows_the_entry_for_all_others() {
        let netrc = Netrc::parse("machine default login u\ndefault login d password q").unwrap();
        assert_eq!(netrc.fallback().unwrap().0, "d");
        assert_eq!(netrc.of("default").unwrap().0, "u");
        assert_eq!(netrc.of("h"), None);
    }
}
