//! An experiment on functions in AWS.

pub mod exports;
