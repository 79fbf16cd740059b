//! What proves a stall, tried on workers that are made up look by look.

mod proof;
