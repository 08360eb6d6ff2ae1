//! Where a redirect leads, and what may go along.
//!
//! Pure. The user's headers, the login in the URL and those of netrc are meant for the place that the user
//! named; a server must not be able to have them sent elsewhere.
//!
//! | where a request goes                                  | headers, login of the URL | netrc              |
//! |-------------------------------------------------------|---------------------------|--------------------|
//! | the named place, or the same by TLS, straight         | yes                       | all entries        |
//! | another host                                          | no                        | the one in its name |
//! | the named place, back from others                     | no                        | the one in its name |
//! | the named host by another way (its port, its scheme)  | no                        | none               |
//! | anywhere in clear, once TLS has led there             | no                        | none               |
//!
//! A place is a scheme, a host and a port.

use anyhow::{Context, Result, ensure};
use reqwest::Url;

use crate::remote::headers::Entries;
use crate::source::redacted;

/// More are taken for a loop.
pub const MAX_REDIRECTS: usize = 10;

/// The way from the URL that the user named, from redirect to redirect.
pub struct Way {
    named: Url,
    here: Url,
    /// Whether the named place was never left.
    is_straight: bool,
    /// Whether a request has gone by TLS.
    was_sealed: bool,
    redirects: usize,
}

/// Where a request goes: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Goal {
    Named,
    OtherHost,
    Back,
    OtherWay,
    InClear,
}

impl Way {
    pub fn new(named: &Url) -> Way {
        Way {
            named: named.clone(),
            here: named.clone(),
            is_straight: true,
            was_sealed: false,
            redirects: 0,
        }
    }

    /// What to ask for now, with the login if the user's may go there.
    pub fn here(&self) -> &Url {
        &self.here
    }

    /// Whether the user's headers may go there.
    pub fn takes_headers(&self) -> bool {
        self.goal() == Goal::Named
    }

    /// Which logins of netrc may go there.
    pub fn logins(&self) -> Entries {
        match self.goal() {
            Goal::Named => Entries::All,
            Goal::OtherHost | Goal::Back => Entries::Named,
            Goal::OtherWay | Goal::InClear => Entries::None,
        }
    }

    fn goal(&self) -> Goal {
        let is_host = self.here.host_str() == self.named.host_str();
        if self.is_straight {
            Goal::Named
        } else if self.was_sealed && self.here.scheme() == "http" {
            Goal::InClear
        } else if !is_host {
            Goal::OtherHost
        } else if is_same_place(&self.named, &self.here) {
            Goal::Back
        } else {
            Goal::OtherWay
        }
    }

    /// Goes on to what the `Location` of an answer says.
    pub fn follow(&mut self, location: &[u8]) -> Result<()> {
        self.redirects += 1;
        ensure!(
            self.redirects <= MAX_REDIRECTS,
            "more than {MAX_REDIRECTS} redirects, probably a loop"
        );
        let here = redacted(&self.here);
        // Often not percent-encoded; parsing does that.
        let next = str::from_utf8(location).ok();
        let next = next.and_then(|location| self.here.join(location).ok());
        let mut next = next.with_context(|| format!("`{here}` redirects to what is not a URL"))?;
        ensure!(
            matches!(next.scheme(), "http" | "https"),
            "`{here}` redirects to `{}`, expected an http or https URL",
            redacted(&next)
        );
        self.was_sealed |= self.here.scheme() == "https";
        self.is_straight = self.is_straight && is_same_place(&self.here, &next);
        if self.is_straight && next.username().is_empty() && next.password().is_none() {
            // Both URLs have a host, so this cannot be refused.
            next.set_username(self.here.username()).ok();
            next.set_password(self.here.password()).ok();
        }
        self.here = next;
        Ok(())
    }
}

