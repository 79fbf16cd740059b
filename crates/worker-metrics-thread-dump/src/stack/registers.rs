//! The registers of a frame, of which most are not known.

/// Registers by their DWARF number. Those above 31 are never known.
#[derive(Clone, Debug, Default)]
pub(super) struct Registers {
    values: [u64; 32],
    known: u32,
}

impl Registers {
    pub(super) fn value(&self, register: u16) -> Option<u64> {
        let value = *self.values.get(usize::from(register))?;
        (self.known >> register & 1 == 1).then_some(value)
    }

    pub(super) fn set(&mut self, register: u16, value: Option<u64>) {
        let Some(slot) = self.values.get_mut(usize::from(register)) else { return };
        match value {
            Some(value) => {
                *slot = value;
                self.known |= 1 << register;
            }
            None => self.known &= !(1 << register),
        }
    }
}
