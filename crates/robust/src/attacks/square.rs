use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, draws::Draws, found::Found, loss};

/// Random search that asks for scores only: changes a square of the picture, and keeps the change where the true class's
/// margin shrinks. Squares become smaller.
///
/// With pictures (`Batch::pictures`) a change is a square of pixels; a row of values is changed in pieces.
///
/// M. Andriushchenko et al.: Square Attack: a query-efficient black-box adversarial attack via random search, 2020,
/// algorithms 1 to 3, with AutoAttack's schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Square {
    /// Questions to the model at most.
    #[schemars(range(min = 1))]
    pub queries: u32,
    /// The share of the picture that the first squares cover.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub share: f64,
}

impl Default for Square {
    /// 5000 queries and a first share of 0.8, as in AutoAttack.
    fn default() -> Self {
        Self { queries: 5000, share: 0.8 }
    }
}

/// One example on its way.
struct Track {
    index: usize,
    best: Vec<f32>,
    margin: f32,
    rng: ChaCha8Rng,
}

impl Attack for Square {
    fn access(&self) -> Access {
        Access::Scores
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf, Norm::L2]
    }

    fn run(
        &self,
        victim: Victim<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Adversarial {
        let model = victim.scores();
        let draws = Draws::new(rng);
        let mut found = Found::new(batch, threat, model);
        let grid = Grid::new(batch, model.features());
        let open = found.open();
        let mut tracks: Vec<Track> = (open.into_iter())
            .map(|index| {
                let mut rng = draws.of(index, 0);
                let mut best = batch.input(index).to_vec();
                match threat.norm() {
                    Norm::Linf => grid.stripes(&mut best, threat.eps(), &mut rng),
                    _ => grid.tiles(batch.input(index), &mut best, threat.eps(), &mut rng),
                }
                threat.project(batch.input(index), &mut best);
                Track { index, best, margin: f32::INFINITY, rng }
            })
            .collect();
        for query in 0..self.queries {
            if tracks.is_empty() {
                break;
            }
            let share = self.share_at(query);
            let mut inputs = Vec::with_capacity(tracks.len() * model.features());
            for track in &mut tracks {
                let clean = batch.input(track.index);
                let mut input = track.best.clone();
                // The first question is the start itself.
                if query > 0 {
                    match threat.norm() {
                        Norm::Linf => grid.change(&mut input, threat.eps(), share, &mut track.rng),
                        _ => grid.shift(clean, &mut input, threat.eps(), share, &mut track.rng),
                    }
                    threat.project(clean, &mut input);
                }
                inputs.extend(input);
            }
            let indices: Vec<usize> = tracks.iter().map(|track| track.index).collect();
            let logits = found.try_out(model, &indices, &inputs);
            let tried = inputs.chunks_exact(model.features()).zip(logits.chunks_exact(model.classes()));
            for (track, (input, logits)) in tracks.iter_mut().zip(tried) {
                let label = batch.labels[track.index] as usize;
                let other = loss::strongest_other(logits, label).map_or(f32::NEG_INFINITY, |i| logits[i]);
                let margin = logits[label] - other;
                if margin < track.margin {
                    track.margin = margin;
                    track.best.copy_from_slice(input);
                }
            }
            tracks.retain(|track| found.stands(track.index));
        }
        found.finish()
    }
}

/// The queries, of 10000, after which the squares' share halves.
const HALVINGS: [f64; 9] = [10.0, 50.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0];

impl Square {
    /// The share of the picture that query `query` changes.
    fn share_at(&self, query: u32) -> f64 {
        let scaled = f64::from(query) / f64::from(self.queries) * 10_000.0;
        self.share / f64::from(1 << HALVINGS.iter().filter(|after| scaled > **after).count())
    }
}

/// How values are arranged.
struct Grid {
    channels: usize,
    height: usize,
    width: usize,
}

