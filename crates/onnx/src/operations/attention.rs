use crucible_models::layers::SelfAttention;

use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// The heads of an attention layer: `[batch, tokens, 3 · width]` to `[batch, tokens, width]`.
pub(super) fn write(site: &mut Site<'_>, layer: &SelfAttention) -> Result<Held, ExportError> {
    let node = site.node();
    let (tokens, columns) = (node.inputs[0].shape[0], node.inputs[0].shape[1]);
    let heads = layer.heads();
    let width = columns / 3;
    if heads == 0 || width * 3 != columns || !width.is_multiple_of(heads) {
        let fault = format!("divides {columns} columns into query, key and value of {heads} heads");
        return Err(ExportError::Malformed { node: node.name.clone(), fault });
    }
    let packed = site.read(0)?;
    let sizes = site.constant("widths", tensor::int64(&[width as i64; 3]))?;
    let name = format!("{}/Split", node.name);
    let [query, key, value] =
        site.builder.node_of(&name, "Split", &[&packed, &sizes], vec![tensor::int("axis", 2)]);

    let shape = [tokens, heads, width / heads];
    // Keys with their tokens last, as the product with the queries wants them.
    let query = heads_first(site, &query, &shape, [0, 2, 1, 3])?;
    let key = heads_first(site, &key, &shape, [0, 2, 3, 1])?;
    let value = heads_first(site, &value, &shape, [0, 2, 1, 3])?;

    let scale = ((width / heads) as f64).sqrt().recip() as f32;
    let scale = site.constant("scale", tensor::floats(&[], &[scale]))?;
    let query = site.step("Mul", &[&query, &scale], Vec::new());
    let mut scores = site.step("MatMul", &[&query, &key], Vec::new());
    if layer.is_causal() {
        let mask = site.constant("mask", tensor::floats(&[tokens, tokens], &mask(tokens)))?;
        scores = site.step("Add", &[&scores, &mask], Vec::new());
    }
    let shares = site.step("Softmax", &[&scores], vec![tensor::axis(-1)]);
    let mixed = site.step("MatMul", &[&shares, &value], Vec::new());
    let mixed = site.step("Transpose", &[&mixed], vec![tensor::ints("perm", &[0, 2, 1, 3])]);
    let sides = site.constant("shape", tensor::int64(&[0, tokens as i64, width as i64]))?;
    let name = site.main("Reshape", &[&mixed, &sides], Vec::new());
    Ok(Held { name, shape: vec![tokens, width] })
}

fn heads_first(
    site: &mut Site<'_>,
    value: &str,
    shape: &[usize; 3],
    order: [usize; 4],
) -> Result<String, ExportError> {
    let value = site.reshape(value, shape)?;
    Ok(site.step("Transpose", &[&value], vec![tensor::ints("perm", &order)]))
}

/// Minus infinity where a key stands behind its query.
fn mask(tokens: usize) -> Vec<f32> {
    let row = |query: usize| (0..tokens).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 });
    (0..tokens).flat_map(row).collect()
}