/// Whether what was meant for the host of `from` may also be sent to that of `to`: the same one,
/// or the same one by TLS.
fn is_same_place(from: &Url, to: &Url) -> bool {
    let made_safe = (from.scheme(), to.scheme()) == ("http", "https")
        && from.host_str() == to.host_str()
        && from.port().is_none()
        && to.port().is_none();
    made_safe || from.origin() == to.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(urls: &[&str]) -> Way {
        let mut way = Way::new(&Url::parse(urls[0]).unwrap());
        for next in &urls[1..] {
            way.follow(next.as_bytes()).unwrap();
        }
        way
    }

    #[test]
    fn what_goes_along_depends_on_the_way() {
        for (urls, goal) in [
            (&["http://h/a"][..], Goal::Named),
            (&["http://h/a", "/b"], Goal::Named),
            (&["http://h/a", "http://h:80/b"], Goal::Named),
            (&["http://h/a", "https://h/b"], Goal::Named),
            (&["http://h/a", "https://h/b", "https://h/c"], Goal::Named),
            (&["https://h/a", "http://h/b"], Goal::InClear),
            (&["https://h/a", "http://i/b"], Goal::InClear),
            (&["http://h/a", "https://h/b", "http://h/a"], Goal::InClear),
            (&["http://h/a", "https://i/b", "http://h/a"], Goal::InClear),
            (&["http://h:8080/a", "https://h/b"], Goal::OtherWay),
            (&["http://h/a", "http://h:8080/b"], Goal::OtherWay),
            (
                &["https://h/a", "https://i/b", "https://h:1/a"],
                Goal::OtherWay,
            ),
            (&["http://h/a", "http://i/b"], Goal::OtherHost),
            (&["http://h/a", "http://h.i/b"], Goal::OtherHost),
            (
                &["https://h/a", "https://i/b", "https://i/c"],
                Goal::OtherHost,
            ),
            (&["https://h/a", "https://i/b", "https://h/a"], Goal::Back),
            (&["http://h/a", "http://i/b", "http://h/a"], Goal::Back),
        ] {
            assert_eq!(way(urls).goal(), goal, "{urls:?}");
        }
    }

    #[test]
    fn each_goal_gets_what_the_table_says() {
        let (host, other) = ("https://h/a", "https://i/b");
        for (urls, headers, logins) in [
            (&[host][..], true, Entries::All),
            (&[host, other], false, Entries::Named),
            (&[host, other, host], false, Entries::Named),
            (&[host, "https://h:1/a"], false, Entries::None),
            (&[host, "http://i/b"], false, Entries::None),
        ] {
            let way = way(urls);
            assert_eq!(
                (way.takes_headers(), way.logins()),
                (headers, logins),
                "{urls:?}"
            );
        }
    }

    #[test]
    fn the_login_of_the_url_stays_at_its_place() {
        for (urls, expected) in [
            (["http://u:p@h/a", "/b"], "http://u:p@h/b"),
            (["http://u:p@h/a", "https://h/b"], "https://u:p@h/b"),
            (["http://u:p@h/a", "http://v:q@h/b"], "http://v:q@h/b"),
            (["http://u:p@h/a", "http://i/b"], "http://i/b"),
            (["http://u:p@h/a", "//h:1/b"], "http://h:1/b"),
        ] {
            assert_eq!(way(&urls).here().as_str(), expected, "{urls:?}");
        }
    }

    #[test]
    fn a_way_ends_where_no_file_can_be() {
        let refused = |location: &[u8]| {
            way(&["http://u:p@h/a?key=k"])
                .follow(location)
                .unwrap_err()
                .to_string()
        };
        let from = "`http://***@h/a?key=***` redirects to";
        assert_eq!(refused(b"http://"), format!("{from} what is not a URL"));
        assert_eq!(refused(b"\xff"), format!("{from} what is not a URL"));
        assert_eq!(
            refused(b"ftp://i/b?token=t"),
            format!("{from} `ftp://i/b?token=***`, expected an http or https URL")
        );
        let mut way = way(&["http://h/a"]);
        for _ in 0..MAX_REDIRECTS {
            way.follow(b"/a").unwrap();
        }
        let error = way.follow(b"/a").unwrap_err().to_string();
        assert_eq!(error, "more than 10 redirects, probably a loop");
    }
}
