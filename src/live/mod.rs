//! `--live` and `--otlp`: a run in a browser, and for Prometheus and OpenTelemetry, while it goes on. It must
//! never delay the run: it has a thread of its own, and the run only puts its newest snapshot where that
//! thread finds it.

mod collector;
mod events;
mod news;
mod openmetrics;
mod otlp;
mod patient;
mod series;
mod server;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use engine::Observer;
use engine::snapshot::Snapshot;
use reports::Report;
use tokio::sync::watch;

use crate::cli::Watch;
use crate::progress::Progress;
use collector::Collector;
use news::{Judged, News};

/// What follows one run. Dropping it ends it: a server within a second, a collector within some seconds.
pub struct Live {
    news: Option<watch::Sender<News>>,
    thread: Option<JoinHandle<Option<String>>>,
}

impl Live {
    /// Follows a run from now on, if that is wanted, and says where it can be seen. `instance` tells it from all others.
    ///
    /// # Errors
    /// If it cannot listen there, or the collector cannot be understood; the message names the address.
    pub fn wanted(watch: &Watch, instance: String) -> Result<Option<Self>, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let collector = watch.otlp.as_deref().map(|url| Collector::at(url, instance, &variable)).transpose()?;
        let door = watch.live.map(Door::open).transpose()?;
        door.iter().for_each(|door| eprintln!("live: http://{}/", door.address));
        if door.is_none() && collector.is_none() { Ok(None) } else { Self::start(door, collector).map(Some) }
    }

    fn start(door: Option<Door>, collector: Option<Collector>) -> Result<Self, String> {
        let unusable = |cause: std::io::Error| format!("the run cannot be shown: {cause}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
        let (news, latest) = watch::channel(News::default());
        let of_collector = latest.clone();
        let show = async {
            if let Some(door) = door {
                server::serve(door.listener, door.address, latest).await;
            }
        };
        let send = async {
            match collector {
                Some(collector) => collector.follow(of_collector).await,
                None => None,
            }
        };
        let follow = move || runtime.block_on(async { tokio::join!(show, send).1 });
        let thread = std::thread::Builder::new().name("live".to_owned()).spawn(follow).map_err(unusable)?;
        Ok(Self { news: Some(news), thread: Some(thread) })
    }

    fn show(&self, snapshot: &Arc<Snapshot>) {
        self.tell(|news| news.newest = Some(Arc::clone(snapshot)));
    }

    fn tell(&self, change: impl FnOnce(&mut News)) {
        if let Some(news) = &self.news {
            news.send_modify(change);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.news.take();
        // Where the thread has failed, the run has not.
        if let Some(Ok(Some(complaint))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("note: {complaint}");
        }
    }
}

/// Where a run can be seen.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Port 0 is any that is free.
    fn open(address: SocketAddr) -> Result<Self, String> {
        let unusable =
            |cause: std::io::Error| format!("`--live` cannot listen on {address}: {cause}; choose another port, or 0 for any that is free");
        let listener = TcpListener::bind(address).map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        Ok(Self { listener, address })
    }
}

/// Shows a run on standard error, and live if that is wanted.
pub struct Views {
    terminal: Progress,
    live: Option<Live>,
}

impl Views {
    /// Shows a run from now on.
    pub fn new(live: Option<Live>) -> Self {
        Self { terminal: Progress::new(), live }
    }

    /// Shows how it was judged; nothing more comes.
    pub fn judged(&mut self, report: &Report) {
        if let Some(live) = self.live.take() {
            live.tell(|news| news.judged = Some(Judged { verdict: report.verdict, sentence: report.sentence.clone() }));
        }
    }
}

impl Observer for Views {
    fn show(&mut self, snapshot: &Arc<Snapshot>) {
        self.live.iter().for_each(|live| live.show(snapshot));
        self.terminal.show(snapshot);
    }

    fn say(&self, text: &str) {
        self.terminal.say(text);
    }

    fn end(&mut self) {
        self.terminal.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use reports::Verdict;

    use super::*;
    use crate::sample::snapshot;

    #[test]
    fn an_occupied_address_is_refused_by_its_name() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let wrong = Door::open(address).err().unwrap();
        assert!(wrong.contains(&format!("cannot listen on {address}")) && wrong.contains("choose another port"), "{wrong}");
    }

    #[test]
    fn the_server_ends_with_its_run_and_a_reader_gets_all_until_then() {
        let door = Door::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = door.address;
        let live = Live::start(Some(door), None).unwrap();
        let mut reader = TcpStream::connect(address).unwrap();
        write!(reader, "GET /events HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        // The answer has begun, so that the end comes after it.
        let mut first = [0];
        reader.read_exact(&mut first).unwrap();
        live.show(&Arc::new(snapshot()));
        live.tell(|news| news.judged = Some(Judged { verdict: Verdict::Held, sentence: "All held.".into() }));
        drop(live);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let end = "event: end\ndata: {\"verdict\":\"held\",\"sentence\":\"All held.\"}\n\n";
        let (last, end) = (text.find("\"sent\":3870,"), text.find(end));
        assert!(last.is_some() && last < end, "{text}");
        assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
    }
}
