//! One plain page that shows the content of the services: mailbox, notices, executions, buckets,
//! queues, members. It loads nothing over a network and has no script.

mod window;

use std::fmt::Write as _;

use quick_xml::escape::escape;

pub use self::window::Window;

/// The path of the page.
pub const AT: &str = "/brownout";

/// The path prefix of the objects that the page links; bucket and key follow.
pub const OBJECTS: &str = "/brownout/objects/";

const STYLE: &str = include_str!("page.css");

/// The most rows of one kind that are shown; the newest ones.
const MOST_ROWS: usize = 200;

/// The present content of the services, newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Mails that were sent.
    pub mails: Vec<Letter>,
    /// Notices to topics.
    pub notices: Vec<Notice>,
    /// Buckets with their objects.
    pub buckets: Vec<Bucket>,
    /// Queues with their messages.
    pub queues: Vec<Queue>,
    /// User pools with their users.
    pub pools: Vec<Pool>,
    /// Alarms with their state.
    pub alarms: Vec<(String, String)>,
    /// State machines with their executions.
    pub machines: Vec<Machine>,
}

/// A state machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its executions.
    pub executions: Vec<Execution>,
}

/// An execution of a state machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Execution {
    /// Its name.
    pub name: String,
    /// `RUNNING`, `SUCCEEDED` and so on.
    pub status: String,
    /// The error that it failed with.
    pub error: Option<String>,
    /// How often its states were entered or tried, in total.
    pub tries: u32,
    /// Its input.
    pub input: String,
}

/// A mail as its readers see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// From.
    pub from: String,
    /// To, Cc and Bcc.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// A notice to a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// The topic.
    pub topic: String,
    /// The subject.
    pub subject: Option<String>,
    /// The message.
    pub message: String,
}

/// A bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Key and size in bytes of each object.
    pub objects: Vec<(String, u64)>,
}

/// A queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// A message in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// How often it was received.
    pub receives: u32,
    /// Whether a consumer would get it now.
    pub visible: bool,
    /// Its body.
    pub body: String,
}

/// A user pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Name of each user, and whether it is enabled.
    pub users: Vec<(String, bool)>,
}

/// The page.
pub fn html(look: &Look) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>brownout: what is in the services</title><style>{STYLE}</style></head><body><main>\
         <h1>What is in the services</h1><p>As of now; load the page again to see it as it is then.</p>"
    );
    section(&mut out, "Mailbox", look.mails.len(), &["To", "Subject", "Text"], newest(&look.mails).map(letter));
    section(&mut out, "Notices", look.notices.len(), &["Topic", "Subject", "Message"], newest(&look.notices).map(notice));
    for machine in &look.machines {
        let title = format!("Executions of <code>{}</code>", escape(&machine.name));
        let headings = ["Execution", "Status", "Error", "States entered or tried", "Input"];
        section(&mut out, &title, machine.executions.len(), &headings, newest(&machine.executions).map(execution));
    }
    for queue in &look.queues {
        let title = format!("Queue <code>{}</code>", escape(&queue.name));
        section(&mut out, &title, queue.messages.len(), &["Message", "Received", "Visible", "Body"], newest(&queue.messages).map(message));
    }
    for bucket in &look.buckets {
        let title = format!("Bucket <code>{}</code>", escape(&bucket.name));
        section(
            &mut out,
            &title,
            bucket.objects.len(),
            &["Key", "Bytes"],
            newest(&bucket.objects).map(|object| object_cells(&bucket.name, object)),
        );
    }
    for pool in &look.pools {
        let title = format!("Users of <code>{}</code>", escape(&pool.name));
        section(&mut out, &title, pool.users.len(), &["User", "Enabled"], newest(&pool.users).map(user));
    }
    section(
        &mut out,
        "Alarms",
        look.alarms.len(),
        &["Alarm", "State"],
        look.alarms.iter().map(|(name, state)| vec![text(name), text(state)]),
    );
    out.push_str("</main></body></html>\n");
    out
}

fn newest<T>(rows: &[T]) -> impl Iterator<Item = &T> {
    rows.iter().rev().take(MOST_ROWS)
}

