//! The resolver from outside: named cases, and properties that hold for every input.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod cases;
mod properties;
mod said;
mod support;
