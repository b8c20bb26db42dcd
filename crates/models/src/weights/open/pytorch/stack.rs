//! The stack of the machine, and the bytes of its program.

use std::collections::HashMap;

use super::{
    super::error::OpenProblem,
    pickle::{Id, Pickle, Value},
};

/// Values of one pickle, and of them what it keeps for later. A tensor takes about 20.
const MAX_VALUES: usize = 4 << 20;

/// Why a pickle is not read any further.
pub(super) enum Stop {
    /// What the opcode found is not what it needs.
    Malformed(&'static str),
    /// The opcode itself is unknown.
    Opcode(u8),
    Problem(OpenProblem),
}

impl From<OpenProblem> for Stop {
    fn from(problem: OpenProblem) -> Self {
        Self::Problem(problem)
    }
}

pub(super) type Step<T = ()> = Result<T, Stop>;

/// The state of the machine between two opcodes.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    /// Where the next opcode or argument stands.
    position: usize,
    pub(super) stack: Vec<Id>,
    /// The heights of the stack at each open mark.
    marks: Vec<usize>,
    pub(super) memo: HashMap<u32, Id>,
    /// Where a storage that was already named stands among those of the pickle.
    pub(super) known: HashMap<&'a str, usize>,
    pub(super) pickle: Pickle<'a>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            known: HashMap::new(),
            pickle: Pickle::default(),
        }
    }

    pub(super) fn problem(&self, stop: Stop) -> OpenProblem {
        match stop {
            Stop::Malformed(what) => {
                OpenProblem::Damaged(format!("its pickle, before byte {}: {what}", self.position))
            }
            Stop::Opcode(opcode) => OpenProblem::Refused(format!(
                "its pickle has the opcode 0x{opcode:02x} before byte {}, which no dictionary of tensors needs",
                self.position
            )),
            Stop::Problem(problem) => problem,
        }
    }

    pub(super) fn push(&mut self, value: Value<'a>) -> Step {
        self.stack.push(self.pickle.values.len() as Id);
        self.pickle.values.push(value);
        bounded(self.pickle.values.len())
    }

    pub(super) fn mark(&mut self) -> Step {
        self.marks.push(self.stack.len());
        bounded(self.marks.len())
    }

    /// The stack down to the last mark; what lies under that belongs to others.
    pub(super) fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn last(&mut self, count: usize) -> Step<Vec<Id>> {
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= self.floor() => Ok(self.stack.split_off(start)),
            _ => Err(Stop::Malformed("its stack is empty")),
        }
    }

    pub(super) fn pop(&mut self) -> Step<Id> {
        match self.stack.len() > self.floor() {
            true => self.stack.pop().ok_or(Stop::Malformed("its stack is empty")),
            false => Err(Stop::Malformed("its stack is empty")),
        }
    }

    pub(super) fn since_mark(&mut self) -> Step<Vec<Id>> {
        let start = self.marks.pop().ok_or(Stop::Malformed("it closes a mark that it never set"))?;
        Ok(self.stack.split_off(start))
    }

    pub(super) fn top(&mut self) -> Step<&mut Value<'a>> {
        let id = self.stack.get(self.floor()..).and_then(<[Id]>::last);
        let id = *id.ok_or(Stop::Malformed("its stack is empty"))?;
        Ok(&mut self.pickle.values[id as usize])
    }

    pub(super) fn text_of(&self, id: Id) -> Step<&'a str> {
        match self.pickle.value(id) {
            Value::Text(text) => Ok(text),
            _ => Err(Stop::Malformed("a name is no text")),
        }
    }

    pub(super) fn size(&self, id: Id) -> Step<u64> {
        match self.pickle.value(id) {
            Value::Int(size) => {
                u64::try_from(*size).map_err(|_| Stop::Malformed("a size or stride is negative"))
            }
            _ => Err(Stop::Malformed("a size or stride is no integer")),
        }
    }

    pub(super) fn sizes(&self, id: Id) -> Step<Vec<u64>> {
        match self.pickle.value(id) {
            Value::Tuple(sizes) => sizes.iter().map(|&size| self.size(size)).collect(),
            _ => Err(Stop::Malformed("a tensor's sizes are no tuple")),
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..count).ok_or(Stop::Malformed("it is cut off"))?;
        self.position += count;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Stop::Malformed("it is cut off"))
    }

    pub(super) fn text(&mut self, length: usize) -> Step<&'a str> {
        std::str::from_utf8(self.take(length)?).map_err(|_| Stop::Malformed("a text is not UTF-8"))
    }

    pub(super) fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(Stop::Malformed("it is cut off"))?;
        let line = self.text(end)?;
        self.position += 1;
        Ok(line)
    }
}

pub(super) fn bounded(count: usize) -> Step {
    match count > MAX_VALUES {
        true => {
            Err(Stop::Problem(OpenProblem::Refused(format!("its pickle has more than {MAX_VALUES} values"))))
        }
        false => Ok(()),
    }
}
