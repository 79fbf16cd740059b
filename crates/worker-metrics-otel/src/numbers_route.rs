//! Which way the numbers go: through the meters or by OTLP.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::options::Numbers;

/// Settled once, by whatever comes first: a registration or an export by OTLP.
#[derive(Debug)]
pub(crate) struct NumbersRoute(AtomicU8);

const OPEN: u8 = 0;
const METER: u8 = 1;
const OTLP: u8 = 2;

impl NumbersRoute {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self(AtomicU8::new(match numbers {
            Numbers::Auto => OPEN,
            Numbers::Meter => METER,
            Numbers::Otlp => OTLP,
        }))
    }

    fn settle(&self, route: u8) -> u8 {
        self.0.compare_exchange(OPEN, route, Relaxed, Relaxed).map_or_else(|settled| settled, |_| route)
    }

    /// Whether they go through the meters, now that there is one.
    pub(crate) fn for_meter(&self) -> bool {
        self.settle(METER) == METER
    }

    /// Whether they go by OTLP, now that there is an export.
    #[cfg(feature = "otlp")]
    pub(crate) fn for_otlp(&self) -> bool {
        self.settle(OTLP) == OTLP
    }

    /// Whether they go by OTLP, if an export came now.
    pub(crate) fn is_otlp(&self) -> bool {
        self.0.load(Relaxed) != METER
    }

    /// Whether it is settled that they go by OTLP.
    pub(crate) fn is_otlp_for_good(&self) -> bool {
        self.0.load(Relaxed) == OTLP
    }

    pub(crate) fn is_meter(&self) -> bool {
        self.0.load(Relaxed) == METER
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
