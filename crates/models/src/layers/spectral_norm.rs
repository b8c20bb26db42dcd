use burn::module::{Module, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Holds a weight to spectral norm 1 (Miyato et al. 2018, algorithm 1): one step of power iteration each time that the network is
/// trained on a batch. The two vectors are state, as PyTorch's `spectral_norm` has it, and go into checkpoints.
#[derive(Module, Debug)]
pub struct SpectralNorm {
    /// The left singular vector as far as it is known, `[rows]`.
    pub u: RunningState<Tensor<1>>,
    /// The right one, `[columns]`.
    pub v: RunningState<Tensor<1>>,
}

impl SpectralNorm {
    /// Steps of power iteration on the first weight.
    const FIRST_STEPS: usize = 15;

    /// For a weight whose first axis is its rows, after a few steps of power iteration on it.
    #[must_use]
    pub fn of<const D: usize>(weight: &Tensor<D>, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let matrix = matrix(weight.clone());
        let [rows, _] = matrix.dims();
        let values: Vec<f32> = (0..rows).map(|_| rng.random_range(-1.0..=1.0)).collect();
        let mut u = unit(Tensor::<2>::from_data(TensorData::new(values, [1, rows]), device));
        let mut v = u.clone();
        for _ in 0..Self::FIRST_STEPS {
            (u, v) = iterate(&matrix, u);
        }
        Self { u: RunningState::new(u.flatten(0, 1)), v: RunningState::new(v.flatten(0, 1)) }
    }

    /// The weight over its largest singular value; while `training`, after one more step towards that.
    #[must_use]
    pub fn normalized<const D: usize>(&self, weight: Tensor<D>, training: bool) -> Tensor<D> {
        let matrix = matrix(weight.clone());
        let row = |vector: &RunningState<Tensor<1>>| vector.value_sync().unsqueeze_dim::<2>(0);
        let (mut u, mut v) = (row(&self.u), row(&self.v));
        if training {
            (u, v) = iterate(&matrix.clone().detach(), u);
            record(&self.u, &u);
            record(&self.v, &v);
        }
        let sigma = u.matmul(matrix).matmul(v.transpose());
        weight / sigma.reshape([1; D])
    }
}

/// An update is pending until it is asked for, and visitors that save the network do not ask.
fn record(state: &RunningState<Tensor<1>>, row: &Tensor<2>) {
    state.update(row.clone().flatten(0, 1));
    let _ = state.value_sync();
}

/// The weight as rows, one for each output.
fn matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let rows = weight.dims()[0];
    let columns = weight.shape().num_elements() / rows;
    weight.reshape([rows, columns])
}

/// `v = unit(Wᵀu)`, `u = unit(W v)`, as rows.
fn iterate(matrix: &Tensor<2>, u: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let v = unit(u.matmul(matrix.clone()));
    let u = unit(v.clone().matmul(matrix.clone().transpose()));
    (u, v)
}

fn unit(row: Tensor<2>) -> Tensor<2> {
    let norm = row.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    row / norm
}
