use crate::support::{archive, open, pytorch, refusal};

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn int(value: i64) -> Vec<u8> {
    [b"\x8a\x08", &value.to_le_bytes()[..]].concat()
}

fn ints(values: &[i64]) -> Vec<u8> {
    [b"(", &values.iter().flat_map(|&value| int(value)).collect::<Vec<u8>>()[..], b"t"].concat()
}

/// A tensor of `f32` in storage `0`, which is said to have `length` values.
fn tensor(length: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage")[..],
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        &int(length),
        b"tQ",
        &int(offset),
        &ints(shape),
        &ints(strides),
        b"\x89ccollections\nOrderedDict\n)RtR",
    ]
    .concat()
}

fn dict(tensor: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", &text("w")[..], tensor, b"s."].concat()
}

#[test]
fn code_is_named_and_not_run() {
    for (pickle, name) in [
        (&b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00true\x74R."[..], "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "builtins.eval"),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02ctorch\nStorage\n.", "torch.Storage"),
        (b"\x80\x02ctorch.cuda\nFloatStorage\n.", "torch.cuda.FloatStorage"),
        (b"\x80\x02ctorch\nQInt8Storage\n.", "torch.QInt8Storage"),
    ] {
        assert!(refusal(&pytorch(pickle, &[])).contains(&format!("would call `{name}`")));
    }
    // Instances, extensions, text protocols: everything that a dictionary of tensors does not need.
    for opcode in [0x81u8, 0x82, 0x92, b'i', b'o', b'P', b'I', b'S', b'0', b'2', 0x8f, 0x97] {
        let error = refusal(&pytorch(&[0x80, 2, opcode], &[]));
        assert!(error.contains(&format!("opcode 0x{opcode:02x}")), "{error}");
    }
}

#[test]
fn views_beyond_their_storage_are_refused() {
    let good = open(&pytorch(&dict(&tensor(4, 1, &[1, 3], &[3, 1])), &[0; 16])).unwrap();
    assert_eq!(good.state["w"].shape, [1, 3]);
    let none = open(&pytorch(&dict(&tensor(4, 0, &[0, 1 << 60, 1 << 60], &[1, 1, 1])), &[0; 16])).unwrap();
    assert_eq!(none.state["w"].values, [0.0; 0]);
    for (tensor, reason) in [
        (tensor(4, 2, &[3], &[1]), "reaches beyond its storage of 4"),
        (tensor(4, 0, &[1 << 60], &[1]), "reaches beyond its storage"),
        (tensor(4, 0, &[1 << 60, 1 << 60], &[0, 0]), "more values than can be counted"),
        (tensor(4, i64::MAX, &[2], &[i64::MAX]), "reaches beyond its storage"),
        (tensor(4, -1, &[1], &[1]), "a size or stride is negative"),
        (tensor(4, 3, &[2], &[-1]), "a size or stride is negative"),
        (tensor(-4, 0, &[1], &[1]), "a storage has a negative length"),
        (tensor(4, 0, &[1], &[]), "another number of sizes than of strides"),
        (tensor(5, 0, &[4], &[1]), "storage `0` has 5 values of 4 bytes, and 16 bytes are there"),
        (tensor(i64::MAX, 0, &[4], &[1]), "storage `0` has 9223372036854775807 values"),
        (tensor(4, 0, &[1 << 40], &[0]), "tensors have 1099511627776 values, but their storages only 4"),
    ] {
        let error = refusal(&pytorch(&dict(&tensor), &[0; 16]));
        assert!(error.contains(reason), "{error}");
    }
    let error = refusal(&archive(&[("a/data.pkl", &dict(&tensor(4, 0, &[4], &[1])))]));
    assert!(error.contains("has 4 values of 4 bytes, and no bytes are there"), "{error}");
    let twice = [&tensor(4, 0, &[4], &[1])[..], b"s", &text("v"), &tensor(2, 0, &[2], &[1])].concat();
    assert!(refusal(&pytorch(&dict(&twice), &[0; 16])).contains("two types or lengths"));
}

#[test]
fn one_storage_is_not_read_a_million_times() {
    let storage = vec![0; 4 << 18];
    let one = tensor(1 << 18, 0, &[1 << 18], &[1]);
    // The first tensor is remembered, and put under more names.
    let mut pickle = [b"\x80\x02}", &text("first")[..], &one, b"q\x00s"].concat();
    for i in 0..100 {
        pickle.extend([&text(&i.to_string())[..], b"h\x00s"].concat());
    }
    pickle.push(b'.');
    assert!(refusal(&pytorch(&pickle, &storage)).contains("their storages only 262144"));
}

