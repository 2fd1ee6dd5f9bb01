//! Line charts as SVG in cargo's folder of targets.
//!
//! plotters draws axes, grid and legend. With the SVG backend alone it is three small crates. Ticks stand at 1, 2 and 5
//! times powers of ten, or at multiples of such a number.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{Result, target};

/// A line: its name and its values at x = 0, 1, ...
pub type Line<'a> = (&'a str, &'a [f64]);

const COLORS: [RGBColor; 3] = [RGBColor(245, 170, 90), RGBColor(30, 90, 170), RGBColor(60, 140, 60)];

/// Draws losses, on a logarithmic axis, to `{file}.svg`.
pub fn losses(file: &str, lines: &[Line<'_>]) -> Result<()> {
    let logarithms: Vec<Vec<_>> =
        lines.iter().map(|(_, values)| values.iter().map(|&y| libm::log10(y)).collect()).collect();
    let logarithms: Vec<_> =
        lines.iter().zip(&logarithms).map(|((name, _), values)| (*name, &values[..])).collect();
    let (low, high) = limits(lines);
    let ticks = if high < 10.0 * low { multiples(low, high) } else { powers(low, high) };
    let ticks = ticks.into_iter().map(libm::log10).collect();
    draw(file, ["iteration", "loss"], &logarithms, ticks, |y| number(libm::exp10(y)))
}

/// Draws values to `{file}.svg`.
pub fn values(file: &str, names: [&str; 2], lines: &[Line<'_>]) -> Result<()> {
    let (low, high) = limits(lines);
    draw(file, names, lines, multiples(low, high), number)
}

/// An axis whose ticks are given.
struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
    label: fn(f64) -> String,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        (self.label)(*value)
    }
}

/// The smallest and the largest finite value.
fn limits(lines: &[Line<'_>]) -> (f64, f64) {
    let finite = || lines.iter().flat_map(|(_, values)| values.iter().copied()).filter(|y| y.is_finite());
    (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max))
}

/// 1, 2 and 5 times the powers of ten between two numbers; over more than four powers only these.
fn powers(low: f64, high: f64) -> Vec<f64> {
    let [first, last] = [low, high].map(|y| libm::floor(libm::log10(y)) as i32);
    let digits: &[f64] = if last - first > 4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let all =
        (first..=last).flat_map(|power| digits.iter().map(move |digit| digit * libm::exp10(power.into())));
    all.filter(|y| (low..=high).contains(y)).collect()
}

/// The multiples between two numbers of 1, 2 or 5 times a power of ten, ten at most.
fn multiples(low: f64, high: f64) -> Vec<f64> {
    let power = libm::exp10(libm::floor(libm::log10((high - low) / 10.0)));
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    let step = steps.into_iter().find(|step| high - low <= 10.0 * step).unwrap_or(steps[3]);
    let [first, last] = [libm::ceil(low / step), libm::floor(high / step)].map(|multiple| multiple as i64);
    (first..=last).map(|multiple| multiple as f64 * step).collect()
}

/// A number with the decimals that it has.
fn number(y: f64) -> String {
    if y != 0.0 && y.abs() < 0.999e-3 {
        return format!("{y:.0e}");
    }
    format!("{y:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn draw(
    file: &str,
    names: [&str; 2],
    lines: &[Line<'_>],
    ticks: Vec<f64>,
    label: fn(f64) -> String,
) -> Result<()> {
    let path = target(&format!("{file}.svg"))?;
    let area = SVGBackend::new(&path, (840, 460)).into_drawing_area();
    area.fill(&WHITE)?;

    let (low, high) = limits(lines);
    let margin = 0.05 * (high - low);
    let length = lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0) as f64;
    let x = Axis { range: 0.0..length, ticks: multiples(0.0, length), label: number };
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(x, Axis { range: low - margin..high + margin, ticks, label })?;
    let mut mesh = chart.configure_mesh();
    mesh.label_style(("sans-serif", 14))
        .x_desc(names[0])
        .y_desc(names[1])
        .light_line_style(TRANSPARENT)
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
    println!("Drawn to {}", path.display());
    Ok(())
}
