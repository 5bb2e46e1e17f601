//! A policy's part for one of several instances that cannot share a store.

use core::num::NonZeroU32;

use crate::{
    algorithm::{log::Log, window::Window},
    policy::{Policy, Shape},
    rate::Rate,
};

impl Policy {
    /// What one of so many instances admits that each count by themselves: the limit, and what comes
    /// back, divided among them. Divided limits are rounded up, so none becomes 0 unless it was, and
    /// all instances together admit at most `instances − 1` more than the limit. An algorithm of the
    /// application's own stays as it is.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use actix_smart_ratelimit_core::{Algorithm, Policy, Rate};
    ///
    /// let policy = Policy::new(Algorithm::FixedWindow, Rate::per_minute(100));
    /// let instances = NonZeroU32::new(3).unwrap();
    /// assert_eq!(policy.share(instances).limit(), 34);
    /// ```
    #[must_use]
    pub fn share(&self, instances: NonZeroU32) -> Self {
        let of_rate =
            |limit: u32, period| Rate::from_micros(limit.div_ceil(instances.get()), period);
        let shape = match &self.shape() {
            Shape::Window(window) => of_rate(window.limit(), window.period()).map(|rate| {
                Shape::Window(match window.is_weighted() {
                    true => Window::sliding_counter(rate),
                    false => Window::fixed(rate, window.start()),
                })
            }),
            Shape::Log(log) => {
                of_rate(log.limit(), log.period()).map(|rate| Shape::Log(Log::new(rate)))
            }
            Shape::Meter(meter) => meter.share(instances).map(Shape::Meter),
            Shape::Custom(_) => None,
        };
        shape.map_or_else(|| self.clone(), |shape| self.with_shape(shape))
    }
}
