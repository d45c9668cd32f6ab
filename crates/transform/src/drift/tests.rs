//! The rules together: a catalogue of mutations, healthy months, and real captures.

mod catalogue;
mod healthy;
mod judge;
mod market;
mod mutate;
mod real;
mod rules;
mod shapes;
