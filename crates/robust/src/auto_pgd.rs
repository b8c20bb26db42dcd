//! Projected gradient descent that finds its own step size: the engine of the `apgd` attacks.
//!
//! F. Croce, M. Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
//! 2020, algorithm 1; for L1 the same: Mind the box: l1-APGD for sparse adversarial attacks on image classifiers, 2021,
//! algorithm 1, with the radius that shrinks from 3ε over 2ε to ε.

use crucible_models::Differentiable;

use crate::{
    Batch, Norm, Threat,
    draws::Draws,
    found::{Found, Loss},
    walk::{sign, step},
};

/// What a run needs to know besides where it is.
pub(crate) struct AutoPgd<'a> {
    pub(crate) model: &'a dyn Differentiable,
    pub(crate) batch: Batch<'a>,
    pub(crate) threat: &'a Threat,
    pub(crate) steps: u32,
    pub(crate) draws: &'a Draws,
}

/// One example on its way.
struct Track {
    index: usize,
    input: Vec<f32>,
    last: Vec<f32>,
    gradient: Vec<f32>,
    best: Vec<f32>,
    best_gradient: Vec<f32>,
    loss: f32,
    best_loss: f32,
    /// The length of a step.
    length: f32,
    /// Steps since the last check after which the loss was higher.
    rises: u32,
    /// The best loss at the last check, and whether the step was halved then.
    checked: f32,
    halved: bool,
    /// For L1: the share of values that a step moves, and how many were changed at the last check.
    share: f64,
    changed: usize,
}

/// Steps between checks of the step size: first 0.22 of all, each time 0.03 fewer, at least 0.06; for L1 always 0.04.
struct Checks {
    since: u32,
    period: u32,
    shorter: u32,
    shortest: u32,
}

impl Checks {
    fn new(norm: Norm, steps: u32) -> Self {
        let part = |share: f64| ((share * f64::from(steps)) as u32).max(1);
        match norm {
            Norm::Linf | Norm::L2 => {
                Self { since: 0, period: part(0.22), shorter: part(0.03), shortest: part(0.06) }
            }
            Norm::L1 => Self { since: 0, period: part(0.04), shorter: 0, shortest: part(0.04) },
        }
    }

    /// The period, where it ends with this step.
    fn due(&mut self) -> Option<u32> {
        self.since += 1;
        let period = self.period;
        (self.since == period).then(|| {
            self.since = 0;
            self.period = period.saturating_sub(self.shorter).max(self.shortest);
            period
        })
    }
}

impl AutoPgd<'_> {
    /// One run over the examples that stand, from starts drawn for `round`; `loss` is asked with an example's index.
    pub(crate) fn run(&self, found: &mut Found<'_>, round: u32, loss: Loss<'_>) {
        let (eps, steps) = (self.threat.eps(), self.steps);
        let stages = match self.threat.norm() {
            Norm::Linf | Norm::L2 => vec![(eps, steps)],
            Norm::L1 => {
                let part = (f64::from(steps) * 0.3).ceil() as u32;
                vec![(3.0 * eps, part), (2.0 * eps, part), (eps, steps.saturating_sub(2 * part).max(1))]
            }
        };
        let mut starts: Option<Vec<Vec<f32>>> = None;
        let open = found.open();
        for (radius, steps) in stages {
            // A radius beyond what an `f32` holds is no radius.
            let Ok(ball) = self.threat.with_eps(radius) else { continue };
            let from = match starts.take() {
                Some(starts) => starts,
                None => open.iter().map(|&index| self.start(&ball, index, round)).collect(),
            };
            let tracks = self.stage(found, &ball, steps, &open, from, loss);
            starts = Some(tracks.into_iter().map(|track| track.best).collect());
        }
    }

    fn start(&self, ball: &Threat, index: usize, round: u32) -> Vec<f32> {
        ball.sample(self.batch.input(index), &mut self.draws.of(index, round))
    }

    /// Steps within one ball. In the threat's own, examples that are fooled are left alone; in a larger one all go on.
    fn stage(
        &self,
        found: &mut Found<'_>,
        ball: &Threat,
        steps: u32,
        open: &[usize],
        starts: Vec<Vec<f32>>,
        loss: Loss<'_>,
    ) -> Vec<Track> {
        let mut tracks: Vec<Track> =
            open.iter().zip(starts).map(|(&index, start)| self.track(ball, index, start)).collect();
        self.look(found, ball, &mut tracks, loss);
        for track in &mut tracks {
            (track.best_loss, track.checked) = (track.loss, track.loss);
            track.best_gradient.clone_from(&track.gradient);
            track.rises = 0;
        }
        let mut checks = Checks::new(ball.norm(), steps);
        for at in 0..steps {
            if tracks.is_empty() {
                break;
            }
            for track in &mut tracks {
                track.advance(self.batch.input(track.index), ball, at == 0);
            }
            self.look(found, ball, &mut tracks, loss);
            let due = checks.due();
            for track in &mut tracks {
                track.keep_best();
                match due {
                    Some(period) if ball.norm() != Norm::L1 => track.check(period),
                    Some(_) => track.check_sparse(self.batch.input(track.index), ball.eps()),
                    None => {}
                }
            }
        }
        tracks
    }

    fn track(&self, ball: &Threat, index: usize, mut input: Vec<f32>) -> Track {
        let clean = self.batch.input(index);
        ball.project(clean, &mut input);
        let changed = input.iter().zip(clean).filter(|(value, clean)| value != clean).count();
        let (length, share, changed) = match ball.norm() {
            Norm::Linf | Norm::L2 => (2.0 * ball.eps(), 0.0, 0),
            // A start from an earlier stage is as sparse as that made it; a random one says nothing.
            Norm::L1 if changed * 2 < input.len() => {
                (ball.eps(), changed as f64 / input.len() as f64 / 1.5, changed)
            }
            Norm::L1 => (ball.eps(), 0.2, input.len()),
        };
        Track {
            index,
            last: input.clone(),
            gradient: vec![0.0; input.len()],
            best: input.clone(),
            best_gradient: Vec::new(),
            input,
            loss: f32::NEG_INFINITY,
            best_loss: f32::NEG_INFINITY,
            length,
            rises: 0,
            checked: f32::NEG_INFINITY,
            halved: true,
            share,
            changed,
        }
    }

    /// Asks the model for loss and gradient of each track.
    fn look(&self, found: &mut Found<'_>, ball: &Threat, tracks: &mut Vec<Track>, loss: Loss<'_>) {
        if tracks.is_empty() {
            return;
        }
        let inputs = tracks.iter().map(|track| &track.input[..]).collect::<Vec<_>>().concat();
        let indices: Vec<usize> = tracks.iter().map(|track| track.index).collect();
        let mut loss = |row: usize, logits: &[f32], weights: &mut [f32]| loss(indices[row], logits, weights);
        let within = ball.eps() <= self.threat.eps();
        let slope = match within {
            true => found.climb(self.model, &indices, &inputs, &mut loss),
            false => found.slope(self.model, &inputs, &mut loss).0,
        };
        let answers = slope.losses.iter().zip(slope.gradients.chunks_exact(self.model.features()));
        for (track, (loss, gradient)) in tracks.iter_mut().zip(answers) {
            track.rises += u32::from(*loss > track.loss);
            track.loss = *loss;
            track.gradient.copy_from_slice(gradient);
        }
        if within {
            tracks.retain(|track| found.stands(track.index));
        }
    }
}

