use actix_smart_ratelimit::rate_limit;

#[rate_limit(rate = "5/x", key = "usr", bucket_size = 1, cost = -1, blok = true)]
fn handler(self) {}

fn main() {}
