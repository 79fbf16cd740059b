//! Evaluates DWARF expressions of an unwind table, by what is known of the registers and the stack.

use gimli::{EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location, Piece, Value};

use super::memory::Memory;
use super::pieces::Pieces;
use super::registers::Registers;
use super::row::Expression;

/// An expression of an unwind table has about 10 operations.
const MOST_OPERATIONS: u32 = 256;

impl Expression {
    /// The value of the expression, which begins with `initial` on its stack. Nothing if it wants
    /// something that is not known.
    pub(super) fn value(
        &self,
        memory: &impl Memory,
        stack: &mut Pieces,
        registers: &Registers,
        initial: Option<u64>,
    ) -> Option<u64> {
        let code = EndianSlice::new(&self.code, LittleEndian);
        let mut evaluation = Evaluation::new(code, self.encoding);
        evaluation.set_max_iterations(MOST_OPERATIONS);
        if let Some(initial) = initial {
            evaluation.set_initial_value(initial);
        }
        let mut result = evaluation.evaluate().ok()?;
        // Each answer costs an operation, so that this ends as well.
        for _ in 0..MOST_OPERATIONS {
            result = match result {
                EvaluationResult::Complete => {
                    return match evaluation.as_result() {
                        [Piece { location: Location::Address { address }, .. }] => Some(*address),
                        _ => None,
                    };
                }
                EvaluationResult::RequiresMemory { address, size, space: None, .. } => {
                    let mut word = [0; 8];
                    stack.read(memory, address, word.get_mut(..usize::from(size))?)?;
                    evaluation.resume_with_memory(Value::Generic(u64::from_le_bytes(word))).ok()?
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = registers.value(register.0)?;
                    evaluation.resume_with_register(Value::Generic(value)).ok()?
                }
                _ => return None,
            };
        }
        None
    }
}
