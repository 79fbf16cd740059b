//! Observable instruments on a meter of the program's.
//!
//! Made when a meter provider is registered and when a source brings new rows; called back on the
//! reader's thread. Needs the OpenTelemetry API alone.
//!
//! `instruments (callback) → Cycle → Snapshots → Row → observe`

mod cycle;
mod instruments;
mod replay;

pub(crate) use instruments::RegisteredMeter;
