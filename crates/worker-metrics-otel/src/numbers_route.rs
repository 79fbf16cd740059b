//! Which way the numbers go: through the meters or by OTLP.

use std::sync::OnceLock;

use crate::options::Numbers;

/// Whether they go through the meters: settled once, by whatever comes first, a registration or an
/// export by OTLP.
#[derive(Debug, Default)]
pub(crate) struct NumbersRoute(OnceLock<bool>);

impl NumbersRoute {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self(match numbers {
            Numbers::Auto => OnceLock::new(),
            Numbers::Meter => true.into(),
            Numbers::Otlp => false.into(),
        })
    }

    /// Whether they go through the meters, now that there is one.
    pub(crate) fn for_meter(&self) -> bool {
        *self.0.get_or_init(|| true)
    }

    /// Whether they go by OTLP, now that there is an export.
    #[cfg(feature = "otlp")]
    pub(crate) fn for_otlp(&self) -> bool {
        !self.0.get_or_init(|| false)
    }

    /// Whether it is settled that they go by OTLP.
    pub(crate) fn is_otlp_for_good(&self) -> bool {
        self.0.get() == Some(&false)
    }

    /// Whether it is settled that they go through the meters.
    pub(crate) fn is_meter(&self) -> bool {
        self.0.get() == Some(&true)
    }
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_first_settles_the_route() {
        let route = NumbersRoute::new(Numbers::Auto);
        assert!(route.for_meter() && !route.for_otlp());
        let route = NumbersRoute::new(Numbers::Auto);
        assert!(!route.is_otlp_for_good());
        assert!(route.for_otlp() && !route.for_meter() && route.is_otlp_for_good());
        assert!(!NumbersRoute::new(Numbers::Meter).for_otlp());
        assert!(!NumbersRoute::new(Numbers::Otlp).for_meter());
    }
}
