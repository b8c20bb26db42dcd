use crate::support::{archive, open, pytorch, refusal, safetensors, with_header};

#[test]
fn a_safetensors_file_is_held_against_its_length() {
    let entry = |name: &str, shape: &str, from: u64, to: u64| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{from},{to}]}}")
    };
    let two = |second: String| format!("{{{},{second}}}", entry("a", "[2]", 0, 8));
    let huge = format!("{{{}}}", entry("a", &format!("[{0},{0}]", 1u64 << 60), 0, 8));
    let long = format!("{{{}}}", entry("a", &format!("[{}]", 1u64 << 60), 0, 1 << 62));
    let big = format!("{{{}}}", entry("a", &format!("[{}]", 1u64 << 57), 0, 1 << 59));
    for (bytes, reason) in [
        (with_header(&two(entry("b", "[2]", 4, 12)), 12), "nvalid"),
        (with_header(&two(entry("b", "[2]", 0, 8)), 8), "nvalid"),
        (with_header(&two(entry("b", "[1]", 12, 16)), 16), "nvalid"),
        (with_header(&huge, 8), "is damaged: its header is not that of a safetensors file"),
        (with_header(&long, 8), "is damaged: its header is not that of a safetensors file"),
        (with_header(&big, 8), "is damaged: its tensors are 576460752303423488 bytes long, and 8 are there"),
        (with_header(&two(entry("b", "[2]", 8, 16)), 17), "tensors are 16 bytes long, and 17 are there"),
        (with_header("{\"a\":1}", 0), "is damaged: its header is not that of a safetensors file"),
        (with_header(&"{".repeat(100_000), 0), "is damaged: its header is not that of a safetensors file"),
    ] {
        let error = refusal(&bytes);
        assert!(error.contains(reason), "{error}");
    }
    let mut long = safetensors(&[("a", &[1.0])]);
    long[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(refusal(&long).contains("its header would be 1099511627776 bytes long"));
    long.resize(20 << 20, b' ');
    long[..8].copy_from_slice(&(17u64 << 20).to_le_bytes());
    assert!(refusal(&long).contains("more than 16777216 are not read"));
}

#[test]
fn types_are_read_left_out_or_refused() {
    let of = |dtype: &str, size| {
        let header = format!("{{\"a\":{{\"dtype\":\"{dtype}\",\"shape\":[2],\"data_offsets\":[0,{size}]}}}}");
        with_header(&header, size)
    };
    for (dtype, size) in [("F16", 4), ("BF16", 4), ("F32", 8), ("F64", 16)] {
        assert_eq!(open(&of(dtype, size)).unwrap().state["a"].values, [0.0; 2], "{dtype}");
    }
    for (dtype, size) in [("BOOL", 2), ("I8", 2), ("U16", 4), ("I32", 8), ("U64", 16)] {
        let opened = open(&of(dtype, size)).unwrap();
        assert!(opened.state.is_empty());
        assert_eq!(opened.left_out["a"], dtype);
    }
    for (dtype, size) in [("F8_E4M3", 2), ("C64", 16), ("F4", 1)] {
        assert!(refusal(&of(dtype, size)).contains(&format!("tensor `a` holds {dtype} values")));
    }
}

#[test]
fn other_files_are_refused_by_what_they_are() {
    for (bytes, reason) in [
        (&b""[..], "neither"),
        (b"<!DOCTYPE html><html>", "neither"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "git lfs pull"),
        (b"\x80\x04\x95aaaaaaaaaaaaaaa", "writes it anew"),
        (b"PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaa", "is damaged: its archive"),
    ] {
        let error = refusal(bytes);
        let reason = if reason == "neither" { "holds no weights that can be read" } else { reason };
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn archives_that_torch_save_does_not_write_are_refused() {
    let good = pytorch(b"\x80\x02}.", &[0; 4]);
    assert!(refusal(&good).contains("holds no tensors by name"));
    let change = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        let places: Vec<usize> =
            (0..bytes.len() - 4).filter(|&i| bytes[i..].starts_with(b"PK\x01\x02")).collect();
        for place in places {
            bytes[place + at] = value;
        }
        bytes
    };
    // The method deflate, and the flag of encryption, in the central directory.
    for bytes in [change(&good, 10, 8), change(&good, 8, 1)] {
        assert!(refusal(&bytes).contains("is compressed or encrypted, which `torch.save` never does"));
    }
    // A bomb: entries that share their bytes.
    let entries: Vec<String> = (0..50).map(|i| format!("a/data/{i:02}")).collect();
    let mut bomb: Vec<(&str, &[u8])> = entries.iter().map(|name| (&name[..], &[][..])).collect();
    let body = [0; 1000];
    bomb.insert(0, ("a/data.pkl", &body));
    let bytes = archive(&bomb);
    let lengths = change(&change(&bytes, 21, 4), 25, 4);
    let error = refusal(&lengths);
    assert!(error.contains("the entries of its archive overlap"), "{error}");
    for (entries, reason) in [
        (&[("a/data.pkl", &b"."[..]), ("a/constants.pkl", b"")][..], "is a TorchScript program"),
        (&[("a/x.npy", b"")], "without data.pkl"),
        (&[("a/data.pkl", b"."), ("b/data.pkl", b".")], "more than one data.pkl"),
        (&[("a/data.pkl", b"."), ("a/byteorder", b"big")], "not in little-endian order"),
    ] {
        let error = refusal(&archive(entries));
        assert!(error.contains(reason), "{error}");
    }
    // The checksum of the pickle, which is not the one of these bytes any more.
    let place = good.windows(4).position(|w| w == b"\x80\x02}.").unwrap();
    let mut changed = good;
    changed[place + 2] = b']';
    assert!(refusal(&changed).contains("`a/data.pkl` cannot be read"));
}
