//! How the stores are, for those who ask by HTTP.

use actix_web::{
    HttpResponse, Resource, guard,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ContentType},
    },
    web,
};

use crate::HealthCheck;

impl HealthCheck {
    /// A service that tells how the stores are: 200 if every backend can decide, 503 if one cannot, and
    /// what [`HealthReport::to_json`](crate::HealthReport::to_json) says. It answers within the deadline
    /// of the check.
    ///
    /// ```no_run
    /// use actix_smart_ratelimit::{HealthCheck, RateLimiter};
    /// use actix_web::{App, HttpServer};
    ///
    /// # async fn run() -> std::io::Result<()> {
    /// let limiter = RateLimiter::in_memory();
    /// let health = HealthCheck::of(&limiter);
    /// HttpServer::new(move || App::new().service(health.at("/health/limits")))
    ///     .bind("127.0.0.1:8080")?
    ///     .run()
    ///     .await
    /// # }
    /// ```
    #[must_use]
    pub fn at(&self, path: &str) -> Resource {
        let check = self.clone();
        let answer = move || {
            let check = check.clone();
            async move { response(&check).await }
        };
        let asked = guard::Any(guard::Get()).or(guard::Head());
        web::resource(path).route(web::route().guard(asked).to(answer))
    }
}

async fn response(check: &HealthCheck) -> HttpResponse {
    let report = check.report().await;
    let status = match report.is_healthy() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    HttpResponse::build(status)
        .insert_header(ContentType::json())
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(report.to_json().to_string())
}
