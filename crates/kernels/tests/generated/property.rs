//! Runs a property over its cases, and compares.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use burn::tensor::{DType, Gradients, Tensor};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestError, TestRunner};

use crate::input::{Of, Upstream};

/// Errors against float64, relative to the sums of magnitudes.
const LIMIT: f64 = 1e-5;

/// A size near the end of float32's range, where the factors of a result are subnormal or zero before it is.
const LEAST: f64 = 1e-26;

/// `test` for `cases` cases, always the same.
pub(crate) fn check<S>(
    name: &str,
    cases: u32,
    strategy: S,
    test: impl Fn(&S::Value, &Errors) -> TestCaseResult,
) where
    S: Strategy<Value: Debug>,
{
    let default = Config::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed => fixed,
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    let config = Config { cases, rng_seed, failure_persistence: None, ..default };
    let errors = Errors::default();
    match TestRunner::new(config).run(&strategy, |case| test(&case, &errors)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{name}: {reason}\n{case:?}"),
        Err(error) => panic!("{name}: {error}"),
    }
    for (what, largest) in errors.largest.into_inner() {
        println!("{name}, {what}: {largest:.1e}");
    }
}

/// The largest errors so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    largest: RefCell<BTreeMap<&'static str, f64>>,
}

impl Errors {
    /// Every value is within the limit, relative to its size.
    pub(crate) fn compare(
        &self,
        what: &'static str,
        actual: &[f64],
        exact: &[f64],
        sizes: &[f64],
    ) -> TestCaseResult {
        prop_assert_eq!(actual.len(), exact.len(), "{}", what);
        prop_assert_eq!(actual.len(), sizes.len(), "{}", what);
        for (i, ((actual, exact), size)) in actual.iter().zip(exact).zip(sizes).enumerate() {
            let error = (actual - exact).abs() / (size + LEAST);
            prop_assert!(error <= LIMIT, "{} at {}: {} for {}, of size {}", what, i, actual, exact, size);
            let mut largest = self.largest.borrow_mut();
            let largest = largest.entry(what).or_default();
            *largest = largest.max(error);
        }
        Ok(())
    }

    /// The same of an output and its gradients.
    pub(crate) fn compare_all(
        &self,
        names: &[&'static str],
        [actual, exact, sizes]: [&Found; 3],
    ) -> TestCaseResult {
        for (i, name) in names.iter().enumerate() {
            match (&actual[i], &exact[i], &sizes[i]) {
                (Some(actual), Some(exact), Some(sizes)) => self.compare(name, actual, exact, sizes)?,
                (None, None, _) => {}
                _ => prop_assert!(false, "{}: a gradient for one alone", name),
            }
        }
        Ok(())
    }
}

/// NaN where it is expected and nowhere else, the same infinities, and about the same numbers.
pub(crate) fn same_kind(what: &str, actual: &[f64], exact: &[f64]) -> TestCaseResult {
    prop_assert_eq!(actual.len(), exact.len(), "{}", what);
    for (i, (&actual, &exact)) in actual.iter().zip(exact).enumerate() {
        let same = if exact.is_finite() {
            (actual - exact).abs() <= 1e-3 * exact.abs().max(1.0)
        } else {
            actual == exact || actual.is_nan() && exact.is_nan()
        };
        prop_assert!(same, "{} at {}: {} for {}", what, i, actual, exact);
    }
    Ok(())
}

/// The same of an output and its gradients.
pub(crate) fn same_kinds(names: &[&'static str], actual: &Found, exact: &Found) -> TestCaseResult {
    for (i, name) in names.iter().enumerate() {
        match (&actual[i], &exact[i]) {
            (Some(actual), Some(exact)) => same_kind(name, actual, exact)?,
            (None, None) => {}
            _ => prop_assert!(false, "{}: a gradient for one alone", name),
        }
    }
    Ok(())
}

/// An output, and the gradient by each leaf that is tracked.
pub(crate) type Found = Vec<Option<Vec<f64>>>;

/// A tensor that a gradient may be asked of.
pub(crate) trait Leaf {
    fn is_tracked(&self) -> bool;
    fn gradient(&self, gradients: &Gradients) -> Option<Vec<f64>>;
}

impl<const D: usize> Leaf for Tensor<D> {
    fn is_tracked(&self) -> bool {
        self.is_require_grad()
    }

    fn gradient(&self, gradients: &Gradients) -> Option<Vec<f64>> {
        self.grad(gradients).map(values)
    }
}

/// `output` and what `upstream` gives back to the leaves.
pub(crate) fn results<const D: usize>(
    of: Of,
    output: Tensor<D>,
    upstream: &Upstream<D>,
    leaves: &[&dyn Leaf],
) -> Found {
    let mut found = vec![Some(values(output.clone().inner()))];
    if leaves.iter().any(|leaf| leaf.is_tracked()) {
        let gradients = upstream.loss(output, of).backward();
        found.extend(leaves.iter().map(|leaf| leaf.gradient(&gradients)));
    } else {
        found.extend(leaves.iter().map(|_| None));
    }
    found
}

/// The values in float64.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.cast(DType::F64).into_data().try_to_vec().unwrap()
}
