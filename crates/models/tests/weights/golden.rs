use crucible_models::weights;

use crate::support::{expected, state, written};

#[test]
fn every_value_is_the_one_that_pytorch_reads() {
    let mut expected = expected();
    for name in
        ["state_dict", "protocol_4", "nested", "shared", "views", "types", "parameter", "vgg", "vgg_bn"]
    {
        let opened = weights::open(&written(name)).unwrap_or_else(|error| panic!("{error}"));
        let expected = state(expected.remove(name).unwrap());
        assert!(expected.len() >= 2, "{name}");
        assert_eq!(opened.state, expected, "{name}");
    }
}

#[test]
fn what_is_left_out_is_listed() {
    let left_out = |name| -> Vec<(String, String)> {
        weights::open(&written(name)).unwrap().left_out.into_iter().collect()
    };
    let pair = |name: &str, what: &str| (name.to_owned(), what.to_owned());
    assert_eq!(left_out("nested"), [pair("1.num_batches_tracked", "I64")]);
    assert_eq!(left_out("types"), [pair("bool", "BOOL"), pair("byte", "U8"), pair("long", "I64")]);
    assert_eq!(left_out("shared"), []);
}

#[test]
fn what_is_no_state_dict_is_refused_with_the_reason() {
    for (name, reason) in [
        (
            "several",
            "holds several sets of tensors (`model`, `model_ema`); save the one that is meant by itself",
        ),
        ("legacy", "`torch.save(torch.load(path, weights_only=True), path)` writes it anew"),
        ("complex", "tensor `phase` holds C64 values; F32, F16, BF16 and F64 are read"),
        ("negated", "a tensor is marked as a conjugated or negated view"),
        ("float8", "would call `torch._utils._rebuild_tensor_v3`"),
        ("module", "would call `torch.nn.modules.container.Sequential`"),
    ] {
        let error = weights::open(&written(name)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(error.contains(&format!("{name}.pt: ")), "{error}");
    }
}
