//! Bits in bytes, from the low end.

/// Bits that are being written.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits in the last byte that are taken; 0 where it is full.
    taken: u32,
}

impl BitWriter {
    /// The lowest `count` bits, lowest first.
    pub(super) fn write(&mut self, bits: u32, count: u32) {
        for place in 0..count {
            if self.taken == 0 {
                self.bytes.push(0);
            }
            let bit = ((bits >> place) & 1) as u8;
            *self.bytes.last_mut().expect("just pushed") |= bit << self.taken;
            self.taken = (self.taken + 1) % 8;
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bits that are being read.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bit, if there is one.
    pub(super) fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = (byte >> (self.at % 8)) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    /// The next `count` bits, lowest first.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |bits, place| Some(bits | self.bit()? << place))
    }
}
