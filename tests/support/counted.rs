//! Under which storage key a request is counted.

use actix_smart_ratelimit::{Key, Limit, RateLimitUser, RateLimiter, RateLimiterBuilder, Rule};
use actix_web::{
    App, Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    test::{TestRequest, init_service},
    web,
};

use super::{backends::Recording, limiter_with, rate, send};

/// The storage key of a request, without the prefix, for a limit by this key.
pub async fn counted(key: impl Into<Key>, request: TestRequest) -> String {
    counted_by(|builder| builder, key, request).await
}

/// The storage key by a limiter with settings.
pub async fn counted_by(
    change: impl FnOnce(RateLimiterBuilder) -> RateLimiterBuilder,
    key: impl Into<Key>,
    request: TestRequest,
) -> String {
    let backend = Recording::new();
    let (limiter, _) = limiter_with(|builder| change(builder).backend("main", backend.clone()));
    let status = answer(&limiter, key.into(), request).await;
    let [key] = &*backend.take() else { panic!("not counted once: {status}") };
    key.strip_prefix("ratelimit:").unwrap().to_owned()
}

/// The status of a request to a resource that is limited by this key.
pub async fn answer(limiter: &RateLimiter, key: Key, request: TestRequest) -> u16 {
    let limit = Rule::new(Limit::new("", rate("1000000/h"))).key(key);
    let limit = limiter.middleware().default_rule(limit);
    let resource = web::resource(["/", "/users/{id}", "/reset/{token}"]).wrap(limit);
    let app = App::new().wrap(from_fn(authenticate)).service(resource.to(|| async { "ok" }));
    send(&init_service(app).await, request).await.status
}

/// The user, and after a semicolon the tenant, that the header `X-Test-User` names.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let named = request.headers().get("x-test-user").map(|user| user.to_str().unwrap().to_owned());
    if let Some(named) = named {
        let user = match named.split_once(';') {
            Some((id, tenant)) => RateLimitUser::new(id).tenant(tenant),
            None => RateLimitUser::new(named),
        };
        request.extensions_mut().insert(user);
    }
    next.call(request).await
}
