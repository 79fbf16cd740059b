//! Where the table is drawn.

use console::{Term, truncate_str};

use crate::error::Failure;

/// Standard output, or with `--json` standard error.
#[derive(Debug)]
pub(crate) struct Screen {
    term: Term,
    /// What was shown last, to be drawn over.
    lines: usize,
}

impl Screen {
    /// With `--json`, standard output is for the document alone.
    pub(crate) fn new(json: bool) -> Self {
        Self { term: if json { Term::stderr() } else { Term::stdout() }, lines: 0 }
    }

    /// Whether what was shown can be drawn over.
    pub(crate) fn is_live(&self) -> bool {
        self.term.is_term()
    }

    /// The number of columns, if it is known.
    pub(crate) fn columns(&self) -> Option<u16> {
        self.term.size_checked().map(|(_, columns)| columns)
    }

    /// Writes `text` below everything.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.lines = 0;
        let printed = self.term.write_str(text).and_then(|()| self.term.flush());
        printed.map_err(|cause| Failure::run("the terminal", cause))
    }

    /// Draws `text` over what was shown last.
    pub(crate) fn show(&mut self, text: &str) -> Result<(), Failure> {
        let cleared = match self.term.size_checked() {
            Some((rows, _)) if self.lines >= usize::from(rows) => self.term.clear_screen(),
            _ => self.term.clear_last_lines(self.lines),
        };
        cleared.map_err(|cause| Failure::run("the terminal", cause))?;
        // A line that wraps would be two, of which one is drawn over.
        let fitting = |columns: u16| {
            let lines = text.lines().map(|line| truncate_str(line, usize::from(columns), "…"));
            lines.map(|line| line.into_owned() + "\n").collect::<String>()
        };
        let fitting = self.columns().map(fitting);
        self.print(fitting.as_deref().unwrap_or(text))?;
        self.lines = text.lines().count();
        Ok(())
    }
}
