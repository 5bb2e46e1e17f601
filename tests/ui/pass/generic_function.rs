use actix_smart_ratelimit::rate_limit;
use actix_web::{Responder, web};

#[path = "../support.rs"]
mod support;

trait Store: 'static {
    fn find(&self) -> &'static str;
}

struct Memory;

impl Store for Memory {
    fn find(&self) -> &'static str {
        "found"
    }
}

#[rate_limit(rate = "1/h")]
async fn find<S, const N: usize>(store: web::Data<S>) -> impl Responder
where
    S: Store,
{
    store.find().repeat(N)
}

fn main() {
    let answers = support::answers(
        |app| {
            app.app_data(web::Data::new(Memory));
            app.route("/", web::get().to(find::<Memory, 2>));
        },
        [support::get("/"), support::get("/")],
    );
    assert_eq!(answers[0], (200, "foundfound".to_owned()));
    assert_eq!(answers[1].0, 429);
}
