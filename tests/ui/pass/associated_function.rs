use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, web};

#[path = "../support.rs"]
mod support;

struct Users;

impl Users {
    const FOUND: &'static str = "user";

    fn describe(id: u32) -> String {
        format!("{} {id}", Self::FOUND)
    }

    #[rate_limit(rate = "1/h", scope = "users")]
    async fn find(id: web::Path<u32>) -> HttpResponse {
        HttpResponse::Ok().body(Self::describe(*id))
    }
}

struct Teams<const N: usize>;

impl<const N: usize> Teams<N> {
    #[rate_limit(rate = "1/h", scope = "teams")]
    async fn find() -> HttpResponse {
        HttpResponse::Ok().body(N.to_string())
    }
}

fn main() {
    let answers = support::answers(
        |app| {
            app.route("/users/{id}", web::get().to(Users::find));
            app.route("/teams", web::get().to(Teams::<3>::find));
        },
        ["/users/7", "/users/7", "/teams", "/teams"].map(support::get),
    );
    assert_eq!(answers.each_ref().map(|(status, _)| *status), [200, 429, 200, 429]);
    assert_eq!((&*answers[0].1, &*answers[2].1), ("user 7", "3"));
}
