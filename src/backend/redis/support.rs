//! What the scripts can keep, and what not.

use crate::{
    Error, Policy, Shape, WindowStart,
    backend::{BackendError, ErrorKind, Fate},
};

/// Permits that one check may take from a log, in which each has an entry of its own, as in the
/// original's.
const MOST_FROM_LOG: u32 = 1_000;
/// The longest that a bucket may take to fill, in microseconds: 71 years. The scripts add twice as much
/// to the time, which is below 2^51, and keep numbers below 2^53.
pub(super) const LONGEST_FILL: u64 = 1 << 51;

/// Whether a policy of which a request takes `cost` can be kept.
pub(super) fn validate(policy: &Policy, cost: u32) -> Result<(), Error> {
    match policy.shape() {
        Shape::Log(log) if cost > MOST_FROM_LOG && cost <= log.limit() => {
            let reason = format!(
                "in Redis a sliding window keeps an entry for each permit, at most {MOST_FROM_LOG} of one request"
            );
            let remedy = "use sliding_window_counter, token_bucket or gcra";
            Err(Error::new("cost", cost.to_string(), reason, remedy))
        }
        Shape::Meter(meter) if meter.tolerance().0 > LONGEST_FILL => {
            let capacity = meter.capacity().to_string();
            let reason = "in Redis a bucket has to fill within 71 years";
            Err(Error::new(
                "bucket_size",
                capacity,
                reason,
                "use a smaller one, or a faster refill",
            ))
        }
        Shape::Window(window)
            if window.start() == WindowStart::FirstRequest && window.period() % 1_000 != 0 =>
        {
            let reason = "in Redis a window from the first request ends at a whole millisecond";
            let period = format!("{} microseconds", window.period());
            Err(Error::new("rate", period, reason, "use a period of whole milliseconds"))
        }
        Shape::Custom(_) => {
            let remedy = "use one of the algorithms of this crate, or the memory backend";
            Err(Error::new(
                "policy",
                "custom",
                "Redis cannot keep an algorithm of your own",
                remedy,
            ))
        }
        _ => Ok(()),
    }
}

/// The same, told when it is asked for all the same.
pub(super) fn unsupported(error: Error) -> BackendError {
    BackendError::with_source(ErrorKind::Unsupported, Fate::NotCharged, error)
}
