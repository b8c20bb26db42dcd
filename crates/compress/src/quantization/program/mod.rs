//! A network as a list of steps over bytes and floats.
//!
//! Between two quantized layers nothing is a float: a layer's sums become the next layer's bytes. A picture lies with its
//! channels last while it is bytes. What has no integer arithmetic (layer normalization, attention) computes in floats
//! between two layers that have.

mod build;
mod product;
mod segments;
mod step;
mod weights;

use std::collections::BTreeSet;
use std::sync::Mutex;

use burn::tensor::Device;
use crucible_kernels::int8::Path;
use crucible_models::Network;
use rayon::prelude::*;

use super::fold::integer_graph;
use crate::{Archive, CompressError};
use step::{Buffers, Step};

/// A compressed network, ready to compute.
pub struct Program {
    features: usize,
    outputs: usize,
    /// Steps that each example goes through before the next one does, or that take all examples at once.
    segments: Vec<Segment>,
    slots: Vec<Slot>,
    result: usize,
    held: BTreeSet<String>,
    path: Path,
    device: Device,
    /// Memory of earlier calls.
    spare: Mutex<Vec<Buffers>>,
}

/// Room for one value.
#[derive(Debug, Clone, Copy)]
struct Slot {
    kind: Kind,
    /// Values of one example.
    length: usize,
    /// Whether it holds all examples at a time, or one.
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Floats,
}

#[derive(Debug)]
struct Segment {
    steps: Vec<Step>,
    each: bool,
}

/// The most examples that one thread takes at a time: enough to read weights rarely.
const MOST: usize = 64;

impl Program {
    /// The program of an archive whose tensors, as floats, are `network`'s.
    ///
    /// # Errors
    ///
    /// Where the archive lacks a range that a layer needs.
    pub fn new(
        archive: &Archive,
        network: &Network,
        features: usize,
        device: &Device,
    ) -> Result<Self, CompressError> {
        let graph = integer_graph(network, features, device)?;
        build::Builder::new(&graph, archive).program(device)
    }

    /// Values of one input.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Values of one output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The instructions that it computes with.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }

    /// The same with other instructions, which give the same bytes.
    #[must_use]
    pub fn with_path(self, path: Path) -> Self {
        Self { path, ..self }
    }

    /// The names of the values that are held in bytes.
    #[must_use]
    pub fn held(&self) -> BTreeSet<String> {
        self.held.clone()
    }

    /// Weights in integers, and the bytes that they take in memory.
    #[must_use]
    pub fn integers(&self) -> (usize, usize) {
        let products = self.segments.iter().flat_map(|segment| &segment.steps).filter_map(Step::product);
        let weights = products.map(|product| &product.weights);
        weights.fold((0, 0), |(count, bytes), weights| {
            (count + weights.outputs() * weights.inputs(), bytes + weights.bytes())
        })
    }

    /// Outputs `[n, outputs]` for inputs `[n, features]`. An example's outputs do not depend on what stands beside it as
    /// far as they are made of integers.
    ///
    /// # Panics
    ///
    /// Where there are no whole inputs.
    #[must_use]
    pub fn run(&self, inputs: &[f32]) -> Vec<f32> {
        assert!(inputs.len().is_multiple_of(self.features), "inputs of {} values", self.features);
        let count = inputs.len() / self.features;
        let mut outputs = vec![0.0; count * self.outputs];
        let part = count.div_ceil(rayon::current_num_threads()).clamp(1, MOST);
        let parts = outputs.par_chunks_mut(part * self.outputs).zip(inputs.par_chunks(part * self.features));
        parts.for_each(|(outputs, inputs)| self.run_part(inputs, outputs));
        outputs
    }

    fn run_part(&self, inputs: &[f32], outputs: &mut [f32]) {
        let count = inputs.len() / self.features;
        let spare = self.spare.lock().expect("no thread panics while it holds this").pop();
        let mut buffers = spare.unwrap_or_default();
        buffers.resize(&self.slots, count);
        buffers.floats[0].copy_from_slice(inputs);
        for Segment { steps, each } in &self.segments {
            let parts = if *each { count } else { 1 };
            for part in 0..parts {
                for step in steps {
                    let examples = if *each { part..part + 1 } else { 0..count };
                    step.run(examples, &self.slots, self.path, &self.device, &mut buffers);
                }
            }
        }
        outputs.copy_from_slice(&buffers.floats[self.result]);
        self.spare.lock().expect("no thread panics while it holds this").push(buffers);
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("segments", &self.segments).finish_non_exhaustive()
    }
}
