use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::{Corrupt, Severity};

/// Every pixel's brightest channel becomes brighter by this much, at most white; hue and saturation stay.
pub(super) struct Brightness;

const MORE: [f32; 5] = [0.1, 0.2, 0.3, 0.4, 0.5];

impl Corrupt for Brightness {
    fn shipped(&self) -> Severity {
        Severity::ALL[4]
    }

    fn apply(&self, canvas: Canvas, severity: Severity, _rng: &mut ChaCha8Rng) -> Canvas {
        brightened(canvas, severity.of(MORE))
    }
}

fn brightened(mut canvas: Canvas, more: f32) -> Canvas {
    let area = canvas.area();
    for pixel in 0..area {
        let channels = || (pixel..canvas.values.len()).step_by(area);
        let brightest = channels().map(|at| canvas.values[at]).fold(0.0, f32::max);
        let wanted = (brightest + more).min(1.0);
        for at in channels() {
            // Black has no hue: it becomes grey.
            let value = &mut canvas.values[at];
            *value = if brightest > 0.0 { *value * (wanted / brightest) } else { wanted };
        }
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn values_are_those_of_scikit_images_hsv() {
        for case in golden::cases("brightness") {
            let canvas = golden::canvas(&case["picture"]);
            golden::assert_near(&brightened(canvas, golden::number(&case["more"]) as f32), &case["out"]);
        }
    }
}
