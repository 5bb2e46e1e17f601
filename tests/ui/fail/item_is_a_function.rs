use actix_smart_ratelimit::rate_limit;

#[rate_limit(rate = "5/m")]
struct Handler;

#[rate_limit(rate = "5/m")]
const HANDLER: u8 = 1;

#[rate_limit(rate = "5/m")]
impl Handler {}

fn main() {}
