//! Small endpoints with the wire form of AppConfig's agent, Systems Manager and S3. Each checks its
//! requests and misbehaves on demand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Message, read_message};

/// Part of everything that must not be written anywhere.
pub const SECRET: &str = "planted-secret";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AppConfig,
    Parameter,
    Object,
}

/// What the endpoint does with the next requests.
#[derive(Debug, Clone)]
pub enum Content {
    Absent,
    Plan(String),
    /// The same after a while.
    Late(String),
    /// 5 MB of garbage.
    Garbage,
    /// Accepts and never answers.
    Hangs,
    /// Sends the head and the first bytes, and then stops.
    Stalls,
    Throttles,
}

/// The times that the service reports.
#[derive(Debug, Clone, Copy)]
pub struct Dates {
    /// When it stored its content.
    pub taken: SystemTime,
    /// Whether it reports that; Systems Manager and S3 always do, AppConfig's agent may not.
    pub tells: bool,
    /// How many seconds its clock is fast.
    pub fast: u64,
}

pub struct Service {
    kind: Kind,
    pub address: SocketAddr,
    content: Mutex<Content>,
    dates: Mutex<Dates>,
    /// Requests so far.
    pub asked: AtomicUsize,
    /// Answers that contained a plan.
    pub carried: AtomicUsize,
    /// What was wrong with requests.
    pub problems: Mutex<Vec<String>>,
}

impl Service {
    pub async fn start(kind: Kind, content: Content) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Arc::new(Self {
            kind,
            address: listener.local_addr().unwrap(),
            content: Mutex::new(content),
            dates: Mutex::new(Dates { taken: SystemTime::now(), tells: kind != Kind::AppConfig, fast: 0 }),
            asked: AtomicUsize::new(0),
            carried: AtomicUsize::new(0),
            problems: Mutex::default(),
        });
        let serving = Arc::clone(&service);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        service
    }

    pub fn put(&self, content: Content) {
        self.dates.lock().unwrap().taken = SystemTime::now();
        *self.content.lock().unwrap() = content;
    }

    /// Sets the age of the content, and how many seconds the service's clock is fast; both are
    /// reported.
    pub fn age(&self, age: Duration, fast: u64) {
        *self.dates.lock().unwrap() = Dates { taken: SystemTime::now() - age, tells: true, fast };
    }

    /// `Date` and, if reported, `Last-Modified`; and the latter in ms since 1970.
    fn dates(&self) -> (String, u64) {
        let Dates { taken, tells, fast } = *self.dates.lock().unwrap();
        let fast = Duration::from_secs(fast);
        let mut headers = format!("Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now() + fast));
        if tells {
            headers += &format!("Last-Modified: {}\r\n", httpdate::fmt_http_date(taken + fast));
        }
        (headers, u64::try_from((taken + fast).duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut kept = Vec::new();
        while let Some(request) = read_message(&mut stream, &mut kept).await {
            if let Err(problem) = self.check(&request) {
                self.problems.lock().unwrap().push(problem);
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            let content = self.content.lock().unwrap().clone();
            let answer = match content {
                Content::Plan(plan) => self.plan(&request, &plan),
                Content::Late(plan) => {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    self.plan(&request, &plan)
                }
                Content::Absent => self.refusal(404, "ParameterNotFound", "NoSuchKey"),
                Content::Throttles => self.refusal(429, "ThrottlingException", "SlowDown"),
                Content::Garbage => answer("200 OK", "", &SECRET.repeat(5_000_000 / SECRET.len())),
                Content::Hangs => return std::future::pending().await,
                Content::Stalls => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"version\":").await;
                    return std::future::pending().await;
                }
            };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    fn plan(&self, request: &Message, plan: &str) -> Vec<u8> {
        let tag = format!("\"{:x}\"", plan.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
        if self.kind == Kind::Object && request.header("if-none-match") == Some(&tag) {
            return format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n").into_bytes();
        }
        self.carried.fetch_add(1, Ordering::SeqCst);
        let (dates, taken_ms) = self.dates();
        match self.kind {
            Kind::AppConfig => answer("200 OK", &format!("Configuration-Version: 3\r\n{dates}"), plan),
            Kind::Object => answer("200 OK", &format!("ETag: {tag}\r\n{dates}"), plan),
            Kind::Parameter => {
                let parameter = serde_json::json!({"Parameter": {
                    "ARN": "arn:aws:ssm:us-east-1:123456789012:parameter/brownout/plan", "DataType": "text",
                    "LastModifiedDate": taken_ms as f64 / 1000.0,
                    "Name": "/brownout/plan", "Type": "SecureString", "Value": plan, "Version": 1,
                }});
                let date = dates.split_inclusive('\n').next().unwrap_or_default();
                answer("200 OK", &format!("Content-Type: application/x-amz-json-1.1\r\n{date}"), &parameter.to_string())
            }
        }
    }

    fn refusal(&self, status: u16, json: &str, xml: &str) -> Vec<u8> {
        match self.kind {
            Kind::AppConfig => answer(&format!("{status} No"), "", SECRET),
            Kind::Parameter => answer("400 Bad Request", "", &format!(r#"{{"__type":"{json}","message":"{SECRET}"}}"#)),
            Kind::Object => answer(&format!("{status} No"), "", &format!("<Error><Code>{xml}</Code><Message>{SECRET}</Message></Error>")),
        }
    }

    fn check(&self, request: &Message) -> Result<(), String> {
        let line = request.head.lines().next().unwrap_or_default();
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let signed =
            header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") && header("x-amz-security-token") == "token";
        let fits = match self.kind {
            Kind::AppConfig => line == "GET /applications/my%20app/environments/prod/configurations/faults HTTP/1.1",
            Kind::Parameter => {
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
                signed
                    && line == "POST / HTTP/1.1"
                    && header("x-amz-target") == "AmazonSSM.GetParameter"
                    && header("content-type") == "application/x-amz-json-1.1"
                    && body == serde_json::json!({"Name": "/brownout/plan", "WithDecryption": true})
            }
            Kind::Object => signed && line.starts_with("GET /plans/run/plan.json") && request.body.is_empty(),
        };
        if fits { Ok(()) } else { Err(format!("{:?} was asked: {}", self.kind, request.head)) }
    }

    /// The extension's setting for this service, and the variables that lead to it.
    pub fn setting(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let setting = match self.kind {
            Kind::AppConfig => "appconfig:my app/prod/faults",
            Kind::Parameter => "ssm:/brownout/plan",
            Kind::Object => "s3://plans/run/plan.json",
        };
        (setting, variables(self.address))
    }
}

/// Variables that lead everything to this address; a client that uses the proxy variables reaches
/// nothing.
pub fn variables(address: SocketAddr) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", address.port().to_string()),
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI".to_owned()),
        ("AWS_SESSION_TOKEN", "token".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
    ];
    for proxy in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        variables.push((proxy, "http://127.0.0.1:1".to_owned()));
    }
    variables
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