#[test]
fn neither_depth_nor_memory_costs_anything() {
    let nest = |open: &[u8], close: &[u8]| {
        let bytes = [b"\x80\x02", &open.repeat(1_000_000)[..], &close.repeat(1_000_000 - 1), b"."].concat();
        refusal(&pytorch(&bytes, &[]))
    };
    assert!(nest(b"]", b"a").contains("holds no tensors"));
    assert!(nest(b"(", b"t").contains("holds no tensors"));
    assert!(nest(b"}", b"").contains("holds no tensors"));
    // Each tuple holds the last one twice: 2^200 values, if they were copied.
    let mut doubling = b"\x80\x02)q\x00".to_vec();
    doubling.extend(b"h\x00h\x00\x86q\x00".repeat(200));
    doubling.push(b'.');
    assert!(refusal(&pytorch(&doubling, &[])).contains("holds no tensors"));
    // A dictionary that is its own value.
    let own = [b"\x80\x02}q\x00", &text("a")[..], b"h\x00s."].concat();
    assert!(refusal(&pytorch(&own, &[])).contains("holds no tensors"));
    let many = [b"\x80\x02", &b"N".repeat(5_000_000)[..], b"."].concat();
    assert!(refusal(&pytorch(&many, &[])).contains("more than 4194304 values"));
    let long = [b"\x80\x02", &b"N".repeat(65 << 20)[..], b"."].concat();
    assert!(refusal(&pytorch(&long, &[])).contains("its pickle is longer than 67108864 bytes"));
}

#[test]
fn broken_programs_are_refused() {
    for (pickle, reason) in [
        (&b""[..], "it is cut off"),
        (b"\x80\x09", "protocol other than 2 to 5"),
        (b"\x80\x02.", "its stack is empty"),
        (b"\x80\x02N(.", "its stack is empty"),
        (b"\x80\x02t", "closes a mark that it never set"),
        (b"\x80\x02h\x05", "takes from its memory what is not in it"),
        (b"\x80\x02q\x05", "its stack is empty"),
        (b"\x80\x02Ns", "its stack is empty"),
        (b"\x80\x02NNNs", "sets keys of what is no dictionary"),
        (b"\x80\x02}(Nu", "a key without a value"),
        (b"\x80\x02NNa", "appends to what is no list"),
        (b"\x80\x02NNb", "sets attributes of what is no dictionary"),
        (b"\x80\x02N)R", "calls what is no function"),
        (b"\x80\x02ccollections\nOrderedDict\nNR", "calls without arguments"),
        (b"\x80\x02ccollections\nOrderedDict\nN\x85R", "arguments that are not its own"),
        (b"\x80\x02ctorch._utils\n_rebuild_parameter\nNNN\x87R", "arguments that are not its own"),
        (b"\x80\x02NQ", "something other than a storage"),
        (b"\x80\x02X\xff\xff\xff\xffa", "it is cut off"),
        (b"\x80\x02X\x01\x00\x00\x00\xff", "not UTF-8"),
        (b"\x80\x02cos", "it is cut off"),
    ] {
        let error = refusal(&pytorch(pickle, &[]));
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_only_dictionary_of_tensors_is_taken() {
    let vector = tensor(4, 0, &[4], &[1]);
    let number = tensor(4, 0, &[], &[]);
    let inner = |tensor: &[u8]| [b"}", &text("w")[..], tensor, b"s"].concat();
    let top = |items: &[(&str, &[u8])]| {
        let items: Vec<u8> =
            items.iter().flat_map(|(key, value)| [&text(key)[..], value, b"s"].concat()).collect();
        pytorch(&[b"\x80\x02}", &items[..], b"."].concat(), &[0; 16])
    };
    let names = |bytes: &[u8]| open(bytes).unwrap().state.into_keys().collect::<Vec<_>>();
    assert_eq!(names(&top(&[("model", &inner(&vector)), ("best", &number)])), ["w"]);
    assert_eq!(
        names(&top(&[("weight", &vector), ("scale", &number), ("config", b"}")])),
        ["scale", "weight"]
    );
    let both = top(&[("model", &inner(&vector)), ("bias", &vector)]);
    assert!(refusal(&both).contains("several sets of tensors (the top, `model`)"));
    let number_key = pytorch(&[b"\x80\x02}K\x01", &vector[..], b"s."].concat(), &[0; 16]);
    assert!(refusal(&number_key).contains("a tensor's key is no text"));
    let alone = pytorch(&[b"\x80\x02", &vector[..], b"."].concat(), &[0; 16]);
    assert!(refusal(&alone).contains("a single tensor without a name"));
}
