//! What a run found, and how it is written down.
//!
//! `section → Chapter (text, Plot, Target) → Report → docs/benchmarks.md, docs/benchmarks/*.svg`

mod chapter;
mod machine;
mod plot;
mod prose;
mod ratios;
mod target;
mod versions;

use std::fs;
use std::io;
use std::path::Path;

pub(crate) use chapter::Chapter;
pub(crate) use plot::{Bars, Lines, Plot};
pub(crate) use ratios::Ratios;
pub(crate) use target::{Limit, Target, table as targets};
pub(crate) use versions::version_of;

const COMMAND: &str = "cargo run --release -p bench";

/// Every chapter of a run, with its title.
#[derive(Debug)]
pub(crate) struct Report {
    chapters: Vec<(&'static str, Chapter)>,
}

impl Report {
    pub(crate) fn new(chapters: Vec<(&'static str, Chapter)>) -> Self {
        Self { chapters }
    }

    /// The report in Markdown, with links to the plots in the folder `benchmarks` beside it.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "# Benchmarks\n\nWhat the instrumentation costs, side by side with its peers, as one run of\n\n```sh\n{COMMAND}\n```\n\n\
             wrote it down. {}\n\nRatios travel further than times: whatever is compared was measured in turns, in one run. \
             `{COMMAND} -- --only <section>` prints one section; `--help` names them.\n\n",
            machine::described()
        );
        let targets: Vec<_> = self.chapters.iter().flat_map(|(_, chapter)| &chapter.targets).collect();
        text += &target::table(&targets);
        for (title, chapter) in &self.chapters {
            text += &format!("\n## {title}\n\n{}", chapter.text);
            for plot in &chapter.plots {
                text += &format!("\n![{}](benchmarks/{}.svg)\n", plot.title, plot.file);
            }
        }
        prose::wrapped(&text)
    }

    /// Writes `benchmarks.md` and the plots into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let plots = folder.join("benchmarks");
        fs::create_dir_all(&plots)?;
        for plot in self.chapters.iter().flat_map(|(_, chapter)| &chapter.plots) {
            fs::write(plots.join(plot.file).with_extension("svg"), &plot.svg)?;
        }
        fs::write(folder.join("benchmarks.md"), self.markdown())
    }
}
