//! A frame of a stack: where it is, and what that is called.

use std::fmt;
use std::sync::Arc;

/// A function that a thread was in.
///
/// What is not known is absent. A stripped program has no names: `module`, `offset` and `build_id`
/// then say where it was, for `addr2line` and its like on a machine that has the debug information.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Frame {
    /// Address of the instruction that the function goes on with.
    pub address: u64,
    /// Name of the function with its path, without a hash.
    ///
    /// **Absent when** the program is stripped, or its file is not any more the one that runs.
    pub function: Option<Arc<str>>,
    /// File of the source, as the compiler was given it.
    ///
    /// **Absent when** there is no debug information: build with `debug = "line-tables-only"`.
    pub file: Option<Arc<str>>,
    /// Line of the call in that file, from 1.
    pub line: Option<u32>,
    /// Path of the program or shared library, or `[vdso]`.
    pub module: Option<Arc<str>>,
    /// Address of the call in the module's file: what `addr2line` takes.
    pub offset: Option<u64>,
    /// Build id of the module, in hexadecimal digits.
    ///
    /// **Absent when** the linker was not told to make one (`-Wl,--build-id`).
    pub build_id: Option<Arc<str>>,
    /// Whether the compiler has put the function into its caller, the next frame.
    pub inlined: bool,
}

/// Whose code a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Origin {
    /// The program or one of its libraries.
    Program,
    /// Tokio, or `mio`, by which it waits; and `worker-metrics-tokio`, which measures its tasks.
    Tokio,
    /// The standard library: `std`, `core` and `alloc`.
    Std,
    /// The C library, the dynamic linker and what starts a program.
    System,
}

impl Frame {
    /// Whose code the function is, by its path, its file or its module. Of a frame with none of
    /// them, the program's.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let has_path = self.function.as_deref().is_some_and(|function| function.contains("::"));
        let of_file = self.file.as_deref().and_then(origin_of_file);
        let of_name = self.function.as_deref().map_or(Origin::Program, origin);
        let origin = match of_file {
            // With line tables alone, an inlined function has a name without a path.
            Some(origin) if !has_path || of_name == Origin::Program => origin,
            _ => of_name,
        };
        if origin == Origin::Program && self.module.as_deref().is_some_and(is_system) {
            return Origin::System;
        }
        origin
    }

    /// Whether the function is not the program's: that of the standard library, of Tokio or of the
    /// system.
    #[must_use]
    pub fn is_runtime(&self) -> bool {
        self.origin() != Origin::Program
    }

    /// The function as the source has it: `async fn app::checkout` for
    /// `app::checkout::{async_fn#0}`, `async block in app::main`, `closure in app::main`; without
    /// what a generic function is for. Without a name, the module and the offset.
    ///
    /// A symbol of the legacy scheme says `{{closure}}` for all three, and stays so. With line
    /// tables alone, an inlined function has a name without a path.
    pub fn label(&self) -> impl fmt::Display {
        Label(self)
    }
}

/// The function, its file and line, and whether it is inlined.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Label(self).fmt(f)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({}:{line})", short(file)),
            (Some(file), None) => write!(f, " ({})", short(file)),
            (None, _) => Ok(()),
        }
    }
}

struct Label<'f>(&'f Frame);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { function, module, offset, build_id, address, .. } = self.0;
        if let Some(function) = function {
            let mut path = without_generics(function);
            let mut innermost = None;
            // The closures around it say nothing more.
            while let Some((outer, what)) = generated(path) {
                innermost = innermost.or(Some(what));
                path = without_generics(outer);
            }
            while innermost.is_some()
                && let Some(outer) = path.strip_suffix("::{{closure}}")
            {
                path = outer;
            }
            return match (innermost, path) {
                (None, path) => f.write_str(path),
                (Some(what), "") => f.write_str(what),
                (Some(what @ "async fn"), path) => write!(f, "{what} {path}"),
                (Some(what), path) => write!(f, "{what} in {path}"),
            };
        }
        match (module, offset) {
            (Some(module), Some(offset)) => {
                write!(f, "{module}+{offset:#x}")?;
                build_id.as_ref().map_or(Ok(()), |id| write!(f, " [{id}]"))
            }
            _ => write!(f, "{address:#x}"),
        }
    }
}

