//! An experiment on functions in AWS.

#[cfg(test)]
extern crate self as aws;

pub mod exports;
