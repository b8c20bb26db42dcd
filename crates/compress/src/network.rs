use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{Network, Tap, Tapped};

use crate::{Archive, CompressError, Program};

/// A network that may have been compressed.
///
/// Where only answers are asked for, it computes in its integers. A tap that must see its layers, and a gradient, get the
/// network of floats that the integers stand for: its answers differ by what rounding activations does.
#[derive(Module, Debug)]
pub struct Compressed {
    network: Network,
    #[module(skip)]
    program: Option<Arc<Program>>,
}

impl Compressed {
    /// A network that computes in floats.
    #[must_use]
    pub fn floats(network: Network) -> Self {
        Self { network, program: None }
    }

    /// The network of an archive; `network` is one of its architecture.
    ///
    /// # Errors
    ///
    /// Where the archive's tensors are not the architecture's, or it lacks what its arithmetic needs.
    pub fn open(
        archive: &Archive,
        network: Network,
        features: usize,
        device: &Device,
    ) -> Result<Self, OpenError> {
        let network = crucible_models::weights::assign(network, &archive.state())?;
        let program = match archive.arithmetic {
            crate::Arithmetic::Float => None,
            _ => Some(Arc::new(Program::new(archive, &network, features, device)?)),
        };
        Ok(Self { network, program })
    }

    /// The network in floats.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What it computes with where it computes in integers.
    #[must_use]
    pub fn program(&self) -> Option<&Program> {
        self.program.as_deref()
    }
}

/// Why an archive's network cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be read.
    #[error(transparent)]
    Archive(#[from] crate::ArchiveError),
    /// Its tensors do not fit.
    #[error(transparent)]
    Weights(#[from] crucible_models::weights::WeightsError),
    /// It lacks something.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

impl Tapped for Compressed {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        match &self.program {
            Some(program) if tap.answers_only() && !input.is_autodiff() => {
                let (batch, device) = (input.dims()[0], input.device());
                let input = input.into_data().try_to_vec::<f32>().expect("networks here hold f32");
                let outputs = TensorData::new(program.run(&input), [batch, program.outputs()]);
                Tensor::from_data(outputs, &device)
            }
            _ => self.network.forward(input, tap),
        }
    }
}
