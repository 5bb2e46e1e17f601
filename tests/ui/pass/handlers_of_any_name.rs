//! Route macros make a unit struct of each handler, which a pattern in the expansion could mean.

use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, Result, get};

#[path = "../support.rs"]
mod support;

macro_rules! handlers {
    ($($name:ident),*) => {
        $(
            #[rate_limit(rate = "1/h")]
            #[get("/")]
            async fn $name(body: String) -> Result<HttpResponse> {
                Ok(HttpResponse::Ok().body(body))
            }

            assert_eq!(
                support::statuses(|app| { app.service($name); }, ["/"; 2].map(support::get)),
                [200, 429],
            );
        )*
    };
}

fn main() {
    handlers!(never, call, refusal, arguments, response, head, request, limiter, rule, gate, reply);
    handlers!(ok, err, early, output, inner, limited, payload, rate_limit, r#async, r#match);
}
