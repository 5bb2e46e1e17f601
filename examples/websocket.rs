//! A WebSocket: the upgrade is one request for the middleware, and each message asks the limiter
//! itself.
//!
//! Run it with `cargo run --example websocket`, then connect with any client to
//! `ws://127.0.0.1:8080/echo` and send more than five messages within ten seconds.

use std::io;

use actix_smart_ratelimit::{Limit, RateLimiter, client_ip};
use actix_web::{
    App, Error, HttpRequest, HttpResponse, HttpServer, error::ErrorInternalServerError, rt, web,
};
use actix_ws::Message;
use futures_util::StreamExt;

async fn echo(
    request: HttpRequest,
    body: web::Payload,
    limiter: web::Data<RateLimiter>,
    messages: web::Data<Limit>,
) -> Result<HttpResponse, Error> {
    let address =
        client_ip(&request, &limiter).ok_or_else(|| ErrorInternalServerError("no address"))?;
    let key = format!("ip:{address}");
    let (response, mut session, mut stream) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            let Message::Text(text) = message else { continue };
            let answer = match limiter.check(&messages, &key).await {
                Ok(outcome) if outcome.is_allowed() => text.to_string(),
                Ok(_) => "slow down, please".to_owned(),
                Err(error) => error.to_string(),
            };
            if session.text(answer).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let limiter = RateLimiter::in_memory();
    let messages = Limit::new(
        "messages",
        "5/10s".parse::<actix_smart_ratelimit::Rate>().map_err(io::Error::other)?,
    );
    let upgrades = limiter.middleware();
    let (limiter, messages) = (web::Data::new(limiter), web::Data::new(messages));
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    println!("listening on ws://{address}/echo");
    HttpServer::new(move || {
        App::new()
            .app_data(limiter.clone())
            .app_data(messages.clone())
            .wrap(upgrades.clone())
            .route("/echo", web::get().to(echo))
    })
    .bind(address)?
    .run()
    .await
}
