//! What leaves a process, held against what each backend takes.
//!
//! ```text
//! Process ─ OTLP ─ embedded receiver ─ requests ─ check ─ BACKENDS ─ index of deploy/backends
//! ```

pub mod backend;
pub mod backends;
pub mod check;
pub mod document;
pub mod load;
pub mod process;
pub mod scale;
