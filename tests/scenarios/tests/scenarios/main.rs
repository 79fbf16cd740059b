//! What users meet, each as a test against a real receiver.

mod blocked;
mod causes;
mod ends;
mod environments;
mod examples;
mod many;
mod nobody;
mod proxy;
mod service;
mod settings;
mod traps;
mod ways;
