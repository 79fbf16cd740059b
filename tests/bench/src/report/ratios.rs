//! Ratios near 1 with the ends between which they lie, on a linear scale.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::plot::{FONT, HEIGHT_OF_BAR, INTO_MEMORY, Plot, drawn};
use crate::estimate::Estimate;

/// One dot with its ends for each thing that is compared.
#[derive(Debug)]
pub(crate) struct Ratios {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) values: &'static str,
    pub(crate) ratios: Vec<(String, Estimate)>,
}

impl From<Ratios> for Plot {
    fn from(Ratios { file, title, values, ratios }: Ratios) -> Self {
        let height = HEIGHT_OF_BAR * (u32::try_from(ratios.len()).unwrap_or(0) + 4);
        let svg = drawn(height, |area| {
            // 1 is always in the picture.
            let from = ratios.iter().map(|(_, ratio)| ratio.low).fold(0.99, f64::min);
            let to = ratios.iter().map(|(_, ratio)| ratio.high).fold(1.01, f64::max);
            let room = (to - from) / 20.0;
            let mut chart = ChartBuilder::on(area)
                .caption(title, (FONT, 18))
                .margin(10)
                .margin_right(60)
                .x_label_area_size(40)
                .y_label_area_size(320)
                .build_cartesian_2d(from - room..to + room, 0.0..ratios.len() as f64)
                .expect(INTO_MEMORY);
            // The first of the table is the topmost.
            let place = |index: usize| (ratios.len() - 1 - index) as f64 + 0.5;
            chart
                .configure_mesh()
                .disable_y_mesh()
                .light_line_style(WHITE)
                .disable_y_axis()
                .x_desc(values)
                .draw()
                .expect(INTO_MEMORY);
            let bare = PathElement::new([(1.0, 0.0), (1.0, ratios.len() as f64)], BLACK.mix(0.5));
            chart.draw_series([bare]).expect(INTO_MEMORY);
            for (index, (name, Estimate { value, low, high })) in ratios.iter().enumerate() {
                let (color, y) = (Palette99::pick(index), place(index));
                let ends = PathElement::new([(*low, y), (*high, y)], color.stroke_width(2));
                chart.draw_series([ends]).expect(INTO_MEMORY);
                chart.draw_series([Circle::new((*value, y), 4, color.filled())]).expect(INTO_MEMORY);
                let (x, y) = chart.backend_coord(&(from - room, y));
                let right = (FONT, 13).into_text_style(area).pos(Pos::new(HPos::Right, VPos::Center));
                area.draw_text(name, &right, (x - 6, y)).expect(INTO_MEMORY);
            }
        });
        Self { file, title, svg }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_of_ratios_names_everything_that_it_compares() {
        let ratios = vec![("attached".to_owned(), Estimate { value: 0.995, low: 0.97, high: 1.001 })];
        let plot = Plot::from(Ratios { file: "ratios", title: "Throughput", values: "against bare", ratios });
        for text in ["attached", "Throughput", "against bare"] {
            assert!(plot.svg.contains(text), "{text}");
        }
    }
}
