//! The machine that a pickle is a program for, without the part that runs Python's code.
//!
//! Opcodes: `Lib/pickletools.py` of `CPython`. Of them, those that `torch.save` writes for dictionaries of tensors under
//! protocols 2 to 5; any other, and any function or class but those of [`Global`], ends the reading.

use super::{
    super::error::OpenProblem,
    pickle::{Global, Id, Pickle, Storage, Value},
    stack::{Machine, Step, Stop, bounded},
    view::View,
};

/// Runs a pickle to its end.
pub(super) fn run(bytes: &[u8]) -> Result<Pickle<'_>, OpenProblem> {
    let mut machine = Machine::new(bytes);
    while machine.step().map_err(|stop| machine.problem(stop))? {}
    Ok(machine.pickle)
}

impl<'a> Machine<'a> {
    /// Takes one opcode; says whether there are more.
    fn step(&mut self) -> Step<bool> {
        let opcode = self.byte()?;
        match opcode {
            b'.' => {
                self.pickle.root = self.pop()?;
                return Ok(false);
            }
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | 0x8a | b'G' | b'X' | 0x8c => self.scalar(opcode)?,
            b'(' => self.mark()?,
            b')' | b't' | 0x85..=0x87 => self.tuple(opcode)?,
            b']' => self.push(Value::Other)?,
            b'a' | b'e' => self.append(opcode)?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b's' | b'u' => self.set_items(opcode)?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(opcode)?,
            b'c' | 0x93 => self.global(opcode)?,
            b'Q' => self.storage()?,
            b'R' => self.call()?,
            b'b' => self.build()?,
            0x80 => self.protocol()?,
            // A frame's length says nothing that the opcodes do not.
            0x95 => _ = self.take(8)?,
            unknown => return Err(Stop::Opcode(unknown)),
        }
        Ok(true)
    }

    fn protocol(&mut self) -> Step {
        match self.byte()? {
            2..=5 => Ok(()),
            _ => Err(Stop::Malformed("it has a protocol other than 2 to 5")),
        }
    }

