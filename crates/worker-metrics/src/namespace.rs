//! How metrics and attributes of a source are called.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::attribute::Attribute;
use crate::catalogue::Definition;

/// The first part of the names of a source's metrics and attributes: `tokio`, `worker_pool`, or an
/// executor's own.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Attribute, Metric, Namespace};
///
/// let parks = Metric::WorkerParks.definition();
/// assert_eq!(Namespace::TOKIO.metric(parks), "tokio.worker.parks");
/// assert_eq!(Namespace::TOKIO.attribute(Attribute::Name), "tokio.runtime.name");
///
/// let render = Namespace::new("render")?;
/// assert_eq!(render.metric(parks), "render.worker.parks");
/// assert_eq!(render.attribute(Attribute::Name), "render.name");
/// # Ok::<(), worker_metrics::NamespaceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(Cow<'static, str>);

impl Namespace {
    /// Tokio's runtimes, and nothing else.
    pub const TOKIO: Self = Self(Cow::Borrowed("tokio"));
    /// Pools and executors without a namespace of their own.
    pub const WORKER_POOL: Self = Self(Cow::Borrowed("worker_pool"));

    /// Longest namespace: OpenTelemetry allows 255 characters in the name of an instrument, and the
    /// catalogue's longest suffix takes fewer than 55 of them (test
    /// `the_longest_name_fits_an_instrument`).
    pub const MAX_LEN: usize = 200;

    /// A namespace of one or more parts, such as `render` or `acme.render_pool`.
    ///
    /// # Errors
    ///
    /// [`NamespaceError`] if `namespace` is empty, too long, not lower-case snake case with dots,
    /// or one that belongs to others: `tokio` and `otel`.
    pub fn new(namespace: impl Into<String>) -> Result<Self, NamespaceError> {
        let namespace = namespace.into();
        let error = |cause| NamespaceError { namespace: namespace.clone(), cause };
        if namespace.len() > Self::MAX_LEN {
            return Err(error(NamespaceErrorCause::TooLong));
        }
        if !namespace.split('.').all(is_snake_case) {
            return Err(error(NamespaceErrorCause::Malformed));
        }
        if matches!(namespace.split('.').next(), Some("tokio" | "otel")) {
            return Err(error(NamespaceErrorCause::Reserved));
        }
        Ok(Self(Cow::Owned(namespace)))
    }

    /// The namespace itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole name of a metric.
    #[must_use]
    pub fn metric(&self, definition: &Definition) -> String {
        format!("{}.{}", self.0, definition.suffix)
    }

    /// The key of an attribute.
    #[must_use]
    pub fn attribute(&self, attribute: Attribute) -> String {
        let suffix = match attribute {
            Attribute::Name => "name",
            Attribute::Id => "id",
            Attribute::Flavor => "flavor",
            Attribute::WorkerIndex => return format!("{}.worker.index", self.0),
            Attribute::WorkerState => return format!("{}.worker.state", self.0),
            Attribute::WorkerMicrostate => return format!("{}.worker.microstate", self.0),
            Attribute::StallCause => return format!("{}.stall.cause", self.0),
            Attribute::TaskGroup => return format!("{}.task.group.name", self.0),
            Attribute::BlockingThreadState => return format!("{}.blocking.thread.state", self.0),
        };
        if *self == Self::TOKIO { format!("tokio.runtime.{suffix}") } else { format!("{}.{suffix}", self.0) }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_snake_case(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_lowercase())
        && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A namespace that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceError {
    namespace: String,
    cause: NamespaceErrorCause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamespaceErrorCause {
    TooLong,
    Malformed,
    Reserved,
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = &self.namespace;
        match self.cause {
            NamespaceErrorCause::TooLong => write!(
                f,
                "the namespace has {} characters: use at most {}",
                namespace.len(),
                Namespace::MAX_LEN
            ),
            NamespaceErrorCause::Malformed => write!(
                f,
                "the namespace {namespace:?} is not lower-case words joined by dots: write it like \"render_pool\" or \
                 \"acme.render\""
            ),
            NamespaceErrorCause::Reserved => {
                write!(
                    f,
                    "the namespace {namespace:?} belongs to others: choose one that names your executor"
                )
            }
        }
    }
}

impl Error for NamespaceError {}