/// The path without a last part that the compiler has made up, and what that stands for.
fn generated(path: &str) -> Option<(&str, &'static str)> {
    let (outer, last) = path.rsplit_once('{')?;
    let (kind, number) = last.strip_suffix('}')?.split_once('#')?;
    let outer = if outer.is_empty() { outer } else { outer.strip_suffix("::")? };
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let what = match kind {
        "async_fn" => "async fn",
        "async_block" => "async block",
        "async_closure" => "async closure",
        "closure" => "closure",
        _ => return None,
    };
    is_number.then_some((outer, what))
}

/// The path without the arguments of its last part, `app::f` for `app::f<T>` and `app::f::<T>`.
fn without_generics(path: &str) -> &str {
    if !path.ends_with('>') || path.ends_with("->") {
        return path;
    }
    let mut depth = 0_usize;
    let mut before = None;
    for (at, byte) in path.bytes().enumerate().rev() {
        match byte {
            b'>' if at > 0 && path.as_bytes()[at - 1] == b'-' => {}
            b'>' => depth += 1,
            b'<' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            before = path.get(..at);
            break;
        }
    }
    // `<app::Job>` itself is no argument.
    before
        .map(|before| before.strip_suffix("::").unwrap_or(before))
        .filter(|path| !path.is_empty())
        .unwrap_or(path)
}

/// The file without what stands before the sources of the standard library, or of a crate of a
/// registry.
fn short(file: &str) -> &str {
    if origin_of_file(file) == Some(Origin::Std) {
        return file.find("/library/").map_or(file, |at| &file[at + 1..]);
    }
    let of_registry = file.split_once("/registry/src/").and_then(|(_, file)| file.split_once('/'));
    of_registry.map_or(file, |(_, file)| file)
}

fn origin_of_file(file: &str) -> Option<Origin> {
    // As the standard library is built, and as `rust-src` has it.
    let is_std = file.starts_with("/rustc/") || file.contains("/lib/rustlib/src/rust/library/");
    let has = |name: &str| {
        file.split(['/', '\\'])
            .any(|part| part.strip_prefix(name).is_some_and(|rest| rest.starts_with(char::is_numeric)))
    };
    match is_std {
        true => Some(Origin::Std),
        false if has("tokio-") || has("mio-") => Some(Origin::Tokio),
        false => None,
    }
}

fn origin(function: &str) -> Origin {
    match first_of_path(function) {
        Some("std" | "core" | "alloc") => Origin::Std,
        // The last one measures polls: it stands between Tokio and the task.
        Some("tokio" | "mio" | "worker_metrics_tokio") => Origin::Tokio,
        Some(_) => Origin::Program,
        // Names that C reserves for its library (`__clone3`), what runs before Rust's `main`, and
        // what the compiler makes for the standard library.
        None if function.starts_with('_') || function == "main" => Origin::System,
        None if function.starts_with("rust_") => Origin::Std,
        None => Origin::Program,
    }
}

/// The crate of `std::thread::sleep`, `<tokio::task::Core as Drop>::drop` and the like: of the
/// type, or of the trait if the type has none.
fn first_of_path(function: &str) -> Option<&str> {
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let krate = |path: &'_ str| -> Option<usize> { path.find("::") };
    let path = function.trim_start_matches(['<', '&', '(', '[', '*']);
    let path =
        ["mut ", "const ", "dyn "].iter().fold(path, |path, word| path.strip_prefix(word).unwrap_or(path));
    let of_type = krate(path).map(|end| &path[..end]).filter(is_name);
    of_type.or_else(|| {
        let of_trait = &path[path.find(" as ")? + 4..];
        krate(of_trait).map(|end| &of_trait[..end]).filter(is_name)
    })
}

