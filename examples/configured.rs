//! Rules in a file that is followed while the program runs.
//!
//! ```text
//! cargo run --example configured --features config-reload
//! for i in 1 2 3 4 5 6; do curl -i -X POST http://127.0.0.1:8080/login; done
//! ```
//!
//! The sixth call is refused. Change the rate of `login` in docs/config/minimal.toml (or in the file that
//! the command line names) and try again: nothing was restarted, and what was taken still counts. Write
//! `5/x` there: the program says where the mistake is, and goes on with the rules that it has.

use std::env::args;

use actix_smart_ratelimit::{
    RateLimiter,
    config::{Config, Reloader},
};
use actix_web::{App, HttpServer, rt, web};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = args().nth(1).unwrap_or_else(|| "docs/config/minimal.toml".to_owned());
    let config = Config::load(path)?;
    let limiter = RateLimiter::from_config(&config)?;
    let rules = limiter.middleware_from(&config)?.live()?;
    let reloader = Reloader::new(&config, &limiter, &rules).on_reload(|result| match result {
        Ok(_) => println!("reloaded"),
        Err(errors) => eprintln!("{errors}"),
    });
    rt::spawn(reloader.run());
    println!("listening at http://127.0.0.1:8080");
    let app = move || {
        App::new()
            .wrap(rules.clone())
            .app_data(limiter.clone())
            .default_service(web::to(|| async { "welcome\n" }))
    };
    HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?;
    Ok(())
}
