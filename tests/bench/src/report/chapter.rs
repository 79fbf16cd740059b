//! What one section found.

use super::{Plot, Target};

/// Text with tables in Markdown, plots, and what was promised.
#[derive(Debug, Default)]
pub(crate) struct Chapter {
    pub(crate) text: String,
    pub(crate) plots: Vec<Plot>,
    pub(crate) targets: Vec<Target>,
}

impl From<String> for Chapter {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}