/// Whether a module is the C library's or the kernel's.
pub(super) fn is_system(module: &str) -> bool {
    const NAMES: [&str; 9] = [
        "libc.so",
        "libc-",
        "libpthread",
        "ld-linux",
        "ld-musl",
        "libc.musl",
        "libgcc_s",
        "libm.so",
        "[vdso]",
    ];
    let name = module.rsplit('/').next().unwrap_or(module);
    NAMES.iter().any(|system| name.starts_with(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str) -> Frame {
        Frame {
            address: 0x1000,
            function: Some(function.into()),
            file: None,
            line: None,
            module: None,
            offset: None,
            build_id: None,
            inlined: false,
        }
    }

    #[test]
    fn code_belongs_to_the_crate_of_its_path() {
        let cases = [
            ("std::thread::functions::sleep", Origin::Std),
            ("core::ops::function::FnOnce::call_once{{vtable.shim}}", Origin::Std),
            ("<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once", Origin::Std),
            ("<&mut T as core::fmt::Debug>::fmt", Origin::Std),
            ("<F as core::ops::function::FnOnce>::call_once", Origin::Std),
            ("tokio::runtime::task::core::Core<T,S>::poll", Origin::Tokio),
            ("<tokio::runtime::task::Task as core::ops::Drop>::drop", Origin::Tokio),
            ("mio::poll::Poll::poll", Origin::Tokio),
            (
                "<worker_metrics_tokio::tasks::instrumented::Instrumented<F> as core::future::Future>::poll",
                Origin::Tokio,
            ),
            ("app::checkout::{async_fn#0}", Origin::Program),
            ("<app::Job as core::future::Future>::poll", Origin::Program),
            ("<dyn app::Job>::run", Origin::Program),
            ("stdx::f", Origin::Program),
            ("tokio_util::task::f", Origin::Program),
            ("sqlite3_step", Origin::Program),
            ("__clone3", Origin::System),
            ("main", Origin::System),
            ("app::main", Origin::Program),
        ];
        for (function, expected) in cases {
            assert_eq!(frame(function).origin(), expected, "{function}");
        }
    }

    #[test]
    fn a_function_of_the_c_library_is_the_systems() {
        let clock =
            Frame { module: Some("/lib/x86_64-linux-gnu/libc.so.6".into()), ..frame("clock_nanosleep") };
        assert_eq!(clock.origin(), Origin::System);
        let nothing = Frame { function: None, ..clock.clone() };
        assert!(nothing.is_runtime());
        let program = Frame { module: Some("/usr/bin/libcurl-user".into()), function: None, ..clock };
        assert!(!program.is_runtime());
    }

    #[test]
    fn a_function_without_a_path_belongs_to_its_file() {
        let file = |path: &str| Frame { file: Some(path.into()), ..frame("poll<T>") };
        let std = file("/rustc/59807616e1fa/library/core/src/ops/function.rs");
        assert_eq!(std.origin(), Origin::Std);
        assert_eq!(std.to_string(), "poll (library/core/src/ops/function.rs)");
        let tokio = file("/home/me/.cargo/registry/src/index.crates.io-0/tokio-1.54.1/src/a.rs");
        assert_eq!(tokio.origin(), Origin::Tokio);
        assert_eq!(tokio.to_string(), "poll (tokio-1.54.1/src/a.rs)");
        assert_eq!(file("/r/registry/src/x/tokio-util-0.7.1/src/a.rs").origin(), Origin::Program);
        assert_eq!(file("src/main.rs").origin(), Origin::Program);
    }

    #[test]
    fn a_label_says_what_the_source_says() {
        let cases = [
            ("app::checkout::{async_fn#0}", "async fn app::checkout"),
            ("app::main::{async_block#1}", "async block in app::main"),
            ("app::main::{closure#0}::{closure#12}", "closure in app::main"),
            ("app::main::{closure#0}::{async_block#0}", "async block in app::main"),
            ("app::main::{{closure}}", "app::main::{{closure}}"),
            ("app::main::{{closure}}::{async_block#1}", "async block in app::main"),
            ("app::main::{closure#x}", "app::main::{closure#x}"),
            ("{closure#0}", "closure"),
            ("{async_fn#0}<app::Job>", "async fn"),
            ("price<app::Job, fn() -> u8>", "price"),
            ("app::price::<app::Job>", "app::price"),
            ("<app::Job>", "<app::Job>"),
            ("<app::Job<u8> as core::future::Future>::poll", "<app::Job<u8> as core::future::Future>::poll"),
            ("std::thread::sleep", "std::thread::sleep"),
        ];
        for (function, expected) in cases {
            assert_eq!(frame(function).label().to_string(), expected, "{function}");
        }
    }

    #[test]
    fn a_frame_without_a_name_says_where_it_is() {
        let stripped = Frame {
            function: None,
            module: Some("/srv/app".into()),
            offset: Some(0x1234),
            build_id: Some("c0ffee".into()),
            ..frame("")
        };
        assert_eq!(stripped.to_string(), "/srv/app+0x1234 [c0ffee]");
        let nowhere = Frame { module: None, ..stripped };
        assert_eq!(nowhere.to_string(), "0x1000");
    }
}
