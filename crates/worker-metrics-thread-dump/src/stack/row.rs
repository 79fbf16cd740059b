//! One row of an unwind table: how to find the caller's registers from those of a frame. Made by
//! `UnwindTable`, applied by `step`; owns what it needs, so that it can be kept.

use std::ops::Range;

/// How to find the caller's registers from those of a frame at one place of its function.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Addresses of the function, or of the part of it that has its own entry in the table.
    pub(super) function: Range<u64>,
    pub(super) cfa: Cfa,
    /// Registers without a rule are in none of these.
    pub(super) rules: Vec<(u16, Rule)>,
    /// The register whose rule finds the return address.
    pub(super) return_address: u16,
    /// Whether this is the frame that the kernel made for a signal handler.
    pub(super) signal: bool,
    /// Whether the return address carries an authentication code (aarch64).
    pub(super) signed: bool,
}

/// How to find the canonical frame address.
#[derive(Clone, Debug)]
pub(super) enum Cfa {
    Offset { register: u16, offset: i64 },
    Expression(Expression),
}

/// How to find a register of the caller.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// It is lost.
    Undefined,
    /// It has not been changed.
    Same,
    /// It is stored at the CFA plus this.
    At(i64),
    /// It is the CFA plus this.
    Is(i64),
    /// It is in this register.
    Register(u16),
    /// It is stored where the expression says.
    AtExpression(Expression),
    /// It is what the expression says.
    IsExpression(Expression),
}

/// A DWARF expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) code: Box<[u8]>,
    pub(super) encoding: gimli::Encoding,
}

impl Row {
    pub(super) fn rule(&self, register: u16) -> Option<&Rule> {
        self.rules.iter().find_map(|(of, rule)| (*of == register).then_some(rule))
    }
}
