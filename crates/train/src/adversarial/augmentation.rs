//! Differentiable augmentation: both sides of the contest are judged by changed pictures, so that few real ones are not learned
//! by heart.
//!
//! S. Zhao et al.: Differentiable augmentation for data-efficient GAN training, 2020.

use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How pictures of values from −1 to 1 are changed before they are judged, each by its own draw. The default is the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// The most that all values are moved together, either way; 0 for not at all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub brightness: f64,
    /// The most that a picture is moved, either way in both directions, as a share of its side; what comes in is 0. 0 for not at
    /// all.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub translation: f64,
    /// The side of the square that is set to 0, as a share of the picture's; 0 for none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cutout: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { brightness: 0.5, translation: 0.125, cutout: 0.5 }
    }
}

impl Augmentation {
    /// Pictures `[batch, channels · size · size]`, changed; the gradient goes through the change.
    #[must_use]
    pub fn apply(&self, pictures: Tensor<2>, size: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        let [batch, features] = pictures.dims();
        let device = pictures.device();
        let changes: Vec<Change> = (0..batch).map(|_| Change::draw(self, size, rng)).collect();
        let mut x = pictures;
        if self.brightness > 0.0 {
            let shifts: Vec<f32> = changes.iter().map(|change| change.brightness).collect();
            x = x + Tensor::<2>::from_data(TensorData::new(shifts, [batch, 1]), &device);
        }
        let places =
            || changes.iter().flat_map(|change| (0..features).map(|place| change.source(place, size)));
        if changes.iter().any(|change| change.moved != [0; 2]) {
            let indices: Vec<i32> = places().map(|source| source.unwrap_or(0) as i32).collect();
            let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [batch, features]), &device);
            x = x.gather(1, indices);
        }
        if self.translation > 0.0 || self.cutout > 0.0 {
            let cut = changes.iter().flat_map(|change| (0..features).map(|place| change.is_cut(place, size)));
            let mask: Vec<f32> =
                places().zip(cut).map(|(source, cut)| f32::from(source.is_some() && !cut)).collect();
            x = x * Tensor::<2>::from_data(TensorData::new(mask, [batch, features]), &device);
        }
        x
    }
}

/// What is done to one picture.
struct Change {
    brightness: f32,
    /// Pixels down and to the right.
    moved: [i64; 2],
    /// Rows and columns from and to which it is cut.
    cut: [[i64; 2]; 2],
}

impl Change {
    fn draw(settings: &Augmentation, size: usize, rng: &mut ChaCha8Rng) -> Self {
        let side = size as i64;
        // As in the paper's code: rounded half up, and the cutout may reach over the edge.
        let reach = (settings.translation * size as f64 + 0.5) as i64;
        let hole = (settings.cutout * size as f64 + 0.5) as i64;
        let brightness = settings.brightness as f32 * rng.random_range(-1.0..=1.0f32);
        let moved = [(); 2].map(|()| rng.random_range(-reach..=reach));
        let cut = [(); 2].map(|()| {
            let middle = rng.random_range(0..side + (1 - hole % 2));
            let first = middle - hole / 2;
            [first, first + hole]
        });
        Self { brightness, moved, cut }
    }

    /// The place whose value comes to `place`; none from beyond the edge.
    fn source(&self, place: usize, size: usize) -> Option<usize> {
        let (plane, [row, column]) = split(place, size);
        let (row, column) = (row - self.moved[0], column - self.moved[1]);
        let inside = |at: i64| usize::try_from(at).ok().filter(|at| *at < size);
        Some(plane * size * size + inside(row)? * size + inside(column)?)
    }

    fn is_cut(&self, place: usize, size: usize) -> bool {
        let (_, at) = split(place, size);
        at.iter().zip(&self.cut).all(|(at, [first, end])| (first..end).contains(&at))
    }
}

/// The channel of a place, and its row and column.
fn split(place: usize, size: usize) -> (usize, [i64; 2]) {
    let pixel = place % (size * size);
    (place / (size * size), [(pixel / size) as i64, (pixel % size) as i64])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use rand::SeedableRng;

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn numbered(batch: usize, features: usize) -> Tensor<2> {
        let values = (0..batch * features).map(|i| (i % features) as f32 + 1.0).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(values, [batch, features]), &Device::flex())
    }

    #[test]
    fn pictures_are_moved_whole_and_what_comes_in_is_zero() {
        let settings = Augmentation { brightness: 0.0, translation: 0.25, cutout: 0.0 };
        let moved = values(settings.apply(numbered(50, 128), 8, &mut ChaCha8Rng::seed_from_u64(1)));
        let mut seen = std::collections::BTreeSet::new();
        for picture in moved.chunks(128) {
            let (place, value) =
                picture.iter().enumerate().find(|(_, value)| **value != 0.0).expect("most of it is there");
            let (_, [row, column]) = split(place, 8);
            let (_, [from_row, from_column]) = split(*value as usize - 1, 8);
            let by = [row - from_row, column - from_column];
            assert!(by.iter().all(|by| by.abs() <= 2));
            seen.insert(by);
            let left = (8 - by[0].unsigned_abs()) * (8 - by[1].unsigned_abs()) * 2;
            assert_eq!(picture.iter().filter(|value| **value != 0.0).count() as u64, left);
        }
        assert!(seen.len() > 15, "{seen:?}");
    }

    #[test]
    fn one_square_is_cut_from_all_channels() {
        let settings = Augmentation { brightness: 0.0, translation: 0.0, cutout: 0.5 };
        let cut = values(settings.apply(numbered(40, 128), 8, &mut ChaCha8Rng::seed_from_u64(1)));
        let counts: Vec<usize> =
            cut.chunks(128).map(|picture| picture.iter().filter(|value| **value == 0.0).count()).collect();
        assert!(counts.iter().all(|count| *count > 0 && *count <= 32), "{counts:?}");
        assert!(counts.contains(&32) && counts.iter().any(|count| *count < 32), "{counts:?}");
        for picture in cut.chunks(128) {
            let (red, green) = picture.split_at(64);
            assert!(red.iter().zip(green).all(|(red, green)| (*red == 0.0) == (*green == 0.0)));
        }
    }

    #[test]
    fn brightness_moves_all_values_together_and_gradients_go_through() {
        let settings = Augmentation { brightness: 0.5, translation: 0.0, cutout: 0.0 };
        let x = numbered(3, 16);
        let shifts = values(settings.apply(x.clone(), 4, &mut ChaCha8Rng::seed_from_u64(1)) - x.clone());
        for picture in shifts.chunks(16) {
            assert!(picture.iter().all(|shift| (shift - picture[0]).abs() < 1e-5 && shift.abs() <= 0.5));
        }
        let all = Augmentation::default();
        let leaf = Tensor::from_inner(x).require_grad();
        let y = all.apply(leaf.clone(), 4, &mut ChaCha8Rng::seed_from_u64(1));
        let here = values(y.clone().inner().not_equal_elem(0.0).float());
        let gradient = values(leaf.grad(&y.sum().backward()).unwrap());
        assert_eq!(gradient.iter().sum::<f32>(), here.iter().sum::<f32>(), "each place that is kept, once");
    }
}
