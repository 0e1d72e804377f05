//! Waits that end when the other end of a connection goes away.

use std::time::Duration;

use timer::wait;
use tokio::net::TcpStream;

/// The platform acts on a deadline a moment after it. It would refuse a runtime that asks before that, and report the runtime's end instead of the
/// timeout: a hold until the deadline lasts so much longer.
pub const BEYOND_DEADLINE: Duration = Duration::from_secs(1);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The whole time has passed.
    Fully,
    /// The other end of the connection went away.
    Abandoned,
}

/// Waits for `time`, or until the other end of `stream` is gone.
pub async fn wait_while(time: Duration, stream: &TcpStream) -> Waited {
    tokio::select! {
        biased;
        _ = wait(time) => Waited::Fully,
        () = gone(stream) => Waited::Abandoned,
    }
}

/// Ends when the other end has closed its side. Once it has sent something more, nothing is known and this never ends.
pub async fn gone(stream: &TcpStream) {
    let mut byte = [0];
    if matches!(stream.peek(&mut byte).await, Ok(more) if more > 0) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_when_the_other_end_goes_away() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(wait_while(Duration::from_millis(1), &server).await, Waited::Fully);
        drop(client);
        assert_eq!(wait_while(Duration::from_secs(600), &server).await, Waited::Abandoned);
    }
}
