use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attack;
use crate::{Access, Adversarial, Batch, Norm, Threat, Victim, boundary, found::Found, loss};
use crucible_models::Differentiable;

/// Looks for the nearest input in L2 that fools the model: Adam on `‖x − x₀‖² + c · max(z_y − max_{i≠y} z_i, −confidence)`
/// over inputs that a hyperbolic tangent keeps valid, for a `c` that is searched for.
///
/// An input that fools counts where it lies in the ball; the nearest that lies outside is moved to its surface and tried
/// there.
///
/// N. Carlini, D. Wagner: Towards evaluating the robustness of neural networks, 2017, sections 5 and 6.A.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cw {
    /// Values of `c` that are tried.
    #[schemars(range(min = 1))]
    pub searches: u32,
    /// Steps of Adam for each.
    #[schemars(range(min = 1))]
    pub steps: u32,
    /// Adam's learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f32,
    /// The first `c`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub constant: f32,
    /// By how much the other class's logit shall be the larger one.
    #[schemars(range(min = 0.0))]
    pub confidence: f32,
}

impl Default for Cw {
    /// 9 values of c from 0.01 on, and a learning rate of 0.01, as in the authors' code; 200 steps instead of its 10000.
    fn default() -> Self {
        Self { searches: 9, steps: 200, learning_rate: 0.01, constant: 0.01, confidence: 0.0 }
    }
}

/// Halvings of the way from the nearest input to the clean one: steps of Adam may be larger than what is left of it.
const HALVINGS: u32 = 10;

/// One example under search.
struct Search {
    index: usize,
    /// The largest `c` that failed, the smallest that fooled, and the one being tried.
    failed: f32,
    enough: f32,
    constant: f32,
    /// The nearest input at any distance that fooled.
    nearest: Option<(f64, Vec<f32>)>,
    /// Whether this `c` fooled, and the loss when it was last looked at.
    fooled: bool,
    checked: f32,
    adam: Adam,
}

/// Adam's state over the inputs of the hyperbolic tangent.
#[derive(Default)]
struct Adam {
    point: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Attack for Cw {
    fn access(&self) -> Access {
        Access::Gradients
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::L2]
    }

    fn run(&self, victim: Victim<'_>, batch: Batch<'_>, threat: &Threat, _: &mut ChaCha8Rng) -> Adversarial {
        let model = victim.gradients();
        let mut found = Found::new(batch, threat, model);
        let mut searches: Vec<Search> = (found.open().into_iter())
            .map(|index| Search {
                index,
                failed: 0.0,
                enough: f32::INFINITY,
                constant: self.constant,
                nearest: None,
                fooled: false,
                checked: f32::INFINITY,
                adam: Adam::default(),
            })
            .collect();
        for _ in 0..self.searches {
            searches.iter_mut().for_each(|search| search.begin(batch.input(search.index), threat.range()));
            self.descend(model, batch, threat, &mut found, &mut searches);
            searches.iter_mut().for_each(Search::next_constant);
        }
        let beyond = searches.iter().filter_map(|search| Some((search.index, &search.nearest.as_ref()?.1)));
        let (indices, inputs): (Vec<usize>, Vec<&Vec<f32>>) = beyond.unzip();
        let inputs: Vec<f32> = inputs.into_iter().flatten().copied().collect();
        let inputs = boundary::bisect(&mut found, model, batch, Norm::L2, &indices, &inputs, HALVINGS);
        for (&index, input) in indices.iter().zip(inputs.chunks_exact(model.features())) {
            found.record_nearer(index, input);
        }
        boundary::try_surface(&mut found, model, batch, threat, &indices, &inputs);
        found.finish()
    }
}

