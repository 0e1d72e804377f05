//! The function `greet`: it greets everyone.

use std::time::Duration;

use functions::clients::Patience;
use functions::serve::serve;
use lambda_runtime::Error;
use serde_json::{Value, json};

/// It calls nothing.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(5),
    attempts: 1,
    pause: Duration::from_millis(100),
};

fn main() -> Result<(), Error> {
    serve(
        PATIENCE,
        |_| Ok(()),
        async |(), _| Ok(()),
        async |(), _: Value, _| Ok::<_, Error>(json!({"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "hello"})),
    )
}
