//! Events as TensorBoard reads them: TFRecords that hold `tensorflow.Event` messages.
//!
//! A record is its length as u64, the masked CRC-32C of those eight bytes, the data, and the data's masked CRC-32C,
//! little endian. The messages are few and flat, so they are encoded by hand (protobuf wire format).

/// The event that opens every file.
pub(crate) fn header(wall_time: f64) -> Vec<u8> {
    let mut event = double(1, wall_time);
    event.extend(bytes(3, b"brain.Event:2"));
    record(&event)
}

/// One event with a value for each tag.
pub(crate) fn scalars(wall_time: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut entry = bytes(1, tag.as_bytes());
        entry.extend(float(2, *value as f32));
        summary.extend(bytes(1, &entry));
    }
    let mut event = double(1, wall_time);
    event.extend(varint(2 << 3));
    event.extend(varint(step));
    event.extend(bytes(5, &summary));
    record(&event)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

fn masked_crc(data: &[u8]) -> [u8; 4] {
    let crc = crc32c::crc32c(data);
    (crc.rotate_right(15).wrapping_add(0xa282_ead8)).to_le_bytes()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [varint(field << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

fn float(field: u64, value: f32) -> Vec<u8> {
    [varint(field << 3 | 5), value.to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}
