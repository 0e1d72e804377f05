//! `[load.tls]`: certificates of the user's own, read before anything starts.

use ::load::{Http, Tls, TlsError};
use scenarios::journeys::{Journey, To};

use super::super::file::{File, HttpVersion, TlsOptions};
use super::Check;

impl Check<'_> {
    /// What TLS trusts and shows; what this machine trusts unless the file says.
    pub(super) fn tls(&mut self, file: &File, journeys: &[Journey]) -> Tls {
        let Some(tls) = &file.load.tls else { return Tls::default() };
        let span = tls.span();
        let is_over_tls = |journey: &Journey| matches!(&journey.to, To::Elsewhere(endpoint) if endpoint.origin.starts_with("https://"));
        if self.has_form && !journeys.iter().any(is_over_tls) {
            self.complain(span.clone(), "`tls` is for addresses that begin with `https://`, and nothing is sent to one");
        }
        match self.read_tls(tls.get_ref()) {
            Ok(tls) => tls,
            Err(what) => {
                self.complain(span, what);
                Tls::default()
            }
        }
    }

    fn read_tls(&mut self, TlsOptions { ca, cert, key, http }: &TlsOptions) -> Result<Tls, String> {
        let http = match http {
            None => Http::Either,
            Some(HttpVersion::Http1) => Http::Http1,
            Some(HttpVersion::Http2) => Http::Http2,
        };
        let [ca, cert, key] = [ca, cert, key].map(|path| path.as_ref().map(|path| self.named(path)));
        let shown = match (&cert, &key) {
            (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
            (None, None) if ca.is_none() && http != Http::Either => return Ok(Tls::default().speaking(http)),
            (None, None) if ca.is_none() => {
                return Err("`tls` says nothing; write `ca = \"ca.pem\"`, `cert` and `key`, or `http = \"1.1\"`".to_owned());
            }
            (None, None) => None,
            (Some(_), None) => return Err("`cert` has no `key`; write `key = \"key.pem\"`".to_owned()),
            (None, Some(_)) => return Err("`key` has no `cert`; write `cert = \"cert.pem\"`".to_owned()),
        };
        let read = Tls::read(ca.as_deref(), shown).map_err(|error: TlsError| error.to_string());
        read.map(|tls| tls.speaking(http))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_load_in;

    #[test]
    fn files_of_tls_are_read_before_anything_starts_and_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty.pem"), "").unwrap();
        std::fs::write(folder.path().join("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        for (url, tls, says) in [
            ("https://a.example.com/", "", "`tls` says nothing"),
            ("https://a.example.com/", "http = \"3\"", "there is no `3` here; there are: `1.1`, `2`"),
            ("http://a.example.com/", "http = \"2\"", "nothing is sent to one"),
            ("https://a.example.com/", "ca = \"nowhere.pem\"", "nowhere.pem` cannot be read"),
            ("https://a.example.com/", "ca = \"empty.pem\"", "empty.pem` holds no certificate in PEM"),
            ("https://a.example.com/", "ca = \"bad.pem\"", "a certificate of `"),
            ("https://a.example.com/", "ca = \"bad.pem\"\ncert = \"bad.pem\"", "`cert` has no `key`"),
            ("https://a.example.com/", "key = \"bad.pem\"", "`key` has no `cert`"),
            ("http://a.example.com/", "ca = \"bad.pem\"", "nothing is sent to one"),
            ("https://a.example.com/", "cas = \"ca.pem\"", "cas"),
        ] {
            let text = format!("[load.tls]\n{tls}\n[[load.requests]]\nof = \"shop GET /\"\nurl = \"{url}\"\nrate = \"5/s\"\n");
            let wrong = check_load_in(folder.path(), "shop", &text).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{tls}: {wrong:?}");
        }
    }
}
