//! A small MQTT 3.1.1 broker on rumqttc's codec: QoS 0 and 1, with the limits of AWS IoT. It keeps no
//! message for a client without a session. A client that breaks the protocol, or does what its
//! certificate's policy does not allow, loses its connection and nothing else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode, UnsubAck, Unsubscribe,
};
use rumqttc::mqttbytes::{Error, QoS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::registry::Caller;
use super::secured::Secured;
use super::sessions::{Holder, LARGEST_PACKET, Sessions};
use super::shadows::Shadows;
use super::topics::{Target, is_filter, is_topic, target};

/// How long a new connection may take to send CONNECT.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// The shortest and the longest keep-alive, in seconds; no keep-alive is the longest. Source: AWS IoT Core
/// quotas.
const KEEP_ALIVE: (u16, u16) = (30, 1200);
/// The most filters of one SUBSCRIBE. Source: AWS IoT Core quotas.
const MOST_FILTERS: usize = 8;
/// How long a client may leave what was sent to it unread.
const LONGEST_WRITE: Duration = Duration::from_secs(30);

/// The broker.
pub struct Broker {
    sessions: Arc<Sessions>,
    shadows: Arc<Shadows>,
    /// `None` in the clear.
    secured: Option<Arc<Secured>>,
}

/// Why a connection ended.
enum End {
    /// The client sent DISCONNECT: its will is not published.
    Goodbye,
    /// It went away, broke the protocol or was silent.
    Lost,
}

/// A client that has sent CONNECT.
struct Client<'a> {
    broker: &'a Broker,
    id: String,
    /// `None` in the clear, where everything is allowed.
    caller: Option<Caller>,
    holder: Arc<Holder>,
}

impl Broker {
    /// A broker over these sessions and shadows, in the clear or over TLS.
    pub const fn new(sessions: Arc<Sessions>, shadows: Arc<Shadows>, secured: Option<Arc<Secured>>) -> Self {
        Self { sessions, shadows, secured }
    }

    /// Serves until it is dropped; a connection that fails does not affect the others.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        // Without it an answer may wait 40 ms for an acknowledgement.
                        let _ = socket.set_nodelay(true);
                        let broker = Arc::clone(&self);
                        connections.spawn(async move { broker.admit(socket).await });
                    }
                    // Out of file descriptors: the next connection may find some again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn admit(&self, socket: TcpStream) {
        match &self.secured {
            None => self.connection(socket, None).await,
            Some(secured) => {
                if let Some((stream, caller)) = secured.accept(socket).await {
                    self.connection(stream, Some(caller)).await;
                }
            }
        }
    }

    /// Serves one client from its first packet to its last.
    async fn connection(&self, socket: impl AsyncRead + AsyncWrite, caller: Option<Caller>) {
        let (mut from, mut to) = tokio::io::split(socket);
        let mut buffer = BytesMut::with_capacity(4096);
        let Ok(Ok(Packet::Connect(connect))) = timeout(INTRODUCTION, next(&mut from, &mut buffer)).await else { return };
        // AWS IoT does not say why either.
        if caller.as_ref().is_some_and(|caller| !caller.may_connect(&connect.client_id)) {
            return;
        }
        let refusal = refusal(&connect);
        if refusal != ConnectReturnCode::Success {
            let _ = timeout(LONGEST_WRITE, write(&mut to, &Packet::ConnAck(ConnAck::new(refusal, false)))).await;
            return;
        }
        let id = if connect.client_id.is_empty() { super::super::wire::request_id() } else { connect.client_id };
        let (holder, present) = self.sessions.take(&id, connect.clean_session);
        let client = Client { broker: self, id, caller, holder };
        let welcome = Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, present));
        let end = match timeout(LONGEST_WRITE, write(&mut to, &welcome)).await {
            Ok(Ok(())) => tokio::select! {
                end = client.hear(&mut from, &mut buffer, silence(connect.keep_alive)) => end,
                end = client.speak(&mut to) => end,
            },
            _ => End::Lost,
        };
        self.sessions.leave(&client.id, &client.holder);
        if let (End::Lost, Some(will)) = (end, connect.last_will) {
            client.carry_out(&will);
        }
    }
}

