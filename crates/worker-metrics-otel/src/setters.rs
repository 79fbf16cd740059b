//! Setters of one field each, which take their object by value.

/// Defines setters, each as `name(value: Type) => field;` behind its documentation.
macro_rules! setters {
    ($($(#[$meta:meta])* $name:ident($value:ident: $type:ty) => $($field:ident).+;)*) => {
        $($(#[$meta])*
        pub fn $name(mut self, $value: $type) -> Self {
            self.$($field).+ = $value.into();
            self
        })*
    };
}
pub(crate) use setters;
