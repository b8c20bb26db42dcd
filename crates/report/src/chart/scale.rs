use crate::schema::BarChart;

/// Where the values of a bar chart lie between its ends; zero is always among them.
pub(crate) struct Scale {
    low: f64,
    /// Halved, for the difference of two finite numbers may not be finite.
    half: f64,
}

impl Scale {
    /// The scale that just holds all bars and whiskers.
    pub(crate) fn new(chart: &BarChart) -> Self {
        let bars = chart.bars.iter();
        let ends = bars.flat_map(|bar| bar.value.ends().into_iter().flatten().chain(bar.value.estimate()));
        let (low, high) = ends.fold((0.0f64, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        Self { low, half: (high / 2.0 - low / 2.0).max(f64::MIN_POSITIVE) }
    }

    /// From 0 at the lower end to 1 at the upper one.
    pub(crate) fn place(&self, value: f64) -> f64 {
        (value / 2.0 - self.low / 2.0) / self.half
    }
}