fn section(out: &mut String, title: &str, count: usize, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = write!(out, "<h2>{title} <small>{count}</small></h2>");
    if count == 0 {
        out.push_str("<p class=\"empty\">empty</p>");
        return;
    }
    out.push_str("<table><thead><tr>");
    for heading in headings {
        let _ = write!(out, "<th>{heading}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    if count > MOST_ROWS {
        let _ = write!(out, "<p class=\"empty\">the newest {MOST_ROWS} of {count}</p>");
    }
}

fn text(text: &str) -> String {
    escape(text).into_owned()
}

/// A long text, folded behind its first line.
fn long(text: &str) -> String {
    let first = text.trim_start().lines().next().unwrap_or_default();
    let short: String = first.chars().take(80).collect();
    if short.len() == text.len() {
        return escape(text).into_owned();
    }
    format!("<details><summary>{}</summary><pre>{}</pre></details>", escape(&short), escape(text))
}

fn letter(letter: &Letter) -> Vec<String> {
    vec![long(&letter.to.join("\n")), text(&letter.subject), with_links(&letter.text)]
}

/// The text of a mail, with clickable links, as a mail program shows it.
fn with_links(text: &str) -> String {
    let shown = long(text);
    let mut out = String::with_capacity(shown.len());
    let mut rest = shown.as_str();
    while let Some(at) = rest.find("http://") {
        let (before, link) = rest.split_at(at);
        let end = link.find(|c: char| c.is_whitespace() || matches!(c, '<' | '"')).unwrap_or(link.len());
        let (link, after) = link.split_at(end);
        let _ = write!(out, "{before}<a href=\"{link}\">{link}</a>");
        rest = after;
    }
    out + rest
}

fn notice(notice: &Notice) -> Vec<String> {
    vec![text(&notice.topic), text(notice.subject.as_deref().unwrap_or_default()), long(&notice.message)]
}

fn execution(execution: &Execution) -> Vec<String> {
    let error = execution.error.as_deref().unwrap_or_default();
    vec![text(&execution.name), text(&execution.status), text(error), execution.tries.to_string(), long(&execution.input)]
}

fn message(message: &Message) -> Vec<String> {
    let visible = if message.visible { "yes" } else { "no" };
    vec![text(&message.id), message.receives.to_string(), visible.to_owned(), long(&message.body)]
}

fn object_cells(bucket: &str, (key, size): &(String, u64)) -> Vec<String> {
    let path: String =
        key.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            })
            .collect();
    vec![format!("<a href=\"{OBJECTS}{}/{path}\">{}</a>", escape(bucket), escape(key)), size.to_string()]
}

fn user((name, enabled): &(String, bool)) -> Vec<String> {
    vec![text(name), if *enabled { "yes" } else { "<b>no</b>" }.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shown_and_escaped() {
        let look = Look {
            mails: vec![Letter {
                from: "s@example".into(),
                to: vec!["a@example".into()],
                subject: "<script>alert(1)</script>".into(),
                text: "your file\nhttp://127.0.0.1:1/attachments/x/1-a?X-Amz-Expires=1&b=2\nbye".into(),
            }],
            buckets: vec![Bucket { name: "attachments".into(), objects: vec![("x/1-a b\"".into(), 7)] }],
            queues: vec![Queue {
                name: "incoming".into(),
                messages: vec![Message { id: "m-1".into(), body: "{}".into(), ..Message::default() }],
            }],
            pools: vec![Pool { name: "members".into(), users: vec![("member-1".into(), false)] }],
            machines: vec![Machine {
                name: "audit-record".into(),
                executions: vec![Execution {
                    name: "r-1".into(),
                    status: "FAILED".into(),
                    error: Some("Lambda.Unknown".into()),
                    tries: 12,
                    input: "{\"a\":\"<b>\"}".into(),
                }],
            }],
            ..Look::default()
        };
        let page = html(&look);
        for part in [
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "<a href=\"http://127.0.0.1:1/attachments/x/1-a?X-Amz-Expires=1&amp;b=2\">",
            "<a href=\"/brownout/objects/attachments/x/1-a%20b%22\">x/1-a b&quot;</a>",
            "m-1",
            "<b>no</b>",
            "<td>r-1</td><td>FAILED</td><td>Lambda.Unknown</td><td>12</td><td>{&quot;a&quot;:&quot;&lt;b&gt;&quot;}</td>",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        assert!(!page.contains("<script"));
    }

    #[test]
    fn only_the_newest_rows_are_shown_and_the_page_says_so() {
        let users = (0..500).map(|n| (format!("member-{n}"), true)).collect();
        let page = html(&Look { pools: vec![Pool { name: "members".into(), users }], ..Look::default() });
        assert!(page.contains("the newest 200 of 500") && page.contains("member-499") && !page.contains("member-1<"));
    }
}
