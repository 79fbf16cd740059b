//! What became of a part.

use super::PartId;

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver answered.
    Acknowledged {
        /// Number of points that it rejected. If it was not all of them, nobody knows which: none is sent again, since it could
        /// be counted twice. Report it.
        rejected: i64,
    },
    /// It did not get there, as far as anybody knows: the next export carries it. If it did, and only the answer was lost, a delta
    /// is in both: OTLP has nothing to tell them apart by.
    Failed,
}

impl Outcome {
    /// Whether the receiver took any of it. Of a partial success nobody knows which points were rejected, unless all were.
    pub(crate) fn is_delivered(self, part: PartId) -> bool {
        match self {
            Self::Acknowledged { rejected } => {
                usize::try_from(rejected).map_or(rejected < 0, |rejected| rejected < part.points)
            }
            Self::Failed => false,
        }
    }
}
