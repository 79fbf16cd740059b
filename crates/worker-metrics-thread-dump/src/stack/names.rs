//! The names of addresses, by the symbols and the debug information of the files that the modules
//! were loaded from. Slow the first time; never asked while a stack is read.

use std::collections::HashMap;
use std::ffi::c_void;
use std::path::Path;
use std::sync::Arc;

use super::frame::{Frame, is_system};
use super::modules::Module;
use super::symbols;
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
        let mut unknown: Vec<_> = raw.iter().filter(|frame| !self.known.contains_key(&key(frame))).collect();
        // Those of a module together.
        unknown.sort_unstable_by_key(|frame| frame.module.as_ref().map(|module| module.bias));
        let mut has_resolved = false;
        for frames in unknown.chunk_by(|one, next| bias(one) == bias(next)) {
            let functions = match frames[0].module.as_ref() {
                // A file that was replaced has other names at these addresses.
                Some(module) if !module.is_what_its_file_has() => frames.iter().map(|_| Vec::new()).collect(),
                // Its debug information is large where it is installed: 20 MB and 150 ms for lines
                // that nobody asks for.
                Some(module) if is_system(&module.path) => by_symbols(module, frames),
                Some(module) => {
                    has_resolved = true;
                    resolve(module, frames)
                }
                None => frames.iter().map(|_| Vec::new()).collect(),
            };
            self.known.extend(
                frames.iter().map(|frame| key(frame)).zip(functions.into_iter().map(Functions::from)),
            );
        }
        if has_resolved {
            // It keeps the files mapped and their debug information parsed, tens of MB; and it does
            // not notice what is loaded later.
            backtrace::clear_symbol_cache();
        }
        let nothing: Functions = Arc::new([]);
        raw.iter().flat_map(|frame| named(frame, self.known.get(&key(frame)).unwrap_or(&nothing))).collect()
    }
}

/// The address as a return address: `resolve` looks one byte before it.
fn key(frame: &RawFrame) -> u64 {
    frame.address.wrapping_add(u64::from(!frame.is_return_address))
}

fn bias(frame: &RawFrame) -> Option<u64> {
    frame.module.as_ref().map(|module| module.bias)
}

/// The functions at the addresses of frames in one module.
fn resolve(module: &Module, frames: &[&RawFrame]) -> Vec<Vec<Function>> {
    let mut all: Vec<_> = frames.iter().map(|frame| functions(key(frame))).collect();
    // With line tables alone, debug information has names without a path.
    let lacks_path = |functions: &Vec<Function>| {
        let name = functions.last().and_then(|function| function.name.as_deref());
        name.is_some_and(|name| {
            !name.split('<').next().unwrap_or(name).contains("::") && !name.starts_with('<')
        })
    };
    let (indices, addresses): (Vec<_>, Vec<_>) = (0..frames.len())
        .filter(|index| lacks_path(&all[*index]))
        .map(|index| (index, in_file(module, frames[index])))
        .unzip();
    if addresses.is_empty() {
        return all;
    }
    for (index, symbol) in indices.into_iter().zip(symbols::names(Path::new(&*module.path), &addresses)) {
        let Some(function) = all[index].last_mut() else { continue };
        let name = symbol.and_then(|symbol| symbols::qualified(&symbol, function.name.as_deref()?));
        function.name = name.map(Arc::from).or(function.name.take());
    }
    all
}

fn by_symbols(module: &Module, frames: &[&RawFrame]) -> Vec<Vec<Function>> {
    let addresses: Vec<_> = frames.iter().map(|frame| in_file(module, frame)).collect();
    let names = symbols::names(Path::new(&*module.path), &addresses).into_iter();
    let function = |name: String| Function { name: Some(name.into()), file: None, line: None };
    names.map(|name| name.map(function).into_iter().collect()).collect()
}

/// The address of the call in the module's file.
fn in_file(module: &Module, frame: &RawFrame) -> u64 {
    key(frame).wrapping_sub(1).wrapping_sub(module.bias)
}

fn functions(address: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    let Ok(address) = usize::try_from(address) else { return functions };
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
    let module = raw.module.as_deref();
    let frame = |function: Option<&Function>, inlined| Frame {
        address: raw.address,
        function: function.and_then(|function| function.name.clone()),
        file: function.and_then(|function| function.file.clone()),
        line: function.and_then(|function| function.line),
        module: module.map(|module| module.path.clone()),
        offset: module.map(|module| in_file(module, raw)),
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