impl Client<'_> {
    /// Whether it may use this topic or filter.
    fn may_use(&self, topic: &str) -> bool {
        self.caller.as_ref().is_none_or(|caller| caller.may_use(topic))
    }

    fn carry_out(&self, will: &LastWill) {
        if target(&will.topic) == Target::Clients && is_topic(&will.topic) && self.may_use(&will.topic) {
            self.broker.sessions.publish(&will.topic, &will.message, will.qos);
        }
    }

    /// Receives what the client sends.
    async fn hear(&self, from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, silence: Duration) -> End {
        loop {
            let Ok(Ok(packet)) = timeout(silence, next(from, buffer)).await else { return End::Lost };
            match packet {
                Packet::Publish(publish) => {
                    if !self.published(publish) {
                        return End::Lost;
                    }
                }
                Packet::PubAck(ack) => self.broker.sessions.acknowledged(&self.id, &self.holder, ack.pkid),
                Packet::Subscribe(subscribe) => {
                    if !self.subscribed(subscribe) {
                        return End::Lost;
                    }
                }
                Packet::Unsubscribe(unsubscribe) => self.unsubscribed(&unsubscribe),
                Packet::PingReq => self.reply(Packet::PingResp),
                Packet::Disconnect => return End::Goodbye,
                _ => return End::Lost,
            }
        }
    }

    /// Sends what waits for the client. A client that does not read blocks only itself.
    async fn speak(&self, to: &mut (impl AsyncWrite + Unpin)) -> End {
        let mut out = BytesMut::new();
        loop {
            self.holder.wake.notified().await;
            if self.holder.is_gone() {
                return End::Lost;
            }
            self.broker.sessions.write_to(&self.id, &self.holder, &mut out);
            if !matches!(timeout(LONGEST_WRITE, to.write_all(&out)).await, Ok(Ok(()))) {
                return End::Lost;
            }
            out.clear();
        }
    }

    /// False if the client may not publish this, which ends the connection, as at AWS IoT.
    fn published(&self, publish: Publish) -> bool {
        if publish.qos == QoS::ExactlyOnce
            || publish.payload.len() > 128 * 1024
            || !is_topic(&publish.topic)
            || !self.may_use(&publish.topic)
        {
            return false;
        }
        let Publish { topic, payload, qos, pkid, .. } = publish;
        // Acknowledged before it is carried out, so that a shadow's answer follows the
        // acknowledgement.
        if qos == QoS::AtLeastOnce && target(&topic) != Target::Reserved {
            self.reply(Packet::PubAck(PubAck::new(pkid)));
        }
        match target(&topic) {
            Target::Reserved => return false,
            Target::Shadow(thing, call) => {
                self.broker.sessions.publish(&topic, &payload, qos);
                self.broker.shadows.call(thing, call, &payload);
            }
            Target::Clients => self.broker.sessions.publish(&topic, &payload, qos),
        }
        true
    }

    /// False if the client may not subscribe to this, which ends the connection.
    fn subscribed(&self, subscribe: Subscribe) -> bool {
        if subscribe.filters.len() > MOST_FILTERS || !subscribe.filters.iter().all(|filter| self.may_use(&filter.path)) {
            return false;
        }
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for filter in subscribe.filters {
            if is_filter(&filter.path) {
                // QoS 2 is granted as 1.
                let qos = if filter.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                self.broker.sessions.subscribe(&self.id, &self.holder, &filter.path, qos);
                codes.push(SubscribeReasonCode::Success(qos));
            } else {
                codes.push(SubscribeReasonCode::Failure);
            }
        }
        self.reply(Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
        true
    }

    fn unsubscribed(&self, unsubscribe: &Unsubscribe) {
        for filter in &unsubscribe.topics {
            self.broker.sessions.unsubscribe(&self.id, &self.holder, filter);
        }
        self.reply(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
    }

    fn reply(&self, packet: Packet) {
        self.broker.sessions.reply(&self.id, &self.holder, packet);
    }
}

fn refusal(connect: &Connect) -> ConnectReturnCode {
    if connect.protocol != rumqttc::mqttbytes::Protocol::V4 {
        return ConnectReturnCode::RefusedProtocolVersion;
    }
    if connect.client_id.is_empty() && !connect.clean_session || connect.client_id.len() > 128 {
        return ConnectReturnCode::BadClientId;
    }
    ConnectReturnCode::Success
}

/// One and a half times the keep-alive. Source: MQTT 3.1.1, section 3.1.2.10.
fn silence(keep_alive: u16) -> Duration {
    let (shortest, longest) = KEEP_ALIVE;
    let seconds = if keep_alive == 0 { longest } else { keep_alive.clamp(shortest, longest) };
    Duration::from_millis(u64::from(seconds) * 1500)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), packet: &Packet) -> io::Result<()> {
    let mut out = BytesMut::new();
    packet.write(&mut out, LARGEST_PACKET).map_err(io::Error::other)?;
    to.write_all(&out).await
}

