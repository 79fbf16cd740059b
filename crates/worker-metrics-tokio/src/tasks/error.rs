//! Why tasks cannot be measured as asked.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::TaskMetrics;

/// Task groups that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskMetricsError {
    /// A group has no name.
    NoName,
    /// A name is longer than [`TaskMetrics::MAX_GROUP_NAME_LEN`] bytes.
    NameTooLong(String),
    /// Two groups have one name.
    Twice(String),
    /// More than [`TaskMetrics::MAX_GROUPS`] groups.
    TooMany(usize),
}

impl fmt::Display for TaskMetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => {
                f.write_str("a task group has an empty name: give it the name that its series shall carry")
            }
            Self::NameTooLong(name) => write!(
                f,
                "the name of the task group {:?}… has {} bytes: use at most {}",
                name.chars().take(40).collect::<String>(),
                name.len(),
                TaskMetrics::MAX_GROUP_NAME_LEN
            ),
            Self::Twice(name) => write!(f, "the task group {name:?} is named twice: name it once"),
            Self::TooMany(groups) => write!(
                f,
                "{groups} task groups are too many: name at most {}, since each is a series of every histogram",
                TaskMetrics::MAX_GROUPS
            ),
        }
    }
}

impl Error for TaskMetricsError {}

/// There is no such task group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTaskGroupError {
    pub(super) name: String,
    pub(super) known: Vec<Arc<str>>,
}

impl fmt::Display for UnknownTaskGroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, known } = self;
        write!(f, "there is no task group {name:?}: ")?;
        match known.is_empty() {
            true => f.write_str("name it with `TaskMetrics::builder().group(…)`"),
            false => write!(
                f,
                "use one of \"{}\", or name it when the task metrics are built",
                known.join("\", \"")
            ),
        }
    }
}

impl Error for UnknownTaskGroupError {}
