//! What the code that `#[rate_limit]` writes calls.

use std::sync::{Arc, LazyLock, OnceLock};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder, body::BoxBody, dev::Payload, web::Data,
};

use super::{
    Rule,
    gate::{Admission, Entry, Gate, Pass},
    refusal,
};
use crate::{Error, RateLimiter};

/// A limit declared on a handler, made ready for each limiter at its first request.
#[derive(Debug)]
pub struct AttributeLimit {
    make: fn() -> Rule,
    /// The gate of the first limiter that asked; a process usually has one.
    first: OnceLock<(u64, Made)>,
}

/// A gate, or why it cannot be made.
type Made = Result<Arc<Gate>, Error>;

/// The head of a request, and its body, unread.
#[derive(Debug)]
pub struct Head {
    request: HttpRequest,
    payload: PayloadOf,
}

struct PayloadOf(Payload);

impl std::fmt::Debug for PayloadOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload")
    }
}

impl FromRequest for Head {
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    #[inline]
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = PayloadOf(payload.take());
        std::future::ready(Ok(Self { request: request.clone(), payload }))
    }
}

/// A request that was let in.
#[derive(Debug)]
pub struct Call {
    head: Head,
    pass: Option<Pass>,
}

/// What a limited handler answers.
#[derive(Debug)]
pub enum Reply<R> {
    /// The response of the limiter, or of an extractor that failed.
    Early(HttpResponse),
    /// What the handler returned, and the header fields to add.
    Handled(R, Option<Box<Pass>>),
}

impl AttributeLimit {
    /// A limit that `make` describes.
    #[must_use]
    pub const fn new(make: fn() -> Rule) -> Self {
        Self { make, first: OnceLock::new() }
    }

    /// Asks the limiter of the application about a request, of which only the head has been read.
    ///
    /// # Errors
    /// The refusal.
    pub async fn enter(&'static self, head: Head) -> Result<Call, HttpResponse> {
        let limiter = limiter_of(&head.request);
        let gate = match self.gate(limiter) {
            Ok(gate) => gate,
            Err(error) => {
                let rule = (self.make)();
                return Err(refusal::misconfigured(rule.limit().name(), &error, limiter));
            }
        };
        let entry = match gate.enter(&head.request, limiter) {
            Entry::Waiting(waiting) => waiting.finish(&head.request).await,
            Entry::Now(entry) => entry,
        };
        match entry {
            Admission::Granted(pass) => Ok(Call { head, pass }),
            Admission::Refused(response) => Err(*response),
        }
    }

    #[inline]
    fn gate(&'static self, limiter: &RateLimiter) -> Made {
        let (id, made) = self.first.get_or_init(|| (limiter.id(), self.make(limiter)));
        if *id == limiter.id() {
            return made.clone();
        }
        let declaration = std::ptr::from_ref(self).addr();
        let declared = limiter.declared(declaration, || Arc::new(self.make(limiter)));
        match declared.downcast::<Made>() {
            Ok(made) => Made::clone(&made),
            // Only this function declares under this address.
            Err(_) => self.make(limiter),
        }
    }

    fn make(&self, limiter: &RateLimiter) -> Made {
        Gate::new((self.make)(), limiter).map(Arc::new)
    }
}

impl Call {
    /// Runs the handler's extractors.
    ///
    /// # Errors
    /// The response of the extractor that failed.
    pub async fn extract<T: FromRequest>(&mut self) -> Result<T, HttpResponse> {
        let extracted = T::from_request(&self.head.request, &mut self.head.payload.0).await;
        extracted.map_err(|error| {
            let mut response = HttpResponse::from_error(error);
            write_headers(self.pass.as_ref(), &self.head.request, &mut response);
            response
        })
    }

    /// The handler's answer.
    #[must_use]
    pub fn reply<R>(self, returned: R) -> Reply<R> {
        Reply::Handled(returned, self.pass.map(Box::new))
    }
}

impl<R: Responder> Responder for Reply<R> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        match self {
            Self::Early(response) => response,
            Self::Handled(returned, pass) => {
                let mut response = returned.respond_to(request).map_into_boxed_body();
                write_headers(pass.as_deref(), request, &mut response);
                response
            }
        }
    }
}

fn write_headers(pass: Option<&Pass>, request: &HttpRequest, response: &mut HttpResponse) {
    if let Some(pass) = pass
        && pass.is_strictest(request)
    {
        pass.write_headers(response.headers_mut());
    }
}

fn limiter_of(request: &HttpRequest) -> &RateLimiter {
    /// Serves applications that have registered none.
    static UNREGISTERED: LazyLock<RateLimiter> = LazyLock::new(|| {
        tracing::warn!(
            "no RateLimiter is registered as app data: #[rate_limit] uses one in memory of its own"
        );
        RateLimiter::in_memory()
    });
    let registered = request.app_data::<RateLimiter>();
    let registered =
        registered.or_else(|| request.app_data::<Data<RateLimiter>>().map(|data| &***data));
    registered.unwrap_or_else(|| &UNREGISTERED)
}
