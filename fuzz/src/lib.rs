//! The readers of weights from elsewhere, as the fuzzer calls them.
//!
//! Their files are included, not their crate: that needs Burn, which takes half an hour under instrumentation. What
//! is read must also be whole: as many values as each shape says.

#[path = "../../crates/models/src/weights/open/mod.rs"]
#[allow(dead_code)]
mod open;
#[path = "../../crates/models/src/weights/state.rs"]
mod state;

use std::io::Cursor;

use open::{OpenProblem, Opened};

/// One file of safetensors.
pub fn safetensors(bytes: &[u8]) {
    check(open::read_safetensors(Cursor::new(bytes)));
}

/// An index and two shards, one behind the other, each with its length before it.
pub fn sharded(bytes: &[u8]) {
    let mut rest = bytes;
    let mut parts = [&[][..]; 3];
    for part in &mut parts {
        let Some((length, behind)) = rest.split_first_chunk::<2>() else { break };
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        (*part, rest) = behind.split_at(length);
    }
    let [index, first, second] = parts;
    check(open::read_sharded(Cursor::new(index), |name| match name {
        "a" => Ok(Cursor::new(first)),
        "b" => Ok(Cursor::new(second)),
        _ => Err(OpenProblem::Unknown),
    }));
}

/// An archive of `torch.save`.
pub fn pytorch(bytes: &[u8]) {
    check(open::read_pytorch(Cursor::new(bytes)));
}

/// A pickle in an archive that is whole, with one storage of 64 bytes: the fuzzer cannot guess checksums.
pub fn pickle(bytes: &[u8]) {
    check(open::read_pytorch(Cursor::new(archive(&[("a/data.pkl", bytes), ("a/data/0", &[0; 64])]))));
}

/// A zip archive of stored entries, without checksums.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = bytes.len() as u32;
        let length = (content.len() as u32).to_le_bytes();
        // From the version that is needed to the lengths of name and extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0];
        common.extend(length);
        common.extend(length);
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(*content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, count) = (bytes.len() as u32, (entries.len() as u16).to_le_bytes());
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn check(result: Result<Opened, OpenProblem>) {
    match result {
        Ok(opened) => {
            for (name, tensor) in &opened.state {
                assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>(), "{name}");
            }
        }
        // Its words are part of what is tested.
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
}