impl Cw {
    /// Adam's steps for one `c` of each example; one whose loss no longer falls is left alone.
    fn descend(
        &self,
        model: &dyn Differentiable,
        batch: Batch<'_>,
        threat: &Threat,
        found: &mut Found<'_>,
        searches: &mut [Search],
    ) {
        let mut active: Vec<usize> = (0..searches.len()).collect();
        for step in 1..=self.steps {
            if active.is_empty() {
                return;
            }
            let inputs: Vec<f32> =
                active.iter().flat_map(|&at| searches[at].adam.input(threat.range())).collect();
            let (slope, logits) = found.slope(model, &inputs, &mut |row, logits, weights| {
                let label = batch.labels[searches[active[row]].index] as usize;
                let Some(other) = loss::strongest_other(logits, label) else { return 0.0 };
                if logits[label] - logits[other] <= -self.confidence {
                    return -self.confidence;
                }
                loss::difference(logits, label, other, weights)
            });
            let (features, check) = (model.features(), step % (self.steps / 10).max(1) == 0);
            let rows = inputs.chunks_exact(features).zip(slope.gradients.chunks_exact(features));
            let answers = logits.chunks_exact(model.classes()).zip(slope.losses);
            let mut still = Vec::new();
            for (&at, ((input, gradient), (logits, loss))) in active.iter().zip(rows.zip(answers)) {
                let search = &mut searches[at];
                let clean = batch.input(search.index);
                let distance = Norm::L2.distance(input, clean);
                if loss::class(logits) != batch.labels[search.index] as usize {
                    search.fooled = true;
                    found.record_nearer(search.index, input);
                    if search.nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
                        search.nearest = Some((distance, input.to_vec()));
                    }
                }
                let total = (distance * distance) as f32 + search.constant * loss;
                if check && (total.is_nan() || total > search.checked * 0.9999) {
                    continue;
                }
                if check {
                    search.checked = total;
                }
                let slope = clean.iter().zip(input).zip(gradient);
                let slope: Vec<f32> = slope.map(|((c, x), g)| 2.0 * (x - c) + search.constant * g).collect();
                search.adam.step(&slope, threat.range(), self.learning_rate, step);
                still.push(at);
            }
            active = still;
        }
    }
}

impl Search {
    fn begin(&mut self, clean: &[f32], [low, high]: [f32; 2]) {
        let inner = |value: &f32| (((value - low) / (high - low) * 2.0 - 1.0) * 0.999_999).atanh();
        let point: Vec<f32> = clean.iter().map(inner).collect();
        let zeros = vec![0.0; point.len()];
        self.adam = Adam { point, mean: zeros.clone(), square: zeros };
        (self.fooled, self.checked) = (false, f32::INFINITY);
    }

    /// Between the one that failed and the one that fooled; ten times as much while none did.
    fn next_constant(&mut self) {
        *(if self.fooled { &mut self.enough } else { &mut self.failed }) = self.constant;
        self.constant = match self.enough.is_finite() {
            true => f32::midpoint(self.failed, self.enough),
            false => self.constant * 10.0,
        };
    }
}

impl Adam {
    fn input(&self, [low, high]: [f32; 2]) -> impl Iterator<Item = f32> {
        self.point.iter().map(move |value| (low + (high - low) * (value.tanh() + 1.0) / 2.0).clamp(low, high))
    }

    /// A step down the gradient by the inputs.
    fn step(&mut self, gradient: &[f32], [low, high]: [f32; 2], rate: f32, step: u32) {
        let (beta1, beta2) = (0.9f32, 0.999f32);
        let (first, second) = (1.0 - beta1.powi(step as i32), 1.0 - beta2.powi(step as i32));
        let state = self.point.iter_mut().zip(&mut self.mean).zip(&mut self.square);
        for (((point, mean), square), gradient) in state.zip(gradient) {
            let inner = point.tanh();
            let gradient = gradient * (high - low) / 2.0 * (1.0 - inner * inner);
            *mean = beta1 * *mean + (1.0 - beta1) * gradient;
            *square = beta2 * *square + (1.0 - beta2) * gradient * gradient;
            *point -= rate * (*mean / first) / ((*square / second).sqrt() + 1e-8);
        }
    }
}
