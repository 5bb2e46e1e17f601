//! What the macros say and write, without a compiler: the rest is tested with the main crate.

use proc_macro2::TokenStream;
use quote::quote;

fn handler() -> TokenStream {
    quote!(
        async fn login(form: Form<Login>) -> HttpResponse {
            answer(form)
        }
    )
}

fn expanded(args: &str) -> String {
    let tokens = super::limited(args.parse().unwrap(), handler());
    let code = tokens.unwrap().to_string().replace(' ', "");
    code.replace("::actix_smart_ratelimit::__private::", "")
}

fn mistakes_on(args: &str, item: TokenStream) -> Vec<String> {
    let error = super::limited(args.parse().unwrap(), item).unwrap_err();
    error.into_iter().map(|error| error.to_string()).collect()
}

fn mistakes(args: &str) -> Vec<String> {
    mistakes_on(args, handler())
}

fn mistake(args: &str) -> String {
    let [mistake] = mistakes(args).try_into().unwrap();
    mistake
}

#[test]
fn every_argument_becomes_one_call_of_the_builder() {
    let cases = [
        (r#"rate = "5/m""#, "[rate(5u32,60000000u64)]"),
        (r#"rate = "1/s, 9/h""#, "rate(1u32,1000000u64),"),
        (r#"rate = ["1/s", "9/h, 20/d"]"#, "rate(20u32,86400000000u64)]"),
        ("rate = plan::rates", ".rates_by(plan::rates)"),
        (r#"key = "tenant+header:X-Key""#, "Key::tenant().and("),
        (r#"key = "tenant+header:X-Key""#, r#"Key::header("X-Key")"#),
        (r#"key = "global:build""#, r#"Key::global_named("build")"#),
        ("key = keys::of", "Key::from_fn(keys::of)"),
        ("key = |r: &HttpRequest| r.path().len()", "from_fn(|r:&HttpRequest|r.path().len())"),
        ("cost = 0", ".cost(0u32)"),
        ("cost = size", ".cost_by(size)"),
        (r#"scope = """#, r#"Limit::new("","#),
        ("skip_if = staff", ".skip_if(staff)"),
        ("on_refused = page", ".on_refused(page)"),
        ("block = false", ".block(false)"),
        ("shadow = true", ".shadow(true)"),
        ("count_refused = true", ".count_refused(true)"),
        (r#"backend = "redis""#, r#".backend("redis")"#),
        (r#"on_error = "deny""#, "OnError::Deny"),
        (r#"algorithm = "fixed_window", window = "first_request""#, "WindowStart::FirstRequest"),
        (r#"algorithm = "gcra", burst = 9"#, "Algorithm::Gcra).bucket_size(9u64)"),
        (r#"algorithm = "leaky_bucket", leak_rate = 2"#, ".refill_rate(2f64)"),
        (r#"algorithm = "token_bucket", refill_rate = 0.5"#, ".refill_rate(0.5f64)"),
        (r#"algorithm = "token_bucket", initial_tokens = 0"#, ".initial_tokens(0u64)"),
    ];
    for (args, call) in cases {
        let rate = if args.starts_with("rate") { "" } else { r#"rate = "5/m","# };
        let code = expanded(&format!("{rate} {args}"));
        assert!(code.contains(call), "{args}: {code}");
    }
}

#[test]
fn the_scope_is_the_path_of_the_function_unless_given() {
    assert!(expanded(r#"rate = "5/m""#).contains(r#"scope(core::module_path!(),"login")"#));
    assert!(!expanded(r#"rate = "5/m", scope = "in""#).contains("module_path"));
}

#[test]
fn everything_that_was_written_about_the_function_stays() {
    let item = quote!(
        /// Finds.
        #[get("/find")]
        pub(crate) async fn find<T: Store>(store: Data<T>) -> HttpResponse
        where
            T: Clone,
        {
            #![allow(unused)]
            store.find()
        }
    );
    let code = super::limited(quote!(rate = "5/m"), item).unwrap();
    let function: syn::ItemFn = syn::parse2(code).unwrap();
    assert_eq!(function.attrs.len(), 3);
    assert_eq!(function.sig.inputs.len(), 1);
    let signature = &function.sig;
    assert_eq!(
        quote!(#signature).to_string(),
        quote!(
            async fn find<T: Store>(
                __rate_limit_head: ::actix_smart_ratelimit::__private::Head
            ) -> ::actix_smart_ratelimit::__private::Reply<HttpResponse>
            where
                T: Clone,
        )
        .to_string()
    );
}

#[test]
fn opaque_types_are_left_to_inference_inside_the_function() {
    let item = quote!(
        async fn find() -> Result<impl Responder, Error> {
            Ok("found")
        }
    );
    let code = super::limited(quote!(rate = "5/m"), item).unwrap().to_string().replace(' ', "");
    assert!(code.contains("Reply<Result<implResponder,Error>>"), "{code}");
    assert!(code.contains("Option::<Result<_,Error>>::None"), "{code}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let item = quote!(
        fn login(&self, form: impl Extract) {}
    );
    let mistakes = mistakes_on(r#"rat = "5/m", key = "usr", , cost = -1 block = 3"#, item);
    let expected = [
        "unknown argument `rat`",
        "unknown key \"usr\"",
        "expected an argument",
        "`cost` takes",
        "expected `,`",
        "`block` takes",
        "async fn login",
        "returns nothing",
        "no `self`",
        "has a type with a name",
    ];
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.contains(expected), "{mistake}");
    }
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
}

#[test]
fn after_a_mistake_the_function_comes_back_as_it_was() {
    let code = super::attribute(quote!(), handler()).to_string();
    assert!(code.starts_with(":: core :: compile_error !"), "{code}");
    assert!(code.ends_with(&handler().to_string()), "{code}");
}

#[test]
fn parameters_are_judged_by_the_algorithm_that_has_them() {
    let with = |args: &str| mistake(&format!(r#"rate = "10/m", {args}"#));
    assert_eq!(
        with("burst = 5"),
        "`burst` needs an algorithm that has it: add algorithm = \"token_bucket\" or \
         \"leaky_bucket\" or \"gcra\""
    );
    assert_eq!(
        with(r#"algorithm = "sliding_window", burst = 5"#),
        "`burst`: it has no meaning for sliding_window; remove it, or use token_bucket or \
         leaky_bucket or gcra"
    );
    assert!(
        with(r#"algorithm = "token_bucket", initial_tokens = 11"#)
            .contains("at most the bucket's size, 10")
    );
    assert!(with(r#"algorithm = "token_bucket", refill_rate = -1"#).contains("zero or more"));
    assert!(with(r#"algorithm = "gcraa", burst = 5"#).contains("did you mean \"gcra\"?"));
}

#[test]
fn several_misplaced_parameters_are_each_reported() {
    let args = r#"rate = "10/m", algorithm = "gcra", leak_rate = 1, window = "clock""#;
    assert_eq!(mistakes(args).len(), 2);
}

#[test]
fn a_rate_by_function_allows_any_initial_tokens() {
    let code = expanded(r#"rate = rates, algorithm = "token_bucket", initial_tokens = 1000000"#);
    assert!(code.contains("initial_tokens(1000000u64)"));
}

#[test]
fn fragments_of_macro_rules_are_seen_through() {
    let grouped = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote!("5/m"));
    assert!(super::limited(quote!(rate = #grouped), handler()).is_ok());
}

#[test]
fn a_rate_literal_is_a_constant_or_an_error() {
    let rate = super::constant(quote!("10/30s")).unwrap().to_string().replace(' ', "");
    assert_eq!(rate, "::actix_smart_ratelimit::__private::rate(10u32,30000000u64)");
    assert!(super::constant(quote!("10/x")).unwrap_err().to_string().contains("unknown unit"));
}
