//! The list of what is mapped, as `/proc/self/maps` has it.

use std::ops::Range;

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping<'m> {
    pub(super) addresses: Range<u64>,
    pub(super) executable: bool,
    /// Where in its file it begins.
    pub(super) offset: u64,
    /// Path of the file, or a name in brackets.
    pub(super) path: &'m str,
}

/// The mappings in a text as `/proc/self/maps` has it. Lines of another form are left out.
pub(super) fn mappings(maps: &str) -> impl Iterator<Item = Mapping<'_>> {
    maps.lines().filter_map(mapping)
}

fn mapping(line: &str) -> Option<Mapping<'_>> {
    let (addresses, rest) = line.split_once(' ')?;
    let (start, end) = addresses.split_once('-')?;
    let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
    let (permissions, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    let (_device, rest) = rest.split_once(' ')?;
    let path = rest.split_once(' ').map_or("", |(_inode, path)| path.trim_start());
    let executable = permissions.as_bytes().get(2) == Some(&b'x');
    (start < end).then_some(Mapping { addresses: start..end, executable, offset: hexadecimal(offset)?, path })
}

fn hexadecimal(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_addresses_permissions_offset_and_path() {
        let maps = "\
55d0-55e0 r--p 00001000 fe:00 1311         /usr/bin/a b
7ffc-7ffe r-xp 00000000 00:00 0            [vdso]
7000-7010 rw-p 00000000 00:00 0 
nonsense
7010-7000 rw-p 00000000 00:00 0 
";
        let found: Vec<_> = mappings(maps).collect();
        let expected = [
            Mapping { addresses: 0x55d0..0x55e0, executable: false, offset: 0x1000, path: "/usr/bin/a b" },
            Mapping { addresses: 0x7ffc..0x7ffe, executable: true, offset: 0, path: "[vdso]" },
            Mapping { addresses: 0x7000..0x7010, executable: false, offset: 0, path: "" },
        ];
        assert_eq!(found, expected);
    }
}
