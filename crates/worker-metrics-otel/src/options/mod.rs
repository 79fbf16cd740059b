//! Options of an instrumentation, and the errors of bad ones.
//!
//! Set by the program before anything is attached. They export nothing themselves.

mod attach_error;
mod bounds;
mod export;
mod histogram;
mod watchdog;

pub use attach_error::AttachError;
pub use bounds::BoundsError;
#[cfg(feature = "otlp")]
pub(crate) use bounds::positions_of_bounds;
pub(crate) use export::ReplayOptions;
pub use export::{Detail, Histograms, Numbers, Options};
pub use histogram::{HistogramOptions, Sum};
pub use watchdog::{IntervalError, Watchdog};
