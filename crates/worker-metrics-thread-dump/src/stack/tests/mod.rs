//! The walker on programs and stacks that are made up, for both architectures.

mod aarch64;
mod made_up;
mod random;
mod x86_64;
