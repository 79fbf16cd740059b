//! The symbols of a file: names with their paths, which line tables alone do not have.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol, ReadCache, SymbolKind};

/// The names of the functions at these addresses of the file, without a hash; none where there is
/// no symbol.
///
/// **Cost**: reads the file's table of symbols once: 1 ms and 5 MB for a program of 30,000
/// functions.
pub(super) fn names(file: &Path, addresses: &[u64]) -> Vec<Option<String>> {
    let mut names = vec![None; addresses.len()];
    let Ok(file) = File::open(file) else { return names };
    let cache = ReadCache::new(BufReader::new(file));
    let Ok(file) = ElfFile64::<Endianness, _>::parse(&cache) else { return names };
    let mut wanted: Vec<_> = addresses.iter().copied().zip(0..).collect();
    wanted.sort_unstable();
    // Libraries have the names of what they export, at least.
    for symbol in
        file.symbols().chain(file.dynamic_symbols()).filter(|symbol| symbol.kind() == SymbolKind::Text)
    {
        let start = symbol.address();
        let end = start.saturating_add(symbol.size());
        let first = wanted.partition_point(|(address, _)| *address < start);
        for (_, index) in wanted[first..].iter().take_while(|(address, _)| *address < end) {
            if let Ok(name) = symbol.name_bytes()
                && let Some(slot) = names.get_mut::<usize>(*index)
                && slot.is_none()
            {
                *slot = Some(format!("{:#}", backtrace::SymbolName::new(name)));
            }
        }
    }
    names
}

/// The name of a function by its symbol and by its debug information: the symbol's path, and what
/// the debug information says that a closure of the legacy scheme is.
///
/// Nothing if they do not mean the same function: identical functions are merged, and have one
/// symbol.
pub(super) fn qualified(symbol: &str, name: &str) -> Option<String> {
    const CLOSURE: &str = "{{closure}}";
    let name = name.split('<').next().unwrap_or(name);
    let last = symbol.rsplit_once("::").map_or(symbol, |(_, last)| last);
    if last == CLOSURE && name.starts_with('{') {
        return Some(format!("{}{name}", symbol.strip_suffix(CLOSURE)?));
    }
    (!name.is_empty() && last.split('<').next() == Some(name)).then(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_symbols() {
        let cases = [
            ("app::price", "price", Some("app::price")),
            ("app::price", "price<app::Job>", Some("app::price")),
            ("app::checkout::{{closure}}", "{async_fn#0}", Some("app::checkout::{async_fn#0}")),
            ("app::main::{{closure}}", "{closure#1}<app::Job>", Some("app::main::{closure#1}")),
            ("app::other", "price", None),
            ("app::other", "{closure#0}", None),
            ("app::other::{{closure}}", "price", None),
            ("main", "main", Some("main")),
            ("", "", None),
        ];
        for (symbol, name, expected) in cases {
            assert_eq!(qualified(symbol, name).as_deref(), expected, "{symbol} {name}");
        }
    }

    #[test]
    fn an_address_without_a_function_has_no_name() {
        let file = std::env::current_exe().expect("a program");
        assert_eq!(names(&file, &[u64::MAX, 0]), [None, None]);
        assert_eq!(names(Path::new("/nothing"), &[1]), [None]);
        assert_eq!(names(Path::new("/proc/self/maps"), &[1]), [None]);
    }
}
