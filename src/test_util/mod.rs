//! For tests: a clock that they move, assertions on responses, and the suite that backends pass.
//!
//! | to test | use |
//! |---|---|
//! | an application that is limited | [`test_limiter`], [`brink`], [`request_from`], [`assert_limited`], [`assert_headers`] |
//! | a backend | [`conformance`] |
//! | something that needs any correct backend | [`Reference`] |
//!
//! Nothing here waits: time is a [`ManualClock`].
//!
//! ```
//! use actix_smart_ratelimit::{Limit, Rate, Rule, test_util::*};
//! use actix_web::{App, HttpResponse, test, web};
//!
//! # actix_web::rt::System::new().block_on(async {
//! let clock = ManualClock::default();
//! let limiter = test_limiter(&clock);
//! let mails = Limit::new("mails", Rate::per_hour(20));
//! let middleware = limiter.middleware().rule(Rule::new(mails.clone()).path("/mails"));
//! let app = App::new().wrap(middleware).route("/mails", web::get().to(HttpResponse::Ok));
//! let app = test::init_service(app).await;
//! let request = || request_from([203, 0, 113, 7]).uri("/mails").to_request();
//!
//! brink(&limiter, &mails, "ip:203.0.113.7", 1).await;
//! assert_admitted(&test::call_service(&app, request()).await);
//! let response = test::call_service(&app, request()).await;
//! let seconds = assert_limited(&response);
//! assert_headers(&response, &Expected::new().limit(20).remaining(0).reset_in(3_600));
//!
//! clock.advance_secs(seconds);
//! assert_admitted(&test::call_service(&app, request()).await);
//! # });
//! ```

mod assertions;
pub mod conformance;
mod limiter;
mod reference;
mod told;

pub use assertions::{Expected, ResponseHead, assert_admitted, assert_headers, assert_limited};
pub use limiter::{brink, request_from, test_limiter};
pub use reference::Reference;

pub use crate::ManualClock;
