//! The catalogue as the documents show it.

pub mod table;

/// The programs in the project's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