    /// Numbers, text, nothing.
    fn scalar(&mut self, opcode: u8) -> Step {
        let value = match opcode {
            b'N' => Value::None,
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            0x8a => self.long()?,
            b'X' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                Value::Text(self.text(length)?)
            }
            0x8c => {
                let length = self.byte()?.into();
                Value::Text(self.text(length)?)
            }
            b'G' => {
                self.take(8)?;
                Value::Other
            }
            _ => Value::Other,
        };
        self.push(value)
    }

    /// An integer of any length, little-endian in two's complement.
    fn long(&mut self) -> Step<Value<'a>> {
        let length = self.byte()?.into();
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        let Some(low) = wide.get_mut(..length) else { return Ok(Value::Other) };
        low.copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(wide)))
    }

    fn tuple(&mut self, opcode: u8) -> Step {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.since_mark()?,
            count => self.last(usize::from(count - 0x84))?,
        };
        self.push(Value::Tuple(items))
    }

    /// What lists hold is not kept: no tensor of a state dict lies in one.
    fn append(&mut self, opcode: u8) -> Step {
        match opcode {
            b'a' => _ = self.pop()?,
            _ => _ = self.since_mark()?,
        }
        match self.top()? {
            Value::Other => Ok(()),
            _ => Err(Stop::Malformed("it appends to what is no list")),
        }
    }

    fn set_items(&mut self, opcode: u8) -> Step {
        let items = match opcode {
            b's' => self.last(2)?,
            _ => self.since_mark()?,
        };
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(Stop::Malformed("it sets a key without a value"));
        };
        match self.top()? {
            Value::Dict(dict) => dict.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            _ => return Err(Stop::Malformed("it sets keys of what is no dictionary")),
        }
        Ok(())
    }

    /// What is kept for later, and taken again.
    fn memory(&mut self, opcode: u8) -> Step {
        let key = match opcode {
            b'q' | b'h' => self.byte()?.into(),
            b'r' | b'j' => u32::from_le_bytes(self.array()?),
            _ => self.memo.len() as u32,
        };
        if matches!(opcode, b'h' | b'j') {
            let id =
                *self.memo.get(&key).ok_or(Stop::Malformed("it takes from its memory what is not in it"))?;
            self.stack.push(id);
            return Ok(());
        }
        let &id = self.stack.last().ok_or(Stop::Malformed("its stack is empty"))?;
        self.memo.insert(key, id);
        bounded(self.memo.len())
    }

    fn global(&mut self, opcode: u8) -> Step {
        let (module, name) = match opcode {
            b'c' => (self.line()?, self.line()?),
            _ => match self.last(2)?.as_slice() {
                [module, name] => (self.text_of(*module)?, self.text_of(*name)?),
                _ => return Err(Stop::Malformed("its stack is empty")),
            },
        };
        self.push(Value::Global(Global::named(module, name)?))
    }

    /// A persistent identifier: `("storage", class, key, device, number of values)`.
    fn storage(&mut self) -> Step {
        let wrong = Stop::Malformed("it refers to something other than a storage");
        let id = self.pop()?;
        let Value::Tuple(parts) = self.pickle.value(id) else { return Err(wrong) };
        let &[tag, class, key, _, length] = parts.as_slice() else { return Err(wrong) };
        let (Value::Global(Global::Storage(dtype)), Value::Int(length)) =
            (self.pickle.value(class), self.pickle.value(length))
        else {
            return Err(wrong);
        };
        let length =
            u64::try_from(*length).map_err(|_| Stop::Malformed("a storage has a negative length"))?;
        let storage = Storage { key: self.text_of(key)?, dtype: *dtype, length };
        if self.text_of(tag)? != "storage" {
            return Err(wrong);
        }
        let next = self.pickle.storages.len();
        let index = *self.known.entry(storage.key).or_insert(next);
        if index == next {
            self.pickle.storages.push(storage);
        }
        match self.pickle.storages[index] == storage {
            true => self.push(Value::Storage(index)),
            false => Err(Stop::Malformed("a storage has two types or lengths")),
        }
    }

    /// Builds what a call of one of the known functions would.
    fn call(&mut self) -> Step {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Value::Global(function) = self.pickle.value(function) else {
            return Err(Stop::Malformed("it calls what is no function"));
        };
        let Value::Tuple(arguments) = self.pickle.value(arguments) else {
            return Err(Stop::Malformed("it calls without arguments"));
        };
        match (function, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            (Global::Tensor, &[storage, offset, shape, strides, _, _]) => {
                self.tensor([storage, offset, shape, strides])
            }
            (Global::Tensor, &[storage, offset, shape, strides, _, _, metadata]) => {
                // It may say that the values are to be conjugated or negated.
                match self.pickle.value(metadata) {
                    Value::None => self.tensor([storage, offset, shape, strides]),
                    Value::Dict(marks) if marks.is_empty() => self.tensor([storage, offset, shape, strides]),
                    _ => Err(Stop::Problem(OpenProblem::Refused(
                        "a tensor is marked as a conjugated or negated view of its values; `tensor.resolve_neg()` makes it \
                         plain"
                            .to_owned(),
                    ))),
                }
            }
            (Global::Parameter, &[tensor, _, _]) if matches!(self.pickle.value(tensor), Value::Tensor(_)) => {
                self.stack.push(tensor);
                Ok(())
            }
            _ => Err(Stop::Malformed("it calls a function with arguments that are not its own")),
        }
    }

    fn tensor(&mut self, [storage, offset, shape, strides]: [Id; 4]) -> Step {
        let &Value::Storage(storage) = self.pickle.value(storage) else {
            return Err(Stop::Malformed("a tensor has no storage"));
        };
        let view = View {
            storage,
            offset: self.size(offset)?,
            shape: self.sizes(shape)?,
            strides: self.sizes(strides)?,
        };
        if view.shape.len() != view.strides.len() {
            return Err(Stop::Malformed("a tensor has another number of sizes than of strides"));
        }
        view.check(self.pickle.storages[storage].length)?;
        self.pickle.views.push(view);
        self.push(Value::Tensor(self.pickle.views.len() - 1))
    }

    /// Attributes of a dictionary, such as a state dict's `_metadata`, say nothing of tensors.
    fn build(&mut self) -> Step {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) => Ok(()),
            _ => Err(Stop::Malformed("it sets attributes of what is no dictionary")),
        }
    }
}
