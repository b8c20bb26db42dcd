//! Weights in the order in which the kernels read them.

use super::ConvShape;

/// Outputs that are computed side by side.
pub(super) const LANES: usize = 16;
/// Inputs that are multiplied and summed in one lane at once.
pub(super) const DEPTH: usize = 4;

/// The weights of one step, `[16 outputs, 4 inputs]`: one cache line, and one register of 512 bits.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Step(pub(super) [[i8; DEPTH]; LANES]);

/// Weights of a layer, packed once for all paths: panels of 16 outputs, in each `[inputs / 4][16][4]` bytes, zeros at the
/// edges.
#[derive(Debug, Clone)]
pub struct PackedWeights {
    steps: Vec<Step>,
    outputs: usize,
    /// Inputs that lie side by side, of which each run is padded to whole steps.
    run: usize,
    runs: usize,
}

impl PackedWeights {
    /// Packs `weight` `[outputs, inputs]`, for [`linear`](super::linear).
    ///
    /// Sums cannot wrap where there are at most 65,793 inputs.
    ///
    /// # Panics
    ///
    /// Where `outputs` or `inputs` is zero, or `weight` has another length.
    #[must_use]
    pub fn new(weight: &[i8], outputs: usize, inputs: usize) -> Self {
        Self::in_runs(weight, outputs, [1, inputs])
    }

    /// Packs `weight` `[outputs, kernel height, kernel width, channels]`, for [`conv2d`](super::conv2d) of this shape or of
    /// one that differs in size, stride or padding alone.
    ///
    /// # Panics
    ///
    /// Where `outputs` or one of the kernel's sides is zero, or `weight` has another length.
    #[must_use]
    pub fn conv2d(weight: &[i8], outputs: usize, shape: &ConvShape) -> Self {
        Self::in_runs(weight, outputs, shape.weight_runs())
    }

    fn in_runs(weight: &[i8], outputs: usize, [runs, run]: [usize; 2]) -> Self {
        let inputs = runs * run;
        assert!(outputs > 0 && inputs > 0, "int8 weights of {outputs} outputs and {inputs} inputs");
        let count = weight.len();
        assert!(count == outputs * inputs, "{count} int8 weights for {outputs} outputs of {inputs} inputs");
        let steps_per_run = run.div_ceil(DEPTH);
        let steps_per_panel = runs * steps_per_run;
        let mut steps = vec![Step([[0; DEPTH]; LANES]); outputs.div_ceil(LANES) * steps_per_panel];
        for (output, weights) in weight.chunks_exact(inputs).enumerate() {
            let panel = &mut steps[output / LANES * steps_per_panel..][..steps_per_panel];
            let runs = weights.chunks_exact(run).zip(panel.chunks_exact_mut(steps_per_run));
            for (weights, steps) in runs {
                for (weights, step) in weights.chunks(DEPTH).zip(steps) {
                    step.0[output % LANES][..weights.len()].copy_from_slice(weights);
                }
            }
        }
        Self { steps, outputs, run, runs }
    }

    /// Outputs of the layer.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Inputs of each output: for a convolution those of its window.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.runs * self.run
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.steps[..])
    }

    pub(super) fn panels(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// The steps of `count` panels, one panel after the other.
    pub(super) fn panel_steps(&self, first: usize, count: usize) -> &[Step] {
        let per_panel = self.steps.len() / self.panels();
        &self.steps[first * per_panel..][..count * per_panel]
    }

    /// How many runs of inputs there are, and how long each is.
    pub(super) fn runs(&self) -> [usize; 2] {
        [self.runs, self.run]
    }
}
