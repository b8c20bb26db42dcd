//! Generators of pictures: what their recipes and runs are.

mod draw;
mod recipe;
mod run;

pub(crate) use draw::Own;
pub(crate) use recipe::GanRecipe;
pub(crate) use run::{GanConfigFile, GanEnding, GanRun, holds_generator, open_folder};
