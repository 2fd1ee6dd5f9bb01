//! A pickle machine that builds values and runs nothing.
//!
//! Its opcodes are those of Python's [pickletools](https://github.com/python/cpython/blob/main/Lib/pickletools.py)
//! that protocols 2 to 5 write for plain values. Every opcode makes at most one value and every value is paid for from
//! the budget, so a pickle takes memory in proportion to its length.

use std::collections::BTreeMap;

use super::globals::{call, global, storage};
use super::value::{Id, Storage, Stored, Value, Values, wrong};
use crate::error::Result;
use crate::io::budget::Budget;
use crate::io::dtype::little_endian;

/// The values of a pickle, and the value that the pickle as a whole stands for.
pub(super) fn unpickle(pickle: &[u8], budget: &mut Budget) -> Result<(Values, Id)> {
    let mut machine = Machine {
        rest: pickle,
        budget,
        values: Values::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    loop {
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok((machine.values, root));
        }
        machine.run(opcode)?;
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    budget: &'a mut Budget,
    values: Values,
    stack: Vec<Id>,
    /// The height of the stack at each mark.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl Machine<'_> {
    fn run(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // The protocol's number, the length of a frame: neither changes what follows.
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a | 0x8b | b'G' => self.number(opcode),
            b'X' | 0x8c | 0x8d | b'U' | b'T' => self.text(opcode),
            b'C' | b'B' | 0x8e => self.bytes(opcode),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(opcode),
            b'(' => {
                self.marks.push(self.stack.len());
                self.pay(size_of::<usize>())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.above_mark().map(drop),
            b')' | b't' | 0x85..=0x87 => self.tuple(opcode),
            b']' | b'l' | b'a' | b'e' => self.list(opcode),
            b'}' | b'd' | b's' | b'u' => self.dict(opcode),
            0x8f..=0x91 => self.set(opcode),
            b'c' | 0x93 => self.global(opcode),
            b'R' | 0x81 | b'Q' | b'b' => self.object(opcode),
            _ => Err(wrong("an opcode of plain values", format!("{opcode:#04x}"))),
        }
    }

    fn number(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            b'K' => Value::Int(self.length(1)? as i64),
            b'M' => Value::Int(self.length(2)? as i64),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            _ => {
                let length = self.length(if opcode == 0x8a { 1 } else { 4 })?;
                long(self.take(length)?)
            }
        };
        self.push(value)
    }

    fn text(&mut self, opcode: u8) -> Result<()> {
        let width = match opcode {
            0x8c | b'U' => 1,
            0x8d => 8,
            _ => 4,
        };
        let length = self.length(width)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|error| wrong("UTF-8", error))?;
        self.pay(length)?;
        self.push(Value::Text(text.into()))
    }

    fn bytes(&mut self, opcode: u8) -> Result<()> {
        let width = match opcode {
            b'C' => 1,
            0x8e => 8,
            _ => 4,
        };
        let length = self.length(width)?;
        self.take(length)?;
        self.push(Value::Other("bytes"))
    }

    /// Puts the last value into the memo, or a value of the memo onto the stack.
    fn memory(&mut self, opcode: u8) -> Result<()> {
        let key = match opcode {
            b'q' | b'h' => self.length(1)?,
            b'r' | b'j' => self.length(4)?,
            _ => self.memo.len(),
        };
        let key = u32::try_from(key).map_err(|_| wrong("a memo key", key))?;
        if matches!(opcode, b'h' | b'j') {
            let id = *self.memo.get(&key).ok_or_else(|| wrong("a key of the memo", key))?;
            return self.push_id(id);
        }
        let last = *self.stack.last().ok_or_else(|| wrong("a value", "an empty stack"))?;
        self.memo.insert(key, last);
        // For a node of the memo.
        self.pay(32)
    }

    fn tuple(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.above_mark()?,
            _ => self.top(usize::from(opcode - 0x84))?,
        };
        self.push(Value::Tuple(items))
    }

    fn list(&mut self, opcode: u8) -> Result<()> {
        let new = match opcode {
            b']' => return self.push(Value::List(Vec::new())),
            b'a' => vec![self.pop()?],
            _ => self.above_mark()?,
        };
        if opcode == b'l' {
            return self.push(Value::List(new));
        }
        match self.last_mut()? {
            Value::List(items) => items.extend(new),
            other => return Err(wrong("a list", other.kind())),
        }
        Ok(())
    }

    fn dict(&mut self, opcode: u8) -> Result<()> {
        let new = match opcode {
            b'}' => return self.push(Value::Dict(Vec::new())),
            b's' => self.top(2)?,
            _ => self.above_mark()?,
        };
        let (pairs, []) = new.as_chunks() else {
            return Err(wrong("pairs of key and value", "a key alone"));
        };
        let pairs = pairs.iter().map(|&[key, value]| (key, value));
        if opcode == b'd' {
            return self.push(Value::Dict(pairs.collect()));
        }
        match self.last_mut()? {
            Value::Dict(items) => items.extend(pairs),
            // A Counter is filled like a dict.
            Value::Other(_) => {}
            other => return Err(wrong("a dict", other.kind())),
        }
        Ok(())
    }

    /// The items of a set have no order to be named by, and are left out.
    fn set(&mut self, opcode: u8) -> Result<()> {
        if opcode != 0x8f {
            self.above_mark()?;
        }
        if opcode == 0x90 { Ok(()) } else { self.push(Value::Other("a set")) }
    }

    fn global(&mut self, opcode: u8) -> Result<()> {
        let found = if opcode == b'c' {
            let module = self.line()?;
            global(module, self.line()?)?
        } else {
            let [module, name] = self.pair()?;
            global(&self.values.text(module)?, &self.values.text(name)?)?
        };
        self.push(Value::Global(found))
    }

    fn object(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            b'Q' => {
                let id = self.pop()?;
                storage(&self.values, id)?
            }
            b'b' => {
                // Attributes of a dict: torch keeps the versions of modules so.
                self.pop()?;
                let object = self.last_mut()?;
                return match object {
                    Value::Dict(_) | Value::Other(_) => Ok(()),
                    other => Err(wrong("a dict", other.kind())),
                };
            }
            _ => {
                let [function, arguments] = self.pair()?;
                call(&self.values, function, arguments)?
            }
        };
        self.push(value)
    }

    fn push(&mut self, value: Value) -> Result<()> {
        let inside = match &value {
            Value::Tensor(tensor) => {
                size_of::<Stored>() + (tensor.shape.len() + tensor.strides.len()) * size_of::<usize>()
            }
            Value::Storage(_) => size_of::<Storage>(),
            // Items were paid for when they were pushed; here they are listed once more.
            Value::Tuple(items) | Value::List(items) => items.len() * size_of::<Id>(),
            Value::Dict(items) => items.len() * size_of::<(Id, Id)>(),
            _ => 0,
        };
        self.pay(size_of::<Value>() + inside)?;
        let id = self.values.push(value)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        self.stack.push(id);
        self.pay(size_of::<Id>())
    }

    fn pay(&mut self, bytes: usize) -> Result<()> {
        self.budget.take("data.pkl", bytes)
    }

    /// Takes the last value above the last mark.
    fn pop(&mut self) -> Result<Id> {
        Ok(self.top(1)?[0])
    }

    fn pair(&mut self) -> Result<[Id; 2]> {
        let pair = self.top(2)?;
        Ok([pair[0], pair[1]])
    }

    /// Takes the last `count` values above the last mark.
    fn top(&mut self, count: usize) -> Result<Vec<Id>> {
        let floor = self.marks.last().map_or(0, |&mark| mark);
        let start = self.stack.len().checked_sub(count).filter(|&start| start >= floor);
        Ok(self.stack.split_off(start.ok_or_else(|| wrong("a value", "an empty stack"))?))
    }

    fn above_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| wrong("a mark", "none"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn last_mut(&mut self) -> Result<&mut Value> {
        let last = self.stack.last().ok_or_else(|| wrong("a value", "an empty stack"))?;
        Ok(self.values.get_mut(*last))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// An unsigned number of `width` bytes.
    fn length(&mut self, width: usize) -> Result<usize> {
        let value = little_endian(self.take(width)?);
        usize::try_from(value).map_err(|_| wrong("a length", value))
    }
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| {
            wrong(&format!("{count} bytes more"), format!("{} bytes more", self.rest.len()))
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Text up to the end of its line.
    fn line(&mut self) -> Result<&'a str> {
        let end = self.rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or_else(|| wrong("a line", "no end of it"))?)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|error| wrong("UTF-8", error))
    }
}

/// An integer in two's complement. One of more than 64 bits is no size.
fn long(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    if bytes.len() > 8 {
        return Value::Other("a whole number of more than 64 bits");
    }
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}