/// The next packet; a packet that is too large or malformed is an error.
async fn next(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<Packet, Error> {
    loop {
        match Packet::read(buffer, LARGEST_PACKET) {
            Err(Error::InsufficientBytes(more)) => buffer.reserve(more),
            other => return other,
        }
        if from.read_buf(buffer).await? == 0 {
            return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rumqttc::mqttbytes::v4::SubscribeFilter;
    use tokio::io::DuplexStream;

    use super::*;

    fn broker() -> Arc<Broker> {
        let sessions = Arc::new(Sessions::default());
        Arc::new(Broker::new(Arc::clone(&sessions), Arc::new(Shadows::new(sessions)), None))
    }

    /// A client over a pipe that has sent `connect` and read the answer.
    async fn connected(broker: &Arc<Broker>, connect: Connect) -> (DuplexStream, Packet) {
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        let broker = Arc::clone(broker);
        tokio::spawn(async move { broker.connection(theirs, None).await });
        write(&mut ours, &Packet::Connect(connect)).await.unwrap();
        let answer = next(&mut ours, &mut BytesMut::new()).await.unwrap();
        (ours, answer)
    }

    async fn is_closed(socket: &mut DuplexStream) -> bool {
        next(socket, &mut BytesMut::new()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_dropped_after_one_and_a_half_keep_alives_and_its_will_is_published() {
        let broker = broker();
        let (mut watcher, _) = connected(&broker, Connect { keep_alive: 0, ..Connect::new("watcher") }).await;
        write(&mut watcher, &Packet::Subscribe(Subscribe { pkid: 1, ..Subscribe::new("will", QoS::AtMostOnce) })).await.unwrap();
        let _suback = next(&mut watcher, &mut BytesMut::new()).await.unwrap();
        let will = LastWill::new("will", "gone", QoS::AtMostOnce, false);
        let (mut client, _) = connected(&broker, Connect { keep_alive: 31, last_will: Some(will), ..Connect::new("c") }).await;
        let began = tokio::time::Instant::now();
        assert!(is_closed(&mut client).await);
        assert!((46_499..46_600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        assert!(matches!(next(&mut watcher, &mut BytesMut::new()).await, Ok(Packet::Publish(p)) if p.payload == "gone"));
    }

    #[test]
    fn a_keep_alive_has_bounds() {
        for (asked, seconds) in [(0, 1200), (1, 30), (30, 30), (600, 600), (1200, 1200), (u16::MAX, 1200)] {
            assert_eq!(silence(asked), Duration::from_secs(seconds) * 3 / 2, "{asked}");
        }
    }

    #[tokio::test]
    async fn breaking_the_protocol_ends_the_connection() {
        let filter = SubscribeFilter { path: "a".to_owned(), qos: QoS::AtMostOnce };
        let nine = Subscribe::new_many(vec![filter; 9]);
        let published = |topic: &str, payload: Vec<u8>| Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload));
        for (why, packet) in [
            ("a second connect", Some(Packet::Connect(Connect::new("c")))),
            ("a reserved topic", Some(published("$aws/things/T/shadow/get/accepted", vec![]))),
            ("a wildcard in a topic", Some(published("a/+", vec![]))),
            ("a payload above 128 KB", Some(published("a", vec![0; 128 * 1024 + 1]))),
            ("a topic above 256 bytes", Some(published(&"a".repeat(257), vec![]))),
            ("a topic of nine levels", Some(published("1/2/3/4/5/6/7/8/9", vec![]))),
            ("nine filters at once", Some(Packet::Subscribe(Subscribe { pkid: 1, ..nine }))),
            ("no packet at all", None),
        ] {
            let mut bytes = BytesMut::from(&[0xff; 20][..]);
            if let Some(packet) = packet {
                bytes.clear();
                packet.write(&mut bytes, usize::MAX).unwrap();
            }
            let (mut client, _) = connected(&broker(), Connect::new("c")).await;
            client.write_all(&bytes).await.unwrap();
            assert!(is_closed(&mut client).await, "{why}");
        }
    }

    #[tokio::test]
    async fn a_second_connection_of_one_client_ends_the_first() {
        let broker = broker();
        let keep = |id: &str| Connect { clean_session: false, keep_alive: 0, ..Connect::new(id) };
        let (mut first, answer) = connected(&broker, keep("c")).await;
        assert_eq!(answer, Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)));
        let (mut second, answer) = connected(&broker, keep("c")).await;
        assert_eq!(answer, Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, true)), "its session goes on");
        assert!(is_closed(&mut first).await);
        write(&mut second, &Packet::PingReq).await.unwrap();
        assert_eq!(next(&mut second, &mut BytesMut::new()).await.unwrap(), Packet::PingResp);
    }

    #[tokio::test]
    async fn a_client_without_a_name_must_be_clean() {
        let (_client, answer) = connected(&broker(), Connect { clean_session: false, ..Connect::new("") }).await;
        assert_eq!(answer, Packet::ConnAck(ConnAck::new(ConnectReturnCode::BadClientId, false)));
        let (_client, answer) = connected(&broker(), Connect::new("")).await;
        assert_eq!(answer, Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)));
    }

    #[tokio::test]
    async fn a_subscriber_that_does_not_read_blocks_no_other() {
        let broker = broker();
        let (mut lazy, theirs) = tokio::io::duplex(256);
        let serving = Arc::clone(&broker);
        tokio::spawn(async move { serving.connection(theirs, None).await });
        write(&mut lazy, &Packet::Connect(Connect { keep_alive: 0, ..Connect::new("lazy") })).await.unwrap();
        let (mut keen, _) = connected(&broker, Connect { keep_alive: 0, ..Connect::new("keen") }).await;
        for client in [&mut lazy, &mut keen] {
            write(client, &Packet::Subscribe(Subscribe { pkid: 1, ..Subscribe::new("t", QoS::AtLeastOnce) })).await.unwrap();
        }
        let mut buffer = BytesMut::new();
        assert!(matches!(next(&mut keen, &mut buffer).await.unwrap(), Packet::SubAck(_)));
        for n in 0..50 {
            broker.sessions.publish("t", &Bytes::from(vec![b'x'; 1000 + n]), QoS::AtLeastOnce);
            let got = timeout(Duration::from_secs(10), next(&mut keen, &mut buffer)).await.unwrap().unwrap();
            assert!(matches!(got, Packet::Publish(p) if p.payload.len() == 1000 + n));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut bytes = BytesMut::from(&bytes[..]);
            while Packet::read(&mut bytes, LARGEST_PACKET).is_ok() {}
        }
    }
}
