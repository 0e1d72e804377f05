//! The links in mails that were sent on: found as a reader would find them, and followed once all is quiet.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use stack::Seen;
use stack::world::mail::ATTACHMENTS;

use crate::Event;
use crate::exchange::LinkTried;

/// No more links than this are followed; those of the first mails.
const MOST: usize = 2_000;

/// So many are followed at once: attachments may be large.
const AT_ONCE: usize = 4;

/// For one link, its bytes included.
const PATIENCE: Duration = Duration::from_secs(20);

/// Links that were seen, each once.
#[derive(Debug, Default)]
pub struct Links {
    seen: BTreeSet<String>,
    /// In the order in which they were seen.
    kept: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    url: String,
    id: String,
    key: String,
    expires_s: Option<u64>,
}

impl Links {
    /// Takes what happened; only a mail that was sent has links.
    pub fn see(&mut self, event: &Event) {
        let Event::Saw { seen: Seen::MailSent { text, .. }, .. } = event else { return };
        for link in links(text) {
            if self.kept.len() < MOST && self.seen.insert(link.url.clone()) {
                self.kept.push(link);
            }
        }
    }

    /// Follows all of them; `started` is offset 0.
    pub async fn follow(&self, started: Instant) -> Vec<Event> {
        let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let all = self.kept.iter().map(|link| one(&client, link, started));
        futures::stream::iter(all).buffered(AT_ONCE).collect().await
    }
}

async fn one(client: &Client<HttpConnector, Empty<Bytes>>, link: &Link, started: Instant) -> Event {
    let got = tokio::time::timeout(PATIENCE, get(client, &link.url)).await.ok().flatten();
    let (status, sha256) = got.map_or((None, None), |(status, sha256)| (Some(status), Some(sha256)));
    let (id, key, expires_s) = (link.id.clone(), link.key.clone(), link.expires_s);
    Event::LinkTried(Box::new(LinkTried { id, key, at: started.elapsed(), status, sha256, expires_s }))
}

async fn get(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> Option<(u16, String)> {
    let answer = client.get(url.parse().ok()?).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    let digits = digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Some((status, digits))
}

/// The links to attachments in a text, plain or HTML.
fn links(text: &str) -> Vec<Link> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')');
    let urls = text.match_indices("http").filter_map(|(at, _)| text.get(at..)?.split(ends).next());
    urls.filter_map(|url| link(&url.replace("&amp;", "&"))).collect()
}

/// `http://host/attachments/<message id>/<n>-<name>?...`.
fn link(url: &str) -> Option<Link> {
    let (_, rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?.split_once('/')?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let key = path.strip_prefix(ATTACHMENTS)?.strip_prefix('/')?;
    let (id, _) = key.split_once('/')?;
    let expires_s = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Expires=")?.parse().ok());
    let key = stack::services::wire::percent_decoded(key);
    Some(Link { url: url.to_owned(), id: id.to_owned(), key, expires_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_where_a_reader_would_find_them() {
        let url = "http://127.0.0.1:1/attachments/abc/1-a%20b.txt?X-Amz-Expires=129600&X-Amz-Signature=f";
        let expected = [Link { url: url.into(), id: "abc".into(), key: "abc/1-a b.txt".into(), expires_s: Some(129_600) }];
        for text in [
            format!("see\n{url}\nbye"),
            format!("<a href=\"{}\">a b.txt</a>", url.replace('&', "&amp;")),
            format!("<{url}> and http://127.0.0.1:1/other/abc/1 and https:// and http"),
        ] {
            assert_eq!(links(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_link_is_kept_once() {
        let mut kept = Links::default();
        let text = "http://h/attachments/abc/1-a?x http://h/attachments/abc/2-a?x http://h/attachments/abc/1-a?x".to_owned();
        let seen = Seen::MailSent { id: "i".into(), from: "f".into(), to: Vec::new(), subject: "s".into(), text, attachments: 0 };
        kept.see(&Event::Saw { at: Duration::ZERO, seen });
        assert_eq!(kept.kept.iter().map(|link| link.key.as_str()).collect::<Vec<_>>(), ["abc/1-a", "abc/2-a"]);
    }
}
