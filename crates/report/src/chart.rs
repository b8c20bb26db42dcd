//! Line charts as SVG.
//!
//! The drawing holds shapes and tick labels only. Names and captions stand around it in HTML, where they wrap, scale
//! and are escaped. Colours are those constants below; the style sheet replaces them by the theme's own.

mod axis;
mod scale;

use plotters::prelude::*;

use crate::chart::axis::Axis;
pub(crate) use crate::chart::scale::Scale;
use crate::schema::{LineChart, Series};

/// Colours of the lines, in order: Okabe and Ito's palette, "Color universal design" (2008), which people with any
/// colour vision can tell apart, and black. Yellow is left out, as it vanishes on paper.
pub(crate) const LINES: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x00, 0x00, 0x00),
];
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
const LABEL: RGBColor = RGBColor(0x55, 0x55, 0x55);

/// Drawing units per pixel: plotters rounds to whole units, which at one per pixel shows as kinks in a smooth curve.
const SCALE: u32 = 4;
/// More points than this in one line cannot be seen.
const MOST_POINTS: usize = 1200;
/// Lines with more points than this are drawn without dots.
const MOST_DOTS: usize = 30;

/// The size of a drawing in pixels.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    pub(crate) const WIDE: Self = Self { width: 760, height: 320 };
    pub(crate) const NARROW: Self = Self { width: 350, height: 250 };

    /// The `viewBox` of the drawing.
    pub(crate) fn view_box(self) -> String {
        format!("0 0 {} {}", self.width * SCALE, self.height * SCALE)
    }
}

/// A point in the chart's coordinates.
type Point = (f64, f64);

/// The content of an `<svg>` element; `None` if no point can be drawn.
///
/// # Panics
///
/// Never: plotters draws into memory, and every coordinate that it gets is finite.
pub(crate) fn line(chart: &LineChart, size: Size) -> Option<String> {
    let lines: Vec<Vec<Vec<Point>>> =
        chart.series.iter().map(|series| runs(series, [chart.log_x, chart.log_y])).collect();
    let points = || lines.iter().flatten().flatten();
    let x = if chart.log_x {
        Axis::logarithmic(points().map(|p| p.0), size.width / 60)?
    } else {
        Axis::linear(points().map(|p| p.0), size.width / 60, false)?
    };
    let y = if chart.log_y {
        Axis::logarithmic(points().map(|p| p.1), size.height / 50)?
    } else {
        Axis::linear(points().map(|p| p.1), size.height / 50, true)?
    };
    let mut svg = String::new();
    draw(&mut svg, &lines, &x, &y, size).expect("drawing into memory cannot fail");
    // The element itself is written by the page, which gives it a name and lets it scale.
    let start = svg.find('>')? + 1;
    let end = svg.rfind("</svg>")?;
    Some(svg[start..end].to_owned())
}

fn draw(
    svg: &mut String,
    lines: &[Vec<Vec<Point>>],
    x: &Axis,
    y: &Axis,
    size: Size,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, (size.width * SCALE, size.height * SCALE)).into_drawing_area();
    let label_width = y.widest_label() as u32 * 8 + 12;
    let mut chart = ChartBuilder::on(&root)
        .margin_top(10 * SCALE)
        // Half of the last label may stand out.
        .margin_right((x.widest_label() as u32 * 4).max(14) * SCALE)
        .x_label_area_size(26 * SCALE)
        .y_label_area_size(label_width * SCALE)
        .build_cartesian_2d(x.clone(), y.clone())?;
    // plotters writes SVG text at 1/1.24 of its size: this is 12.5 pixels.
    let font = ("sans-serif", 15.5 * f64::from(SCALE)).into_font().color(&LABEL);
    chart
        .configure_mesh()
        .disable_x_mesh()
        // Not disable_axes, which takes the labels with it.
        .axis_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(SCALE))
        .label_style(font)
        .draw()?;
    for (index, runs) in lines.iter().enumerate() {
        let color = LINES[index % LINES.len()];
        let dots = runs.iter().map(Vec::len).sum::<usize>() <= MOST_DOTS;
        for run in runs {
            chart.draw_series(LineSeries::new(thin(run), color.stroke_width(2 * SCALE + SCALE / 4)))?;
            // A lone point has no line to be seen by.
            if dots || run.len() == 1 {
                chart.draw_series(run.iter().map(|&p| Circle::new(p, 3 * SCALE, color.filled())))?;
            }
        }
    }
    root.present()?;
    Ok(())
}

