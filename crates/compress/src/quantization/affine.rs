use serde::{Deserialize, Serialize};

/// How the integers 0 to 255 stand for real numbers: `real = (integer − zero) · scale`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// The step between two neighbours.
    pub scale: f32,
    /// The integer that stands for 0, exactly.
    pub zero: u8,
}

impl Affine {
    /// What covers a range of real numbers, and 0, which padding and ReLU need.
    #[must_use]
    pub fn covering([low, high]: [f32; 2]) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        // Not (high − low) / 255, which may be infinite.
        let scale = high / 255.0 - low / 255.0;
        if scale < f32::MIN_POSITIVE {
            return Self { scale: 1.0 / 255.0, zero: 0 };
        }
        Self { scale, zero: (-low / scale).round_ties_even().clamp(0.0, 255.0) as u8 }
    }

    /// The integer nearest to a real number.
    #[must_use]
    pub fn quantize(self, value: f32) -> u8 {
        ((value / self.scale).round_ties_even() + f32::from(self.zero)).clamp(0.0, 255.0) as u8
    }

    /// The real number that an integer stands for.
    #[must_use]
    pub fn dequantize(self, value: u8) -> f32 {
        (f32::from(value) - f32::from(self.zero)) * self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact_and_the_range_is_covered_to_half_a_step() {
        for range in [[-1.0, 3.0], [0.0, 6.0], [-2.0, -0.5], [0.25, 0.5], [-1e-30, 1e30], [-3e38, 3e38]] {
            let affine = Affine::covering(range);
            assert_eq!(affine.dequantize(affine.quantize(0.0)), 0.0, "{range:?}");
            for value in range {
                let error = (affine.dequantize(affine.quantize(value)) - value).abs();
                assert!(error <= affine.scale * 0.5001, "{range:?}: {value} is off by {error}");
            }
        }
    }

    #[test]
    fn what_is_always_zero_has_a_scale_too() {
        let affine = Affine::covering([0.0, 0.0]);
        assert!(affine.scale > 0.0 && affine.quantize(0.0) == affine.zero);
    }
}
