use actix_smart_ratelimit::rate_limit;
use actix_web::{Either, Responder, get, web};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "9/h")]
#[get("/early/{n}")]
async fn early(n: web::Path<u32>) -> impl Responder {
    if *n > 1 {
        return "many";
    }
    for _ in 0..*n {
        return "one";
    }
    "none"
}

#[rate_limit(rate = "9/h")]
#[get("/either")]
async fn either() -> Either<impl Responder, impl Responder> {
    if std::env::args().count() == 0 {
        return Either::Left("left");
    }
    Either::Right("right".to_owned())
}

fn main() {
    let answers = support::answers(
        |app| {
            app.service(early).service(either);
        },
        ["/early/0", "/early/1", "/early/2", "/either"].map(support::get),
    );
    assert_eq!(answers.map(|(_, body)| body), ["none", "one", "many", "right"]);
}
