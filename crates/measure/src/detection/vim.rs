use crate::linear::{SymmetricEigen, dot, scatter};
use crate::rows::Rows;
use crate::softmax::log_sum_exp;

/// Virtual-logit matching: how far features lie outside the directions that the training data spreads in, in the unit of
/// logits, and the [`energy`](super::energy) beside it.
///
/// Source: H. Wang et al., "ViM: out-of-distribution with virtual-logit matching", CVPR 2022.
#[derive(Clone, Debug, PartialEq)]
pub struct Vim {
    origin: Vec<f64>,
    /// Orthonormal directions of least spread.
    residual: Vec<Vec<f64>>,
    scale: f64,
}

/// The last layer of a network, whose logits are weights · features + bias.
struct Head<'a> {
    weights: Rows<'a>,
    bias: &'a [f64],
}

impl Vim {
    /// Looks at training `features` `[examples, features]` from the point where the last layer, `weights`
    /// `[classes, features]` and `bias` `[classes]`, has no logits, and keeps the directions beyond the `principal` ones of
    /// most spread. The authors take 1,000 of 2,048 features, 512 of 768, else half.
    ///
    /// Eigenvectors take on the order of features³ operations: half a second for 512, half a minute for 2,048.
    ///
    /// `None` without examples, where the features do not spread beyond the principal directions, or where a value is
    /// not finite.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit together, or `principal` is not below the number of features.
    pub fn fit(features: Rows<'_>, weights: Rows<'_>, bias: &[f64], principal: usize) -> Option<Self> {
        let width = features.width();
        assert_eq!(weights.width(), width, "a weight for each feature");
        assert_eq!(weights.len(), bias.len(), "a bias for each class");
        assert!(principal < width, "{principal} principal directions of {width}");
        let head = Head { weights, bias };
        let origin = head.origin()?;
        let count = features.len().max(1) as f64;
        let spread = scatter(features, &origin).iter().map(|sum| sum / count).collect();
        let eigen = SymmetricEigen::new(spread, width)?;
        let mut vim = Self { origin, residual: eigen.vectors[principal..].to_vec(), scale: 1.0 };
        let largest = |row| head.logits(row).into_iter().fold(f64::NEG_INFINITY, f64::max);
        let logits: f64 = features.iter().map(largest).sum();
        let lengths: f64 = features.iter().map(|row| vim.length(row)).sum();
        vim.scale = logits / lengths;
        (vim.scale.is_finite() && !features.is_empty()).then_some(vim)
    }

    /// The virtual logit less the log of the sum of exponentials of `logits` `[examples, classes]`, for `features`
    /// `[examples, features]`.
    ///
    /// # Panics
    ///
    /// If there are not as many features as were fitted, or other numbers of rows.
    pub fn scores(&self, features: Rows<'_>, logits: Rows<'_>) -> Vec<f64> {
        assert_eq!(features.width(), self.origin.len(), "the features that were fitted");
        assert_eq!(features.len(), logits.len(), "logits for each row of features");
        let score =
            |(row, z): (&[f64], &[f64])| self.scale * self.length(row) - log_sum_exp(z.iter().copied());
        features.iter().zip(logits.iter()).map(score).collect()
    }

    /// The length of what lies in the residual directions.
    fn length(&self, row: &[f64]) -> f64 {
        let off: Vec<f64> = row.iter().zip(&self.origin).map(|(x, o)| x - o).collect();
        self.residual.iter().map(|direction| dot(direction, &off).powi(2)).sum::<f64>().sqrt()
    }
}

impl Head<'_> {
    fn logits(&self, row: &[f64]) -> Vec<f64> {
        self.weights.iter().zip(self.bias).map(|(w, b)| dot(w, row) + b).collect()
    }

    /// −W⁺b, the point nearest to 0 among those of the least logits; W⁺ = Wᵀ(WWᵀ)⁺ by eigenvectors.
    fn origin(&self) -> Option<Vec<f64>> {
        let classes = self.bias.len();
        let products = self.weights.iter().flat_map(|a| self.weights.iter().map(move |b| dot(a, b)));
        let eigen = SymmetricEigen::new(products.collect(), classes)?;
        let mut origin = vec![0.0; self.weights.width()];
        for (value, vector) in eigen.values.iter().zip(&eigen.vectors) {
            // Directions that rounding alone made.
            if *value <= 1e-13 * eigen.values[0] {
                continue;
            }
            let share = dot(vector, self.bias) / value;
            for (weights, part) in self.weights.iter().zip(vector) {
                origin.iter_mut().zip(weights).for_each(|(o, w)| *o -= share * part * w);
            }
        }
        Some(origin)
    }
}
