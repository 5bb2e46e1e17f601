use actix_smart_ratelimit::rate_limit;

#[rate_limit(rate = "5/m")]
async fn handler() {}

fn main() {}
