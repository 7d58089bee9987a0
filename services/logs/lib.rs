//! CloudWatch Logs.
#![allow(dead_code)]
mod pattern;
