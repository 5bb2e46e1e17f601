use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, web};

#[path = "../support.rs"]
mod support;

macro_rules! limited {
    ($($name:ident($($argument:tt)*);)*) => {
        $(
            #[rate_limit(rate = "3/h", $($argument)*)]
            async fn $name() -> HttpResponse {
                HttpResponse::Ok().finish()
            }
        )*

        fn routes(app: &mut web::ServiceConfig) {
            $(app.route(concat!("/", stringify!($name)), web::get().to($name));)*
        }
    };
}

limited! {
    fixed_window(algorithm = "fixed_window");
    clock(algorithm = "fixed_window", window = "clock");
    first_request(algorithm = "fixed_window", window = "first_request");
    sliding_window(algorithm = "sliding_window");
    sliding_window_counter(algorithm = "sliding_window_counter");
    token_bucket(algorithm = "token_bucket");
    small_bucket(algorithm = "token_bucket", bucket_size = 2);
    small_burst(algorithm = "token_bucket", burst = 2, refill_rate = 0);
    started_bucket(algorithm = "token_bucket", bucket_size = 9, initial_tokens = 2, refill_rate = 0.001);
    leaky_bucket(algorithm = "leaky_bucket");
    slow_leak(algorithm = "leaky_bucket", bucket_size = 2, leak_rate = 0.001);
    gcra(algorithm = "gcra");
    gcra_burst(algorithm = "gcra", burst = 2);
}

fn main() {
    let admitted = [
        ("/fixed_window", 3),
        ("/clock", 3),
        ("/first_request", 3),
        ("/sliding_window", 3),
        ("/sliding_window_counter", 3),
        ("/token_bucket", 3),
        ("/small_bucket", 2),
        ("/small_burst", 2),
        ("/started_bucket", 2),
        ("/leaky_bucket", 3),
        ("/slow_leak", 2),
        ("/gcra", 3),
        ("/gcra_burst", 2),
    ];
    for (uri, expected) in admitted {
        let statuses = support::statuses(routes, [uri; 5].map(support::get));
        let count = statuses.iter().take_while(|status| **status == 200).count();
        assert_eq!(count, expected, "{uri}: {statuses:?}");
        assert!(statuses[expected..].iter().all(|status| *status == 429), "{uri}: {statuses:?}");
    }
}
