//! Waits that end when the other end of a connection closes.

use std::time::Duration;

use timer::wait;
use tokio::net::TcpStream;

/// How much longer a hold until the deadline lasts. The platform acts a moment after the deadline;
/// if the runtime called before that, the platform would refuse it and report the runtime's exit
/// instead of the timeout.
pub const BEYOND_DEADLINE: Duration = Duration::from_secs(1);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The whole time has passed.
    Fully,
    /// The other end of the connection closed.
    Abandoned,
}

/// Waits for `time`, or until the other end of `stream` closes.
pub async fn wait_while(time: Duration, stream: &TcpStream) -> Waited {
    tokio::select! {
        biased;
        _ = wait(time) => Waited::Fully,
        () = gone(stream) => Waited::Abandoned,
    }
}

/// Completes when the other end has closed its side. If it has sent more data, that cannot be seen
/// and this never completes.
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
    async fn a_wait_ends_when_the_other_end_closes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(wait_while(Duration::from_millis(1), &server).await, Waited::Fully);
        drop(client);
        assert_eq!(wait_while(Duration::from_secs(600), &server).await, Waited::Abandoned);
    }
}