impl Track {
    fn advance(&mut self, clean: &[f32], ball: &Threat, first: bool) {
        let mut next = self.input.clone();
        if ball.norm() == Norm::L1 {
            self.step_sparse(&mut next);
            ball.project(clean, &mut next);
        } else {
            step(ball.norm(), &mut next, &self.gradient, self.length);
            ball.project(clean, &mut next);
            let share = if first { 1.0 } else { 0.75 };
            for ((next, input), last) in next.iter_mut().zip(&self.input).zip(&self.last) {
                *next = input + share * (*next - input) + (1.0 - share) * (input - last);
            }
            ball.project(clean, &mut next);
        }
        self.last = std::mem::replace(&mut self.input, next);
    }

    /// A step by the sign of the gradient's largest values, of the length in sum. (Their number is rounded, not rounded up as
    /// by the authors, whose step never gets from two values to one.)
    fn step_sparse(&self, input: &mut [f32]) {
        let count = ((self.share * input.len() as f64).round() as usize).clamp(1, input.len());
        let mut sizes: Vec<f32> = self.gradient.iter().map(|value| value.abs()).collect();
        let at = input.len() - count;
        let (_, &mut smallest, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
        let moved = |value: f32| if value.abs() >= smallest { sign(value) } else { 0.0 };
        let sum: f32 = self.gradient.iter().map(|value| moved(*value).abs()).sum();
        let share = self.length / sum.max(1.0);
        input.iter_mut().zip(&self.gradient).for_each(|(input, value)| *input += share * moved(*value));
    }

    fn keep_best(&mut self) {
        if self.loss > self.best_loss {
            self.best.copy_from_slice(&self.input);
            self.best_gradient.copy_from_slice(&self.gradient);
            self.best_loss = self.loss;
        }
    }

    /// Halves the step, and goes back to the best point, where the loss rose too seldom in the period or the best did not
    /// improve though the step was not halved before.
    fn check(&mut self, period: u32) {
        let seldom = f64::from(self.rises) <= 0.75 * f64::from(period);
        let stuck = !self.halved && self.checked >= self.best_loss;
        self.halved = seldom || stuck;
        self.checked = self.best_loss;
        self.rises = 0;
        if self.halved {
            self.length /= 2.0;
            self.go_back();
        }
    }

    /// Where the best point has become sparser, begins again from it with the longest step; else shortens the step.
    fn check_sparse(&mut self, clean: &[f32], eps: f32) {
        let changed = self.best.iter().zip(clean).filter(|(value, clean)| value != clean).count();
        let sparser = (changed as f64) < 0.95 * self.changed as f64;
        self.share = changed as f64 / clean.len() as f64 / 1.5;
        self.changed = changed;
        if sparser {
            self.length = eps;
            self.go_back();
        } else {
            self.length = (self.length / 1.5).max(eps / 10.0);
        }
    }

    fn go_back(&mut self) {
        self.input.copy_from_slice(&self.best);
        self.gradient.copy_from_slice(&self.best_gradient);
    }
}
