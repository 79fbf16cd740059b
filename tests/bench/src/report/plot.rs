//! Plots as SVG, on logarithmic scales: what is compared lies orders of magnitude apart.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A plot that a chapter shows.
#[derive(Debug)]
pub(crate) struct Plot {
    /// Its file's name, without the extension.
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) svg: String,
}

/// One bar for each thing that is compared.
#[derive(Debug)]
pub(crate) struct Bars {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    /// What the numbers are, with the unit.
    pub(crate) values: &'static str,
    pub(crate) bars: Vec<(String, f64)>,
}

/// One line for each thing that is compared.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

const WIDTH: u32 = 900;
const HEIGHT: u32 = 480;
const HEIGHT_OF_LEGEND_LINE: u32 = 17;
pub(super) const HEIGHT_OF_BAR: u32 = 28;
pub(super) const FONT: &str = "sans-serif";
pub(super) const INTO_MEMORY: &str = "a plot into memory cannot fail";

impl From<Bars> for Plot {
    fn from(Bars { file, title, values, bars }: Bars) -> Self {
        let height = HEIGHT_OF_BAR * (u32::try_from(bars.len()).unwrap_or(0) + 4);
        let svg = drawn(height, |area| {
            let (from, to) = range(bars.iter().map(|(_, value)| *value));
            let mut chart = ChartBuilder::on(area)
                .caption(title, (FONT, 18))
                .margin(10)
                .margin_right(60)
                .x_label_area_size(40)
                .y_label_area_size(380)
                .build_cartesian_2d((from..to).log_scale(), 0.0..bars.len() as f64)
                .expect(INTO_MEMORY);
            // The first of the table is the topmost bar.
            let place = |index: usize| (bars.len() - 1 - index) as f64;
            chart.configure_mesh().disable_mesh().disable_y_axis().x_desc(values).draw().expect(INTO_MEMORY);
            let bars_of = bars.iter().enumerate().map(|(index, (_, value))| {
                let (low, high) = (place(index) + 0.15, place(index) + 0.85);
                Rectangle::new([(from, low), (*value, high)], Palette99::pick(index).filled())
            });
            chart.draw_series(bars_of).expect(INTO_MEMORY);
            for (index, (name, value)) in bars.iter().enumerate() {
                let (x, y) = chart.backend_coord(&(from, place(index) + 0.5));
                let right = (FONT, 13).into_text_style(area).pos(Pos::new(HPos::Right, VPos::Center));
                area.draw_text(name, &right, (x - 6, y)).expect(INTO_MEMORY);
                let end = chart.backend_coord(&(*value, place(index) + 0.5));
                let left = (FONT, 12).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
                area.draw_text(&short(*value), &left, (end.0 + 4, end.1)).expect(INTO_MEMORY);
            }
        });
        Self { file, title, svg }
    }
}

impl From<Lines> for Plot {
    fn from(Lines { file, title, x, y, lines }: Lines) -> Self {
        let legend_height = HEIGHT_OF_LEGEND_LINE * (u32::try_from(lines.len()).unwrap_or(0) + 1);
        let svg = drawn(HEIGHT + legend_height, |area| {
            let points = || lines.iter().flat_map(|(_, points)| points);
            let (left, right) = range(points().map(|(x, _)| *x));
            let (low, high) = range(points().map(|(_, y)| *y));
            // The legend is above all lines, and hides none.
            let high = high * (high / low).powf(f64::from(legend_height) / f64::from(HEIGHT));
            let mut chart = ChartBuilder::on(area)
                .caption(title, (FONT, 18))
                .margin(10)
                .x_label_area_size(45)
                .y_label_area_size(80)
                .build_cartesian_2d((left..right).log_scale(), (low..high).log_scale())
                .expect(INTO_MEMORY);
            let (x_text, y_text) = (|x: &f64| short(*x), |y: &f64| short(*y));
            chart
                .configure_mesh()
                .x_desc(x)
                .y_desc(y)
                .x_label_formatter(&x_text)
                .y_label_formatter(&y_text)
                .light_line_style(WHITE)
                .draw()
                .expect(INTO_MEMORY);
            for (index, (name, points)) in lines.iter().enumerate() {
                let color = Palette99::pick(index).stroke_width(2);
                let line = LineSeries::new(points.iter().copied(), color).point_size(3);
                chart
                    .draw_series(line)
                    .expect(INTO_MEMORY)
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
            }
            let mut legend = chart.configure_series_labels();
            legend.position(SeriesLabelPosition::UpperLeft).label_font((FONT, 13)).margin(6);
            legend.background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.3)).draw().expect(INTO_MEMORY);
        });
        Self { file, title, svg }
    }
}

pub(super) fn drawn(height: u32, draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>)) -> String {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).expect(INTO_MEMORY);
    draw(&area);
    area.present().expect(INTO_MEMORY);
    drop(area);
    svg
}

/// From below the least to above the largest value, on a logarithmic scale.
fn range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let positive = values.filter(|value| *value > 0.0);
    let (least, most) =
        (positive.clone().fold(f64::MAX, f64::min), positive.fold(f64::MIN_POSITIVE, f64::max));
    (least.min(most) / 1.6, most * 1.6)
}

/// A number with the digits that a label has room for.
fn short(value: f64) -> String {
    match value.abs() {
        1e9.. => format!("{:.3}G", value / 1e9).replace(".000", ""),
        1e6.. => format!("{:.1}M", value / 1e6).replace(".0M", "M"),
        1e4.. => format!("{:.0}k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_everything_that_it_compares() {
        let bars = vec![("an addition".to_owned(), 0.3), ("a histogram".to_owned(), 25.0)];
        let plot = Plot::from(Bars { file: "recording", title: "One event", values: "ns", bars });
        let lines = vec![("the bridge".to_owned(), vec![(4.0, 10.0), (256.0, 500.0)])];
        let other = Plot::from(Lines { file: "export", title: "An export", x: "workers", y: "µs", lines });
        for (svg, texts) in [
            (&plot.svg, ["an addition", "a histogram", "One event"]),
            (&other.svg, ["the bridge", "workers", "µs"]),
        ] {
            assert!(svg.starts_with("<svg"));
            for text in texts {
                assert!(svg.contains(text), "{text}");
            }
        }
    }
}
