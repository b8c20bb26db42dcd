use std::collections::BTreeMap;

use super::{
    super::error::OpenProblem,
    pickle::{Id, Pickle, Value},
    view::View,
};

/// Tensors by name, and by name what is none.
type Found<'p> = (BTreeMap<&'p str, &'p View>, BTreeMap<String, String>);

/// The state dict of a file: the only dictionary that holds tensors, of those at the top and under its keys.
///
/// Single numbers at the top, which training keeps beside a state dict (the best accuracy), are not counted as one.
pub(super) fn state_dict<'p>(pickle: &'p Pickle<'p>) -> Result<Found<'p>, OpenProblem> {
    let Value::Dict(top) = pickle.value(pickle.root) else {
        return match pickle.value(pickle.root) {
            Value::Tensor(_) => Err(OpenProblem::Refused(
                "it is a single tensor without a name; save a dictionary, `torch.save({\"weight\": tensor}, path)`"
                    .to_owned(),
            )),
            _ => Err(OpenProblem::Empty),
        };
    };
    let under: Vec<(&str, Id)> = top
        .iter()
        .filter(|(_, value)| dimensions(pickle, *value).next().is_some())
        .map(|&(key, value)| (text(pickle, key).unwrap_or("a key that is no text"), value))
        .collect();
    let at_the_top: Vec<usize> = dimensions(pickle, pickle.root).collect();
    let only_numbers = at_the_top.iter().all(|&dimensions| dimensions == 0);
    match under.as_slice() {
        [] if at_the_top.is_empty() => Err(OpenProblem::Empty),
        [] => collect(pickle, pickle.root),
        [(_, only)] if only_numbers => collect(pickle, *only),
        several => {
            let mut names: Vec<String> = several.iter().map(|(key, _)| format!("`{key}`")).collect();
            if !only_numbers {
                names.insert(0, "the top".to_owned());
            }
            Err(OpenProblem::Several(names))
        }
    }
}

/// The number of axes of each tensor that a dictionary holds itself.
fn dimensions(pickle: &Pickle<'_>, id: Id) -> impl Iterator<Item = usize> {
    let items = match pickle.value(id) {
        Value::Dict(items) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(|&(_, value)| match pickle.value(value) {
        Value::Tensor(view) => Some(pickle.views[*view].shape.len()),
        _ => None,
    })
}

/// What a dictionary holds.
fn collect<'p>(pickle: &'p Pickle<'p>, id: Id) -> Result<Found<'p>, OpenProblem> {
    let Value::Dict(items) = pickle.value(id) else { return Err(OpenProblem::Empty) };
    let (mut tensors, mut others) = (BTreeMap::new(), BTreeMap::new());
    for &(key, value) in items {
        let name = text(pickle, key);
        match (name, pickle.value(value)) {
            (Some(name), Value::Tensor(view)) => {
                others.remove(name);
                tensors.insert(name, &pickle.views[*view]);
            }
            (None, Value::Tensor(_)) => {
                return Err(OpenProblem::Refused("a tensor's key is no text".to_owned()));
            }
            (Some(name), _) => {
                tensors.remove(name);
                others.insert(name.to_owned(), "no tensor".to_owned());
            }
            (None, _) => {}
        }
    }
    Ok((tensors, others))
}

fn text<'p>(pickle: &'p Pickle<'p>, id: Id) -> Option<&'p str> {
    match pickle.value(id) {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
