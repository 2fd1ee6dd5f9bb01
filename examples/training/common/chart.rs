//! Line charts as SVG in the folder `target`.
//!
//! plotters knows where ticks belong, and draws axes, grid and legend. With the SVG backend alone it is three
//! small crates.

use plotters::prelude::*;

use super::{Result, target};

/// A line: its name and its values at x = 0, 1, ...
pub type Line<'a> = (&'a str, &'a [f64]);

const COLORS: [RGBColor; 3] = [RGBColor(245, 170, 90), RGBColor(30, 90, 170), RGBColor(60, 140, 60)];

/// Draws losses, on a logarithmic axis, to `target/{file}.svg`.
pub fn losses(file: &str, lines: &[Line<'_>]) -> Result<()> {
    let logarithms: Vec<Vec<_>> =
        lines.iter().map(|(_, values)| values.iter().map(|&y| libm::log10(y)).collect()).collect();
    let lines: Vec<_> =
        lines.iter().zip(&logarithms).map(|((name, _), values)| (*name, &values[..])).collect();
    draw(file, ["iteration", "loss"], &lines, &|y| number(libm::exp10(*y)))
}

/// Draws values to `target/{file}.svg`.
pub fn values(file: &str, axes: [&str; 2], lines: &[Line<'_>]) -> Result<()> {
    draw(file, axes, lines, &|y| format!("{y:.1}"))
}

fn number(y: f64) -> String {
    if y < 0.01 { format!("{y:.1e}") } else { format!("{y:.3}") }
}

fn draw(file: &str, axes: [&str; 2], lines: &[Line<'_>], tick: &dyn Fn(&f64) -> String) -> Result<()> {
    let path = target(&format!("{file}.svg"))?;
    let area = SVGBackend::new(&path, (840, 460)).into_drawing_area();
    area.fill(&WHITE)?;

    let points = || lines.iter().flat_map(|(_, values)| values.iter().copied()).filter(|y| y.is_finite());
    let low = points().fold(f64::INFINITY, f64::min);
    let high = points().fold(f64::NEG_INFINITY, f64::max);
    let margin = 0.05 * (high - low);
    let length = lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..length as f64, low - margin..high + margin)?;
    let mut mesh = chart.configure_mesh();
    mesh.label_style(("sans-serif", 14))
        .x_desc(axes[0])
        .y_desc(axes[1])
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|x| format!("{x}"))
        .y_label_formatter(tick)
        .draw()?;

    for (i, (name, values)) in lines.iter().enumerate() {
        // The first line is the widest, so that it is seen beneath the others.
        let style = COLORS[i % COLORS.len()].stroke_width(if i == 0 && lines.len() > 1 { 5 } else { 2 });
        let points = values.iter().enumerate().filter(|(_, y)| y.is_finite()).map(|(x, &y)| (x as f64, y));
        let series = chart.draw_series(LineSeries::new(points, style))?;
        series.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    let mut legend = chart.configure_series_labels();
    legend
        .label_font(("sans-serif", 14))
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    println!("Drawn to target/{file}.svg");
    Ok(())
}
