//! What AWS charges, in one table: on-demand prices of us-east-1 in US dollars, before free tiers. Other Regions differ by up to a half.

/// One price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// What is paid for.
    pub of: &'static str,
    /// US dollars for one.
    pub usd: f64,
    /// AWS's page that has it.
    pub source: &'static str,
    /// The month for which it was found there, or on a page that quotes it.
    pub read: &'static str,
}

macro_rules! prices {
    ($($name:ident: $of:literal, $usd:expr, $source:literal, $read:literal;)*) => {
        $(#[doc = $of] pub const $name: Price = Price { of: $of, usd: $usd, source: $source, read: $read };)*
        /// All of them.
        pub const PRICES: &[Price] = &[$($name),*];
    };
}

prices! {
    INVOCATION: "a request to Lambda", 0.20 / 1e6, "https://aws.amazon.com/lambda/pricing/", "2026-05";
    GB_SECOND: "a GB-second of Lambda on x86_64; arm64 is a fifth cheaper", 0.000_016_666_7, "https://aws.amazon.com/lambda/pricing/", "2026-05";
    API_REQUEST: "a request to a REST API; to an HTTP API, less than a third", 3.50 / 1e6, "https://aws.amazon.com/api-gateway/pricing/", "2025-06";
    LOG_GB: "a GB that CloudWatch Logs takes in", 0.50, "https://aws.amazon.com/cloudwatch/pricing/", "2026-06";
    PARAMETER_CALL: "a call about an advanced parameter of Systems Manager; a standard one is free", 0.05 / 1e4, "https://aws.amazon.com/systems-manager/pricing/", "2025-06";
    S3_READ: "a GET of an object in S3", 0.0004 / 1e3, "https://aws.amazon.com/s3/pricing/", "2025-06";
    APPCONFIG_READ: "a configuration request to AppConfig", 0.0000002, "https://aws.amazon.com/systems-manager/pricing/", "2025-06";
    ACTION_MINUTE: "a minute of an action of FIS", 0.10, "https://aws.amazon.com/fis/pricing/", "2026-06";
    AUTOMATION_STEP: "a step of an automation of Systems Manager", 0.002, "https://aws.amazon.com/systems-manager/pricing/", "2025-06";
}
