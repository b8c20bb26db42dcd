use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Coarse, Examples, ExplainError, Model,
    chain::{Chain, Link, batches, host},
    op::Op,
};

/// The maps `A` of a convolution, each weighed by the mean gradient of the score by it, added up; of the sum what is
/// positive, enlarged to the picture by bilinear interpolation. All channels of a pixel get the same value.
///
/// R. Selvaraju et al.: Grad-CAM, 2017. Captum's `LayerGradCam` and `LayerAttribution.interpolate`; given a convolution
/// with a function after it, Captum takes the maps before that function ([`before_activation`](Self::before_activation)),
/// and it keeps negative values (`relu = false`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradCam {
    /// The convolution's name; without one, the last.
    pub layer: Option<String>,
    /// Its maps before the activation that follows it.
    pub before_activation: bool,
    /// Keep only what speaks for the class.
    pub relu: bool,
}

impl Default for GradCam {
    fn default() -> Self {
        Self { layer: None, before_activation: false, relu: true }
    }
}

impl Method for GradCam {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        _: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        let place =
            Place { method: "`grad-cam`", layer: self.layer.as_deref(), before: self.before_activation };
        place.attribute(model, on, |maps, gradients| {
            let weights = gradients.mean_dim(2);
            finish((maps * weights).sum_dim(1).squeeze_dim(1), self.relu)
        })
    }
}

/// Only what is positive, if asked.
pub(super) fn finish(map: Tensor<2>, relu: bool) -> Tensor<2> {
    if relu { map.clamp_min(0.0) } else { map }
}

/// The maps of a convolution.
pub(super) struct Place<'a> {
    pub(super) method: &'static str,
    pub(super) layer: Option<&'a str>,
    pub(super) before: bool,
}

impl Place<'_> {
    /// `cam` makes of the maps and of the gradients by them, both `[n, channels, positions]`, one map `[n, positions]`.
    pub(super) fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        mut cam: impl FnMut(Tensor<3>, Tensor<3>) -> Tensor<2>,
    ) -> Result<Attribution, ExplainError> {
        let layers = model.with_layers()?;
        let features = on.features();
        let size = on.picture().ok_or(ExplainError::NoPicture { what: self.method, features })?;
        let mut coarse = Coarse { values: Vec::new(), height: 0, width: 0 };
        for (inputs, targets) in batches(on) {
            let chain = Chain::record(layers, inputs)?;
            let at = self.find(&chain)?;
            let link = &chain.links[at];
            let gradient = chain.back(chain.seed(targets), at + 1, |_, link, value| link.pull_back(value));
            let [n, channels, height, width] = [0, 1, 2, 3].map(|axis| link.output_dims[axis]);
            let maps = |tensor: Tensor<2>| tensor.reshape([n, channels, height * width]);
            coarse.values.extend(host(cam(maps(link.output.clone()), maps(gradient))));
            (coarse.height, coarse.width) = (height, width);
        }
        let values = enlarge(&coarse, size);
        Ok(Attribution { values, gaps: None, coarse: Some(coarse) })
    }

    /// The number of the link whose output is looked at.
    fn find(&self, chain: &Chain) -> Result<usize, ExplainError> {
        let convolutions: Vec<(usize, &Link)> =
            chain.links.iter().enumerate().filter(|(_, link)| matches!(link.op, Op::Conv2d(_))).collect();
        let found = match self.layer {
            Some(name) => convolutions.iter().find(|(_, link)| link.name == name),
            None => convolutions.last(),
        };
        let Some(&(at, _)) = found else {
            let layers = convolutions.iter().map(|(_, link)| link.name.clone()).collect();
            let layer = self.layer.unwrap_or("the last").to_owned();
            return Err(ExplainError::NoSuchLayer { layer, layers });
        };
        let after = chain.links.get(at + 1).is_some_and(|link| matches!(link.op, Op::Activation(_)));
        Ok(if after && !self.before { at + 1 } else { at })
    }
}

/// Maps `[n, height, width]` as pictures `[n, channels, height, width]`: bilinear between the centres of the places,
/// constant beyond the outermost.
fn enlarge(coarse: &Coarse, [channels, height, width]: [usize; 3]) -> Vec<f32> {
    let (rows, columns) = (weights(coarse.height, height), weights(coarse.width, width));
    let mut values = Vec::new();
    for map in coarse.values.chunks_exact((coarse.height * coarse.width).max(1)) {
        let at = |row: usize, column: usize| f64::from(map[row * coarse.width + column]);
        let mut picture = Vec::with_capacity(height * width);
        for &(top, bottom, down) in &rows {
            for &(left, right, along) in &columns {
                let upper = at(top, left) * (1.0 - along) + at(top, right) * along;
                let lower = at(bottom, left) * (1.0 - along) + at(bottom, right) * along;
                picture.push((upper * (1.0 - down) + lower * down) as f32);
            }
        }
        (0..channels).for_each(|_| values.extend_from_slice(&picture));
    }
    values
}

/// For each of `to` places the two of `from` that it lies between, and how far it is from the first.
fn weights(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
    let place = |i: usize| {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let first = (at as usize).min(from.saturating_sub(1));
        let second = (first + 1).min(from.saturating_sub(1));
        (first, second, if first == second { 0.0 } else { at - first as f64 })
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlarging_is_bilinear_between_centres() {
        let coarse = Coarse { values: vec![0.0, 1.0], height: 1, width: 2 };
        assert_eq!(enlarge(&coarse, [2, 1, 4]), [0.0, 0.25, 0.75, 1.0, 0.0, 0.25, 0.75, 1.0]);
    }
}