/// The stretches of a series that can be drawn, between its gaps; `logarithmic` says which of x and y are.
fn runs(series: &Series, logarithmic: [bool; 2]) -> Vec<Vec<Point>> {
    // Beyond this, differences of coordinates overflow; no axis could show them anyway.
    let drawable = |v: f64| v.abs() < 1e100;
    let place = |v: f64, logarithmic: bool| match logarithmic {
        true => (v > 1e-100 && drawable(v)).then(|| v.log10()),
        false => drawable(v).then_some(v),
    };
    let [log_x, log_y] = logarithmic;
    let points = series.points.iter().map(|[x, y]| Some((place(x.0, log_x)?, place(y.0, log_y)?)));
    let points: Vec<_> = points.collect();
    points
        .split(Option::is_none)
        .filter(|run| !run.is_empty())
        .map(|run| run.iter().copied().flatten().collect())
        .collect()
}

/// A line with the same look and fewer points: the lowest and the highest of each stretch, in their order, and both
/// ends.
fn thin(run: &[Point]) -> Vec<Point> {
    if run.len() <= MOST_POINTS {
        return run.to_vec();
    }
    let stretch = run.len().div_ceil(MOST_POINTS / 2);
    let mut kept = vec![run[0]];
    for points in run.chunks(stretch) {
        let by_y = |a: &usize, b: &usize| points[*a].1.total_cmp(&points[*b].1);
        let low = (0..points.len()).min_by(by_y);
        let high = (0..points.len()).max_by(by_y);
        let (first, second) = (low.min(high), low.max(high));
        kept.extend(first.into_iter().chain(second.filter(|_| low != high)).map(|index| points[index]));
    }
    kept.push(run[run.len() - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_ends_extremes_and_order() {
        let run: Vec<Point> = (0..100_000).map(|i| (f64::from(i), f64::from((i * 7919) % 10_007))).collect();
        let thinned = thin(&run);
        assert!(thinned.len() <= MOST_POINTS + 2, "{} points", thinned.len());
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (run[0], run[99_999]));
        assert!(thinned.is_sorted_by_key(|p| p.0));
        let highest = |points: &[Point]| points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        let lowest = |points: &[Point]| points.iter().map(|p| p.1).fold(f64::MAX, f64::min);
        assert_eq!((highest(&thinned), lowest(&thinned)), (highest(&run), lowest(&run)));
    }

    #[test]
    fn gaps_part_a_line_and_a_logarithm_drops_what_it_cannot_show() {
        let points =
            [[0.0, 1.0], [1.0, f64::NAN], [2.0, 0.0], [3.0, 10.0], [4.0, 100.0], [5.0, f64::INFINITY]];
        let series = Series::new("", points);
        let runs = |log_x, log_y| runs(&series, [log_x, log_y]);
        assert_eq!(runs(false, false), [vec![(0.0, 1.0)], vec![(2.0, 0.0), (3.0, 10.0), (4.0, 100.0)]]);
        assert_eq!(runs(false, true), [vec![(0.0, 0.0)], vec![(3.0, 1.0), (4.0, 2.0)]]);
        let (two, three, four) = (2f64.log10(), 3f64.log10(), 4f64.log10());
        assert_eq!(runs(true, false), [[(two, 0.0), (three, 10.0), (four, 100.0)]]);
        assert_eq!(runs(true, true), [[(three, 1.0), (four, 2.0)]]);
    }
}
