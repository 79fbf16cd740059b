//! The names of addresses, by the symbols and the debug information of the files that the modules were
//! loaded from. Slow the first time; never asked while a stack is read.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;

use super::frame::Frame;
use super::walk::RawFrame;

/// More addresses than this are not remembered, about 1 MB.
const MOST: usize = 4096;

/// Functions at an address: those that are inlined, from the innermost on, and the one that has it.
type Functions = Arc<[Function]>;

#[derive(Debug)]
struct Function {
    name: Option<Arc<str>>,
    file: Option<Arc<str>>,
    line: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<u64, Functions>,
}

impl Names {
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// Names the frames.
    pub(super) fn name(&mut self, raw: &[RawFrame]) -> Vec<Frame> {
        if self.known.len() > MOST {
            self.known.clear();
        }
        let mut is_original = HashMap::new();
        let mut has_resolved = false;
        let mut frames = Vec::with_capacity(raw.len() * 2);
        for frame in raw {
            let address = if frame.is_return_address { frame.address } else { frame.address.wrapping_add(1) };
            let functions = match self.known.get(&address) {
                Some(functions) => functions.clone(),
                None => {
                    // A file that was replaced has other names at these addresses.
                    let original = frame.module.as_ref().is_some_and(|module| {
                        *is_original.entry(module.bias).or_insert_with(|| module.is_what_its_file_has())
                    });
                    let functions: Functions = if original { resolve(address).into() } else { Arc::new([]) };
                    has_resolved |= original;
                    self.known.insert(address, functions.clone());
                    functions
                }
            };
            frames.extend(named(frame, &functions));
        }
        if has_resolved {
            // It keeps the files mapped and their debug information parsed, tens of MB; and it does not
            // notice what is loaded later.
            backtrace::clear_symbol_cache();
        }
        frames
    }
}

fn resolve(address: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    let Ok(address) = usize::try_from(address) else { return functions };
    // It takes a return address, and looks one byte before it.
    backtrace::resolve(std::ptr::without_provenance_mut::<c_void>(address), |symbol| {
        functions.push(Function {
            name: symbol.name().map(|name| format!("{name:#}").into()),
            file: symbol.filename().map(|path| path.to_string_lossy().into()),
            line: symbol.lineno(),
        });
    });
    functions
}

fn named(raw: &RawFrame, functions: &[Function]) -> Vec<Frame> {
    let module = raw.module.as_ref();
    let call = raw.address.wrapping_sub(u64::from(raw.is_return_address));
    let frame = |function: Option<&Function>, inlined| Frame {
        address: raw.address,
        function: function.and_then(|function| function.name.clone()),
        file: function.and_then(|function| function.file.clone()),
        line: function.and_then(|function| function.line),
        module: module.map(|module| module.path.clone()),
        offset: module.map(|module| call.wrapping_sub(module.bias)),
        build_id: module.and_then(|module| module.build_id.clone()),
        inlined,
    };
    match functions {
        [] => vec![frame(None, false)],
        [inlined @ .., last] => {
            let inlined = inlined.iter().map(|function| frame(Some(function), true));
            inlined.chain([frame(Some(last), false)]).collect()
        }
    }
}
