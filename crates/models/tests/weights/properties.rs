use crucible_models::weights::Opened;
use proptest::prelude::*;

use crate::support::{open, pytorch, safetensors, vectors, written};

/// What was read is whole.
fn check(opened: &Opened) {
    for (name, tensor) in &opened.state {
        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>(), "{name}");
    }
}

fn starts() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        b"PK\x03\x04".to_vec(),
        b"\x20\x00\x00\x00\x00\x00\x00\x00{".to_vec(),
        b"{\"weight_map\":{".to_vec(),
        Vec::new(),
    ])
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(start in starts(), rest in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(opened) = open(&[start, rest].concat()) {
            check(&opened);
        }
    }

    #[test]
    fn any_pickle_is_read_or_refused(pickle in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(opened) = open(&pytorch(&[b"\x80\x02", &pickle[..]].concat(), &[0; 64])) {
            check(&opened);
        }
    }

    #[test]
    fn a_good_file_with_changed_bytes_is_read_or_refused(
        name in prop::sample::select(vec!["nested", "views", "shared", "types"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = std::fs::read(written(name)).unwrap();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(opened) = open(&bytes) {
            check(&opened);
        }
    }

    #[test]
    fn a_good_safetensors_file_with_changed_bytes_is_read_or_refused(
        place in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut bytes = safetensors(&[("a", &[1.0, 2.0]), ("b", &[3.0])]);
        let place = place.index(bytes.len());
        bytes[place] = value;
        if let Ok(opened) = open(&bytes) {
            check(&opened);
        }
    }

    #[test]
    fn every_state_is_read_back(
        a in prop::collection::vec(any::<f32>(), 0..20),
        b in prop::collection::vec(any::<f32>(), 0..20),
    ) {
        let bits = |state: &crucible_models::weights::State| {
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            state.iter().map(|(name, tensor)| (name.clone(), bits(&tensor.values))).collect::<Vec<_>>()
        };
        let tensors: [(&str, &[f32]); 2] = [("a", &a), ("b", &b)];
        let opened = open(&safetensors(&tensors)).unwrap();
        prop_assert_eq!(bits(&opened.state), bits(&vectors(&tensors)));
    }
}
