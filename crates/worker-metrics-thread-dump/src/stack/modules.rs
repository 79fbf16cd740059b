//! The program and the shared libraries that are loaded, as they are in memory. Loaded when the
//! first stack is wanted, and again when they have changed; the unwind table of a module is read
//! when a stack first passes through it.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::elf::Image;
use super::maps::{Mapping, mappings};
use super::memory::Memory;
use super::unwind_table::UnwindTable;

/// A program or shared library that is loaded.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) path: Arc<str>,
    /// In hexadecimal digits.
    pub(super) build_id: Option<Arc<str>>,
    pub(super) bias: u64,
    /// Address of its first byte.
    start: u64,
    image: Image,
    table: OnceLock<Option<UnwindTable>>,
    /// What tells it from another module at the same place: its build id or, if it has none, its
    /// program headers.
    mark: (u64, Vec<u8>),
}

impl Module {
    fn read(memory: &impl Memory, first: &Mapping<'_>, all: &[Mapping<'_>]) -> Option<Self> {
        let mut image = Image::read(memory, first.addresses.start)?;
        // A library may also be mapped as a plain file, by what reads its symbols: then no code is
        // where its program headers say.
        image.code.retain(|code| {
            all.iter().any(|mapping| {
                mapping.executable && mapping.path == first.path && mapping.addresses.contains(&code.start)
            })
        });
        if image.code.is_empty() {
            return None;
        }
        let build_id = image.build_id(memory);
        let mark = build_id.clone().unwrap_or_else(|| {
            (first.addresses.start, memory.bytes(first.addresses.start, image.head.min(4096)))
        });
        let build_id =
            build_id.map(|(_, id)| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        Some(Self {
            path: first.path.into(),
            build_id: build_id.map(Arc::from),
            bias: image.bias,
            start: first.addresses.start,
            image,
            table: OnceLock::new(),
            mark,
        })
    }

    /// Whether it is still what was loaded. One read of memory.
    pub(super) fn is_unchanged(&self, memory: &impl Memory) -> bool {
        let (address, mark) = &self.mark;
        memory.bytes(*address, mark.len()) == *mark
    }

    /// Whether the file that it was loaded from is still there.
    pub(super) fn is_what_its_file_has(&self) -> bool {
        let (address, mark) = &self.mark;
        let offset = address.wrapping_sub(self.start);
        let mut bytes = vec![0; mark.len()];
        let read = File::open(&*self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes))
        });
        read.is_ok() && bytes == *mark
    }

    /// Its unwind table, which is read the first time.
    pub(super) fn table(&self, memory: &impl Memory) -> Option<&UnwindTable> {
        let read = || {
            let header = self.image.unwind_header.as_ref()?;
            UnwindTable::read(memory, header, &self.image.segments)
        };
        self.table.get_or_init(read).as_ref()
    }
}

/// What is loaded.
#[derive(Debug, Default)]
pub(super) struct Modules {
    modules: Vec<Arc<Module>>,
    /// Addresses of code and the module that it belongs to, sorted.
    code: Vec<(Range<u64>, usize)>,
    /// Stands for the executable mappings that these modules were found by.
    mappings: u64,
}

impl Modules {
    /// Reads what is loaded, by a text as `/proc/self/maps` has it.
    ///
    /// **Cost**: 0.2 to 0.8 ms for a program with a few libraries.
    pub(super) fn load(memory: &impl Memory, maps: &str) -> Self {
        let all: Vec<_> = mappings(maps).collect();
        let modules: Vec<_> = all
            .iter()
            .filter(|mapping| {
                mapping.offset == 0 && (mapping.path.starts_with('/') || mapping.path == "[vdso]")
            })
            .filter_map(|mapping| Module::read(memory, mapping, &all))
            .map(Arc::new)
            .collect();
        let ranges = |(index, module): (usize, &Arc<Module>)| {
            let code = module.image.code.clone();
            code.into_iter().map(move |range| (range, index))
        };
        let mut code: Vec<_> = modules.iter().enumerate().flat_map(ranges).collect();
        code.sort_unstable_by_key(|(range, _)| range.start);
        Self { modules, code, mappings: mark(&all) }
    }

    /// Whether the same code is mapped as when these were loaded.
    pub(super) fn are_those_of(&self, maps: &str, memory: &impl Memory) -> bool {
        self.mappings == mark(&mappings(maps).collect::<Vec<_>>())
            && self.modules.iter().all(|module| module.is_unchanged(memory))
    }

    /// The module whose code has `address`.
    pub(super) fn at(&self, address: u64) -> Option<&Arc<Module>> {
        let after = self.code.partition_point(|(range, _)| range.start <= address);
        let (range, index) = self.code.get(after.checked_sub(1)?)?;
        range.contains(&address).then(|| &self.modules[*index])
    }

    /// The function whose code has `address`.
    pub(super) fn function(&self, memory: &impl Memory, address: u64) -> Option<Range<u64>> {
        self.at(address)?.table(memory)?.function(address)
    }
}

fn mark(mappings: &[Mapping<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for mapping in mappings.iter().filter(|mapping| mapping.executable) {
        (mapping.addresses.start, mapping.addresses.end, mapping.offset, mapping.path).hash(&mut hasher);
    }
    hasher.finish()
}
