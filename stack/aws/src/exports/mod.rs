//! What is written out for AWS's own tools.

pub mod alarms;
mod text;