/// A rectangle of pixels.
#[derive(Clone, Copy)]
struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Grid {
    /// As the batch says, where that fits; else one row.
    fn new(batch: Batch<'_>, features: usize) -> Self {
        let [channels, height, width] = batch
            .picture
            .filter(|shape| shape.iter().product::<usize>() == features)
            .unwrap_or([1, 1, features]);
        Self { channels, height, width }
    }

    /// Where a pixel's value lies.
    fn at(&self, channel: usize, row: usize, column: usize) -> usize {
        (channel * self.height + row) * self.width + column
    }

    /// Where the values of a window in one channel lie, row by row.
    fn values(&self, channel: usize, window: Window) -> impl Iterator<Item = usize> + '_ {
        let rows = window.top..window.top + window.height;
        let columns = window.left..window.left + window.width;
        rows.flat_map(move |row| columns.clone().map(move |column| self.at(channel, row, column)))
    }

    /// The height and width of a window of this share of the pixels: a square, or a piece of a row.
    fn size(&self, share: f64, least: usize, odd: bool) -> [usize; 2] {
        let pixels = share * (self.height * self.width) as f64;
        let side = if self.height == 1 { pixels.round() } else { pixels.sqrt().round() } as usize;
        let side = side.max(least);
        let side = if odd && side.is_multiple_of(2) { side + 1 } else { side };
        [side.min(self.height), side.min(self.width)]
    }

    fn place(&self, [height, width]: [usize; 2], rng: &mut ChaCha8Rng) -> Window {
        let top = rng.random_range(0..=self.height - height);
        let left = rng.random_range(0..=self.width - width);
        Window { top, left, height, width }
    }

    /// L∞: each column of each channel up or down by ε.
    fn stripes(&self, input: &mut [f32], eps: f32, rng: &mut ChaCha8Rng) {
        for channel in 0..self.channels {
            for column in 0..self.width {
                let change = either(eps, rng);
                (0..self.height).for_each(|row| input[self.at(channel, row, column)] += change);
            }
        }
    }

    /// L∞: a square of each channel to one end of the ball.
    fn change(&self, input: &mut [f32], eps: f32, share: f64, rng: &mut ChaCha8Rng) {
        let window = self.place(self.size(share, 1, false), rng);
        for channel in 0..self.channels {
            let change = either(2.0 * eps, rng);
            self.values(channel, window).for_each(|at| input[at] += change);
        }
    }

    /// L2: a bump of random sign on each tile of a grid of five by five.
    fn tiles(&self, clean: &[f32], input: &mut [f32], eps: f32, rng: &mut ChaCha8Rng) {
        let [height, width] = [self.height, self.width].map(|side| (side / 5).max(1));
        let margin = |side: usize, tile: usize| (side % tile) / 2;
        let mut change = vec![0.0; clean.len()];
        for top in (margin(self.height, height)..=self.height - height).step_by(height) {
            for left in (margin(self.width, width)..=self.width - width).step_by(width) {
                let window = Window { top, left, height, width };
                let bump = bump(window, rng);
                for channel in 0..self.channels {
                    let sign = either(1.0, rng);
                    self.values(channel, window).zip(&bump).for_each(|(at, bump)| change[at] = sign * bump);
                }
            }
        }
        scale_to(clean, input, &change, eps);
    }

    /// L2: takes the length that two windows of the change have, and what is left of ε, and gives it to a new bump in the
    /// first.
    fn shift(&self, clean: &[f32], input: &mut [f32], eps: f32, share: f64, rng: &mut ChaCha8Rng) {
        let size = self.size(share, 3, true);
        let (into, from) = (self.place(size, rng), self.place(size, rng));
        let mut change: Vec<f32> = input.iter().zip(clean).map(|(input, clean)| input - clean).collect();
        let length =
            |values: &mut dyn Iterator<Item = usize>| values.map(|at| change[at] * change[at]).sum::<f32>();
        let unused = (eps * eps - length(&mut (0..change.len()))).max(0.0) / self.channels as f32;
        let mut both: Vec<usize> =
            (0..self.channels).flat_map(|c| self.values(c, into).chain(self.values(c, from))).collect();
        both.sort_unstable();
        both.dedup();
        let taken = length(&mut both.iter().copied());
        let bump = bump(into, rng);
        let mut new = Vec::with_capacity(self.channels * bump.len());
        for channel in 0..self.channels {
            let own = length(&mut self.values(channel, into)).sqrt();
            let sign = either(1.0, rng);
            let mixed: Vec<f32> = (self.values(channel, into).zip(&bump))
                .map(|(at, bump)| sign * bump + change[at] / (1e-12 + own))
                .collect();
            let size = mixed.iter().map(|value| value * value).sum::<f32>().sqrt();
            let factor = (unused + taken / self.channels as f32).sqrt() / (1e-12 + size);
            new.extend(mixed.into_iter().map(|value| value * factor));
        }
        both.iter().for_each(|&at| change[at] = 0.0);
        let places = (0..self.channels).flat_map(|channel| self.values(channel, into));
        places.zip(new).for_each(|(at, value)| change[at] = value);
        scale_to(clean, input, &change, eps);
    }
}

/// `clean` plus the change, made ε long.
fn scale_to(clean: &[f32], input: &mut [f32], change: &[f32], eps: f32) {
    let length = Norm::L2.of(change.iter().copied());
    let factor = if length > 0.0 { (f64::from(eps) / length) as f32 } else { 0.0 };
    let values = input.iter_mut().zip(clean).zip(change);
    values.for_each(|((input, clean), change)| *input = clean + factor * change);
}

fn either(size: f32, rng: &mut ChaCha8Rng) -> f32 {
    if rng.random() { size } else { -size }
}

/// A bump of one half of the window and a dent of the other, each highest in its middle; of length 1. A square window lies
/// on its side as often as not.
fn bump(window: Window, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let (height, width) = (window.height, window.width);
    let lying = if height == width { rng.random() } else { height == 1 };
    let (across, along) = if lying { (width, height) } else { (height, width) };
    let half = across / 2;
    let (first, second) = (hill(half, along), hill(across - half, along));
    let value =
        |i: usize, j: usize| if i < half { first[i * along + j] } else { -second[(i - half) * along + j] };
    let mut values = Vec::with_capacity(height * width);
    for row in 0..height {
        values.extend((0..width).map(|column| if lying { value(column, row) } else { value(row, column) }));
    }
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter_mut().for_each(|value| *value /= length);
    values
}

/// Rectangles around the middle, each wider than the last by one on every side and lower: `Σ 1 / k²` over those that cover a
/// value. Of length 1.
fn hill(rows: usize, columns: usize) -> Vec<f32> {
    let [middle, center] = [rows / 2, columns / 2];
    let mut values: Vec<f32> = (0..rows * columns)
        .map(|at| {
            let first = (at / columns.max(1)).abs_diff(middle).max((at % columns.max(1)).abs_diff(center));
            (first..rows.max(columns) / 2 + 1).map(|k| 1.0 / ((k + 1) * (k + 1)) as f32).sum()
        })
        .collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter_mut().for_each(|value| *value /= length);
    values
}
