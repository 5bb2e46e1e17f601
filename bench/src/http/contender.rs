//! Who takes part, and the application that each of them serves.

use actix_web::{HttpResponse, HttpResponseBuilder};
use clap::ValueEnum;

use crate::ours::{self, Headers};

/// An application with or without a limiter round its only route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// No limiter.
    Bare,
    /// No limiter; the handler sets the headers of our two profiles itself.
    BareHeaders,
    /// No limiter; the handler answers our refusal.
    #[value(name = "constant-429")]
    Constant429,
    Ours,
    OursLegacy,
    OursLegacyIetf,
    /// Ours with rules that can be replaced.
    OursLive,
    ActixGovernor,
    ActixGovernorHeaders,
    ActixExtensible,
    ActixExtensibleHeaders,
    /// Ours and the following on Redis.
    OursRedis,
    OursRedisLegacyIetf,
    ActixExtensibleRedis,
    ActixExtensibleRedisHeaders,
    /// Writes no header fields.
    ActixLimitation,
}

impl Contender {
    /// The name on the command line and in the results.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The header profiles of our middleware in this contender.
    pub(super) fn our_headers(self) -> Headers {
        match self {
            Self::OursLegacy => Headers::Legacy,
            Self::OursLegacyIetf | Self::OursRedisLegacyIetf => Headers::LegacyAndIetf,
            _ => Headers::Off,
        }
    }
}

/// The body of every admitted request.
const BODY: &str = "Hello, world!";

pub(super) async fn hello() -> &'static str {
    BODY
}

pub(super) async fn hello_with_headers() -> HttpResponse {
    with_headers(HttpResponse::Ok()).body(BODY)
}

pub(super) async fn refusal() -> HttpResponse {
    let mut builder = with_headers(HttpResponse::TooManyRequests());
    builder.insert_header(("retry-after", "3600"));
    builder.body(ours::REFUSAL_BODY)
}

fn with_headers(mut builder: HttpResponseBuilder) -> HttpResponseBuilder {
    for (name, value) in &ours::HEADERS {
        builder.insert_header((name, value.clone()));
    }
    builder
}

/// Runs `$body` with `$app` bound to a factory of the contender's application.
///
/// A macro, since each wrapped `App` has a type of its own that has no name.
/// To be used where an Actix runtime is running and `?` takes any error. `$store`
/// is the address of the Redis server, if there is one.
macro_rules! with_app {
    ($contender:expr, $outcome:expr, $store:expr, |$app:ident| $body:expr) => {{
        use ::actix_governor::Governor;
        use ::actix_web::{App, web::Data, web::get};
        use ::anyhow::Context as _;
        use $crate::http::contender::{Contender, hello, hello_with_headers, refusal};
        use $crate::ours;
        use $crate::peer::{actix_extensible, actix_governor, actix_limitation};

        let outcome: ours::Outcome = $outcome;
        let store: Option<&str> = $store;
        let store = store.context("this contender needs a Redis server");
        match $contender {
            Contender::Bare => {
                let $app = || App::new().route("/", get().to(hello));
                $body
            }
            Contender::BareHeaders => {
                let $app = || App::new().route("/", get().to(hello_with_headers));
                $body
            }
            Contender::Constant429 => {
                let $app = || App::new().route("/", get().to(refusal));
                $body
            }
            Contender::Ours | Contender::OursLegacy | Contender::OursLegacyIetf => {
                let limiter = ours::http_limiter($contender.our_headers(), outcome)?;
                let $app =
                    move || App::new().wrap(ours::middleware(&limiter)).route("/", get().to(hello));
                $body
            }
            Contender::OursLive => {
                let limiter = ours::http_limiter($contender.our_headers(), outcome)?;
                let rules = ours::live_middleware(&limiter)?;
                let $app = move || App::new().wrap(rules.clone()).route("/", get().to(hello));
                $body
            }
            Contender::ActixGovernor => {
                let config = actix_governor::plain(outcome)?;
                let $app =
                    move || App::new().wrap(Governor::new(&config)).route("/", get().to(hello));
                $body
            }
            Contender::ActixGovernorHeaders => {
                let config = actix_governor::with_headers(outcome)?;
                let $app =
                    move || App::new().wrap(Governor::new(&config)).route("/", get().to(hello));
                $body
            }
            Contender::ActixExtensible | Contender::ActixExtensibleHeaders => {
                let headers = $contender == Contender::ActixExtensibleHeaders;
                let backend = actix_extensible::backend();
                let $app = move || {
                    let limiter = actix_extensible::middleware(&backend, outcome, headers);
                    App::new().wrap(limiter).route("/", get().to(hello))
                };
                $body
            }
            Contender::OursRedis | Contender::OursRedisLegacyIetf => {
                let headers = $contender.our_headers();
                let limiter = ours::redis_http_limiter(store?, headers, outcome)?;
                let $app =
                    move || App::new().wrap(ours::middleware(&limiter)).route("/", get().to(hello));
                $body
            }
            Contender::ActixExtensibleRedis | Contender::ActixExtensibleRedisHeaders => {
                let headers = $contender == Contender::ActixExtensibleRedisHeaders;
                let backend = actix_extensible::redis_backend(store?).await?;
                let $app = move || {
                    let limiter = actix_extensible::middleware(&backend, outcome, headers);
                    App::new().wrap(limiter).route("/", get().to(hello))
                };
                $body
            }
            Contender::ActixLimitation => {
                let limiter = Data::new(actix_limitation::limiter(store?)?);
                let $app = move || {
                    let app = App::new().app_data(Data::clone(&limiter));
                    app.wrap(::actix_limitation::RateLimiter::default()).route("/", get().to(hello))
                };
                $body
            }
        }
    }};
}

pub(super) use with_app;
