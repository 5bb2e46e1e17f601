//! The future of a limited request: refused at once, waiting for a store, or in the inner service.

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{
    Error as ActixError,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
};
use pin_project_lite::pin_project;

use super::gate::{Admission, Pass, Waiting};

pin_project! {
    /// The future of a limited request.
    #[project = StateProjection]
    #[doc(hidden)]
    pub enum RateLimitFuture<S, B>
    where
        S: Service<ServiceRequest>,
    {
        Refused { response: Option<ServiceResponse<EitherBody<B>>> },
        Store { waiting: Box<Waiting>, request: Option<ServiceRequest>, service: Rc<S> },
        Inner { #[pin] future: S::Future, pass: Option<Pass> },
    }
}

impl<S, B> RateLimitFuture<S, B>
where
    S: Service<ServiceRequest>,
{
    #[inline]
    pub(super) fn inner(future: S::Future, pass: Option<Pass>) -> Self {
        Self::Inner { future, pass }
    }

    pub(super) fn refused(response: ServiceResponse) -> Self {
        Self::Refused { response: Some(response.map_into_right_body()) }
    }

    pub(super) fn store(waiting: Box<Waiting>, request: ServiceRequest, service: Rc<S>) -> Self {
        Self::Store { waiting, request: Some(request), service }
    }
}

impl<S, B> Future for RateLimitFuture<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = ActixError>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, ActixError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                StateProjection::Refused { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response)),
                    // A future that is polled after its end never wakes.
                    None => return Poll::Pending,
                },
                StateProjection::Store { waiting, request, service } => {
                    let outcome = ready!(waiting.poll(context));
                    let Some(request) = request.take() else { return Poll::Pending };
                    match waiting.conclude(&outcome, request.request()) {
                        Admission::Granted(pass) => Self::inner(service.call(request), pass),
                        Admission::Refused(refusal) => {
                            Self::refused(request.into_response(*refusal))
                        }
                    }
                }
                StateProjection::Inner { future, pass } => {
                    let result = ready!(future.poll(context));
                    return Poll::Ready(finish(result, pass.take()));
                }
            };
            self.set(next);
        }
    }
}

/// Adds the header fields, to errors of inner middleware as well.
#[inline]
fn finish<B: MessageBody>(
    result: Result<ServiceResponse<B>, ActixError>,
    pass: Option<Pass>,
) -> Result<ServiceResponse<EitherBody<B>>, ActixError> {
    let Some(pass) = pass else { return result.map(ServiceResponse::map_into_left_body) };
    match result {
        Ok(mut response) => {
            if pass.is_strictest(response.request()) {
                pass.write_headers(response.headers_mut());
            }
            Ok(response.map_into_left_body())
        }
        Err(mut error) => {
            error.add_response_mapper(move |mut response| {
                pass.write_to_error(&mut response);
                response
            });
            Err(error)
        }
    }
}
