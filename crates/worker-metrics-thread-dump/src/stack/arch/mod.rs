//! What differs between processors: the registers, and what machine code says. Pure functions of
//! bytes, so that each is tested on any processor.

#[cfg(any(test, target_arch = "aarch64"))]
mod aarch64;
#[cfg(any(test, not(target_arch = "aarch64")))]
mod x86_64;

#[cfg(any(test, target_arch = "aarch64"))]
pub(super) use aarch64::Aarch64;
#[cfg(any(test, not(target_arch = "aarch64")))]
pub(super) use x86_64::X86_64;

/// The architecture that this is compiled for.
#[cfg(not(target_arch = "aarch64"))]
pub(super) type Native = X86_64;
/// The architecture that this is compiled for.
#[cfg(target_arch = "aarch64")]
pub(super) type Native = Aarch64;

/// An architecture. Registers have their DWARF numbers.
pub(super) trait Arch {
    const STACK_POINTER: u16;
    const FRAME_POINTER: u16;
    /// The register that a call puts the return address into, if it is one.
    const LINK_REGISTER: Option<u16>;
    /// How far before the program counter of a thread in a system call an entry of the unwind table
    /// is looked for where there is none: glibc's entry of `clone3` ends before its system call.
    const BEFORE_SYSTEM_CALL: u64;

    /// Whether a function leaves this register to its caller as it was.
    fn is_preserved(register: u16) -> bool;

    /// The return address without its authentication code.
    fn without_authentication(address: u64) -> u64;

    /// The call that ends at the end of `code`, which begins at `start`.
    ///
    /// If `from_function` is true, `code` begins where its function does.
    fn last_call(code: &[u8], start: u64, from_function: bool) -> Option<Call>;

    /// The jumps of a function.
    fn jumps(code: &[u8], start: u64) -> Jumps;

    /// If the code at `address` is a stub that jumps through a slot, as of a procedure linkage
    /// table: the address of the slot.
    fn stub(code: &[u8], address: u64) -> Option<u64>;

    /// Addresses that the code takes, as for a call by register.
    fn taken(code: &[u8], start: u64) -> Vec<Target>;

    /// How many bytes the stack pointer is below the frame pointer, in a function whose code from
    /// where the frame pointer is set is `code`; `set_after` ends right there. Only where that is
    /// sure, at each call in the function.
    fn frame_size(set_after: &[u8], code: &[u8], until: usize) -> Option<u64>;
}

/// Where a call or a jump goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This address.
    Address(u64),
    /// The address stored at this one.
    Slot(u64),
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    To(Target),
    /// By a register or by memory that a register points to.
    Indirect,
}

/// The jumps of a function, to itself or to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Jumps {
    pub(super) targets: Vec<Target>,
    /// There are some by register, or the code was not understood to its end.
    pub(super) others: bool,
}
