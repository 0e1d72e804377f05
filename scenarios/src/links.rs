//! The links in mails that were sent on: found as a reader would find them, and followed once all is quiet.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::systems::mail::ATTACHMENTS;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;
use run_folder::Seen;

use crate::Event;
use crate::exchange::{LinkLife, LinkTried};

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
    /// When the mail with it was seen.
    sent: Duration,
    expires: Option<Expires>,
}

/// What a link says of its end, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expires {
    /// So long after its signing: `X-Amz-Expires` of signature version 4.
    After(u64),
    /// At this time since 1970: `Expires` of signature version 2, which boto3 signs with unless it is told otherwise.
    At(u64),
}

impl Expires {
    /// How long it is good for; `sent` is when it was sent, since 1970.
    fn life(self, sent: Duration) -> LinkLife {
        match self {
            Self::After(seconds) => LinkLife::FromSigning(Duration::from_secs(seconds)),
            Self::At(end) => LinkLife::FromSending(Duration::from_secs(end).saturating_sub(sent)),
        }
    }
}

impl Links {
    /// Takes what happened; only a mail that was sent has links.
    pub fn see(&mut self, event: &Event) {
        let Event::Saw { at, seen: Seen::MailSent { text, .. } } = event else { return };
        for link in links(text, *at) {
            if self.kept.len() < MOST && self.seen.insert(link.url.clone()) {
                self.kept.push(link);
            }
        }
    }

    /// Follows all of them; `started` is offset 0.
    pub async fn follow(&self, started: Instant) -> Vec<Event> {
        let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let zero = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(started.elapsed());
        let all = self.kept.iter().map(|link| one(&client, link, started, zero));
        futures::stream::iter(all).buffered(AT_ONCE).collect().await
    }
}

/// `zero` is offset 0 since 1970.
async fn one(client: &Client<HttpConnector, Empty<Bytes>>, link: &Link, started: Instant, zero: Duration) -> Event {
    let got = tokio::time::timeout(PATIENCE, get(client, &link.url)).await.ok().flatten();
    let (status, sha256) = got.map_or((None, None), |(status, sha256)| (Some(status), Some(sha256)));
    let life = link.expires.map(|expires| expires.life(zero + link.sent));
    let (id, key) = (link.id.clone(), link.key.clone());
    Event::LinkTried(Box::new(LinkTried { id, key, at: started.elapsed(), status, sha256, life }))
}

async fn get(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> Option<(u16, String)> {
    let answer = client.get(url.parse().ok()?).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    let digits = digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Some((status, digits))
}

/// The links to attachments in a text, plain or HTML, that was sent at this time.
fn links(text: &str, sent: Duration) -> Vec<Link> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')');
    let urls = text.match_indices("http").filter_map(|(at, _)| text.get(at..)?.split(ends).next());
    urls.filter_map(|url| link(&url.replace("&amp;", "&"), sent)).collect()
}

/// `http://host/attachments/<message id>/<n>-<name>?...`.
fn link(url: &str, sent: Duration) -> Option<Link> {
    let (_, rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?.split_once('/')?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let key = path.strip_prefix(ATTACHMENTS)?.strip_prefix('/')?;
    let (id, _) = key.split_once('/')?;
    let expires = query.split('&').find_map(|pair| match pair.split_once('=')? {
        ("X-Amz-Expires", seconds) => seconds.parse().ok().map(Expires::After),
        ("Expires", end) => end.parse().ok().map(Expires::At),
        _ => None,
    });
    let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
    Some(Link { url: url.to_owned(), id: id.to_owned(), key, sent, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_where_a_reader_would_find_them() {
        let url = "http://127.0.0.1:1/attachments/abc/1-a%20b.txt?X-Amz-Expires=129600&X-Amz-Signature=f";
        let (id, key, sent) = ("abc".to_owned(), "abc/1-a b.txt".to_owned(), Duration::from_secs(3));
        let expected = [Link { url: url.into(), id, key, sent, expires: Some(Expires::After(129_600)) }];
        for text in [
            format!("see\n{url}\nbye"),
            format!("<a href=\"{}\">a b.txt</a>", url.replace('&', "&amp;")),
            format!("<{url}> and http://127.0.0.1:1/other/abc/1 and https:// and http"),
        ] {
            assert_eq!(links(&text, sent), expected, "{text}");
        }
    }

    #[test]
    fn a_link_says_how_long_it_is_good_for_in_either_signature_version() {
        let sent = Duration::from_millis(1_700_000_000_400);
        for (query, life) in [
            ("X-Amz-Expires=129600&X-Amz-Signature=f", Some(LinkLife::FromSigning(Duration::from_secs(129_600)))),
            ("AWSAccessKeyId=brownout&Signature=f%3D&Expires=1700129600", Some(LinkLife::FromSending(Duration::from_millis(129_599_600)))),
            ("AWSAccessKeyId=brownout&Expires=1", Some(LinkLife::FromSending(Duration::ZERO))),
            ("Expires=soon", None),
            ("", None),
        ] {
            let link = link(&format!("http://h/attachments/abc/1-a?{query}"), Duration::ZERO).unwrap();
            assert_eq!(link.expires.map(|expires| expires.life(sent)), life, "{query}");
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
