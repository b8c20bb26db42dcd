use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::{Corrupt, Severity};

/// Salt and pepper: this share of all values becomes white or black, as likely one as the other.
pub(super) struct ImpulseNoise;

const SHARE: [f32; 5] = [0.03, 0.06, 0.09, 0.17, 0.27];

impl Corrupt for ImpulseNoise {
    fn shipped(&self) -> Severity {
        Severity::ALL[3]
    }

    fn apply(&self, mut canvas: Canvas, severity: Severity, rng: &mut ChaCha8Rng) -> Canvas {
        let share = severity.of(SHARE);
        for value in &mut canvas.values {
            // One bit for the colour and 24 for whether, so that a higher severity keeps what a lower one changed.
            let drawn = rng.next_u32();
            let place = (drawn >> 8) as f32 / (1 << 24) as f32;
            if place < share {
                *value = (drawn & 1) as f32;
            }
        }
        canvas
    }
}
