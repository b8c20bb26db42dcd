//! Affine changes about the middle of a picture.

use super::canvas::Canvas;

/// Where each pixel takes its value from: `columns` and `rows` give the column and the row, as factors of the
/// pixel's own column and row from the middle, and a shift in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) columns: [f32; 3],
    pub(super) rows: [f32; 3],
}

impl Canvas {
    /// Takes each pixel from where `from` says, linearly between the four around; all is dark outside the picture.
    pub(super) fn warp(&self, from: Affine) -> Self {
        let middle = [0.5 * (self.width as f32 - 1.0), 0.5 * (self.height as f32 - 1.0)];
        let mut values = Vec::with_capacity(self.values.len());
        for plane in self.planes() {
            for y in 0..self.height {
                let y = y as f32 - middle[1];
                values.extend((0..self.width).map(|x| {
                    let x = x as f32 - middle[0];
                    let along = |[by_x, by_y, shift]: [f32; 3]| by_x * x + by_y * y + shift;
                    self.between(plane, along(from.columns) + middle[0], along(from.rows) + middle[1])
                }));
            }
        }
        self.with(values)
    }

    /// The plane's value at a column and a row between pixels.
    fn between(&self, plane: &[f32], x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (right, down) = (x - left, y - top);
        let pixel = |x: f32, y: f32| {
            let inside = x >= 0.0 && y >= 0.0 && x < self.width as f32 && y < self.height as f32;
            if inside { plane[y as usize * self.width + x as usize] } else { 0.0 }
        };
        let along = |y: f32| (1.0 - right) * pixel(left, y) + right * pixel(left + 1.0, y);
        (1.0 - down) * along(top) + down * along(top + 1.0)
    }
}
