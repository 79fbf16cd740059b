//! What an export grows with, and what it does not grow with.
//!
//! ```text
//! report ─ for each dimension and size: processes in turns ─ Growth ─ Bridge ─ Points ─ tables, plots, target
//! ```

mod dimension;
mod points;
mod polls;
mod readers;
mod table;

use clap::Args;

use crate::FEWEST_ROUNDS;
use crate::process;
use crate::report::Chapter;
use dimension::Dimension;
use points::Points;

/// One size of one dimension, in a process of its own.
#[derive(Args, Debug)]
pub(crate) struct Growth {
    /// Exports what is grown in this dimension, and nothing else
    #[arg(long = "growth-of", hide = true, requires = "growth_to")]
    dimension: Option<Dimension>,

    /// To this size
    #[arg(long = "growth-to", id = "growth_to", hide = true)]
    size: Option<u64>,
}

impl Growth {
    /// What was measured; `None` if nothing was asked for.
    pub(crate) fn measure(&self, rounds: usize) -> Option<Points> {
        Some(self.dimension?.measure(self.size?, rounds))
    }
}

/// The tables of all dimensions.
pub(crate) fn report(rounds: usize) -> Chapter {
    let mut chapter = Chapter {
        text: format!(
            "Pools of the core, exported by this bridge: collected and encoded, not handed over to the thread that sends. Each size is \
             measured in processes of its own, in turns: the median of the least of {rounds} rounds each, or of as many as \
              fit into {:?}.\n",
            crate::export::LONGEST
        ),
        ..Chapter::default()
    };
    for dimension in Dimension::ALL {
        let (turns, sizes) = match rounds < FEWEST_ROUNDS {
            true => (1, dimension.fewest_sizes()),
            false => (dimension.turns(), dimension.sizes()),
        };
        let measured = in_turns(dimension, sizes, turns, rounds);
        chapter.text += &format!(
            "\n### With {}\n\n{} Processes for each size: {turns}.\n\n{}",
            dimension.title(),
            dimension.description(),
            table::of(dimension, &measured)
        );
        chapter.plots.push(table::plot(dimension, &measured));
        if dimension == Dimension::Polls {
            chapter.targets.push(polls::target(&measured));
        }
    }
    chapter
}

/// The median of each size.
fn in_turns(dimension: Dimension, sizes: &[u64], turns: usize, rounds: usize) -> Vec<(u64, Points)> {
    let mut measured = vec![Vec::with_capacity(turns); sizes.len()];
    for _ in 0..turns {
        for (size, measured) in sizes.iter().zip(&mut measured) {
            let (size, rounds) = (size.to_string(), rounds.to_string());
            let of = ["--growth-of", dimension.argument(), "--growth-to", &size, "--rounds", &rounds];
            measured.push(process::again(&of).parse().expect("it prints points"));
        }
    }
    let medians = measured.iter().map(|measured| Points::median(measured));
    sizes.iter().copied().zip(medians).collect()
}
