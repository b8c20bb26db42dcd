use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::plasma::corner;
use super::{Corrupt, Severity};

/// Clouds in front of the picture; the whole is then as much darker as makes its brightest value possible again, so that
/// contrast is lost.
pub(super) struct Fog;

/// How thick the fog is, and by how much its small shapes are fainter than its large ones.
const FOG: [(f32, f32); 5] = [(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)];

impl Corrupt for Fog {
    fn shipped(&self) -> Severity {
        Severity::ALL[4]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let (thickness, decay) = severity.of(FOG);
        let clouds = corner([canvas.height, canvas.width], decay, rng);
        covered(canvas, &clouds, thickness)
    }
}

/// Adds clouds `[height, width]`, and takes all back to the picture's brightest value.
fn covered(mut canvas: Canvas, clouds: &[f32], thickness: f32) -> Canvas {
    let brightest = canvas.values.iter().copied().fold(0.0, f32::max);
    let layer: Vec<f32> = clouds.iter().map(|value| thickness * value).collect();
    canvas.add(&layer);
    canvas.values.iter_mut().for_each(|value| *value *= brightest / (brightest + thickness));
    canvas
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn fog_is_mnist_cs() {
        for case in golden::cases("fog") {
            let canvas = golden::canvas(&case["picture"]);
            let clouds: Vec<f32> = golden::numbers(&case["clouds"]).iter().map(|x| *x as f32).collect();
            let thickness = FOG[golden::number(&case["severity"]) as usize - 1].0;
            golden::assert_near(&covered(canvas, &clouds, thickness), &case["out"]);
        }
    }
}
