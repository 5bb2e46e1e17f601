use actix_smart_ratelimit::{Rate, rate};

const WRONG: Rate = rate!("10/x");
const NUMBER: Rate = rate!(10);

fn main() {
    let _ = (WRONG, NUMBER);
}
