//! The combinations that cannot be, judged by core.

use actix_smart_ratelimit_core::{Algorithm, Error, Policy, PolicyBuilder, Rate, WindowStart};
use proc_macro2::{Ident, Span};
use syn::Expr;

use crate::{
    args::Args,
    errors::{Errors, refused},
    value::OrFunction,
};

/// A parameter that not every algorithm has.
#[derive(Clone, Copy)]
pub(crate) enum Setting {
    BucketSize(u64),
    RefillRate(f64),
    InitialTokens(u64),
    Window(WindowStart),
}

impl Setting {
    /// The same parameter with a value that every algorithm takes that has it.
    fn sample(self) -> Self {
        match self {
            Self::BucketSize(_) => Self::BucketSize(1),
            Self::RefillRate(_) => Self::RefillRate(1.0),
            Self::InitialTokens(_) => Self::InitialTokens(1),
            Self::Window(_) => Self::Window(WindowStart::Clock),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::BucketSize(_) => "bucket_size",
            Self::RefillRate(_) => "refill_rate",
            Self::InitialTokens(_) => "initial_tokens",
            Self::Window(_) => "window",
        }
    }

    fn apply(self, policy: PolicyBuilder) -> PolicyBuilder {
        match self {
            Self::BucketSize(permits) => policy.bucket_size(permits),
            Self::RefillRate(speed) => policy.refill_rate(speed),
            Self::InitialTokens(tokens) => policy.initial_tokens(tokens),
            Self::Window(start) => policy.window_start(start),
        }
    }

    /// Why an algorithm cannot have it.
    fn misplaced(self, algorithm: Algorithm) -> Option<Error> {
        self.sample().apply(Policy::builder(algorithm, UNKNOWN)).build().err()
    }
}

/// Stands for the rate that a function will give: no bucket is too large for it.
const UNKNOWN: Rate = Rate::per_second(u32::MAX);

/// The parameters that were given, and where.
#[derive(Default)]
pub(crate) struct Settings(Vec<Given>);

struct Given {
    setting: Setting,
    name: Ident,
    value: Expr,
}

impl Settings {
    pub(crate) fn add(&mut self, setting: Setting, name: &Ident, value: &Expr) {
        self.0.push(Given { setting, name: name.clone(), value: value.clone() });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Setting> {
        self.0.iter().map(|given| given.setting)
    }

    fn without_algorithm(&self, errors: &mut Errors) {
        for Given { setting, name, .. } in &self.0 {
            let owners = Algorithm::NAMES.iter().filter(|(_, it)| setting.misplaced(*it).is_none());
            let owners: Vec<_> = owners.map(|(word, _)| format!("\"{word}\"")).collect();
            let message = format!(
                "`{name}` needs an algorithm that has it: add algorithm = {}",
                owners.join(" or ")
            );
            errors.push(syn::Error::new(name.span(), message));
        }
    }

    fn judge(&self, algorithm: Algorithm, rates: &[Rate], errors: &mut Errors) {
        let mut misplaced = false;
        for Given { setting, name, .. } in &self.0 {
            if let Some(error) = setting.misplaced(algorithm) {
                errors.push(refused(name, &name.to_string(), &error));
                misplaced = true;
            }
        }
        if misplaced {
            return;
        }
        let build = |rate| {
            let policy = Policy::builder(algorithm, rate);
            self.iter().fold(policy, |policy, setting| setting.apply(policy)).build()
        };
        if let Some(error) = rates.iter().find_map(|rate| build(*rate).err()) {
            errors.push(self.locate(&error));
        }
    }

    fn locate(&self, error: &Error) -> syn::Error {
        let about = |given: &&Given| given.setting.name() == error.field();
        match self.0.iter().find(about).or(self.0.first()) {
            Some(given) if about(&given) => refused(&given.value, &given.name.to_string(), error),
            Some(given) => refused(&given.value, error.field(), error),
            None => syn::Error::new(Span::call_site(), error),
        }
    }
}

/// Notes what the arguments lack, and which of them contradict each other.
pub(crate) fn validate(args: &Args, errors: &mut Errors) {
    if args.lacks("rate") {
        let message = "`rate` is required: #[rate_limit(rate = \"5/m\")] lets 5 requests a minute \
                       of each address in";
        errors.push(syn::Error::new(Span::call_site(), message));
    }
    if let (Some(block), Some(true)) = (args.written("block"), args.shadow) {
        let message = "`block` has no meaning for a limit in shadow, which never refuses: remove \
                       `block` or `shadow`";
        errors.push(syn::Error::new(block.span(), message));
    }
    let rates = match &args.rate {
        Some(OrFunction::Value(rates)) => rates,
        _ => &[UNKNOWN][..],
    };
    match (args.algorithm, args.written("algorithm")) {
        (Some(algorithm), _) => args.settings.judge(algorithm, rates, errors),
        (None, None) => args.settings.without_algorithm(errors),
        // The algorithm's own mistake is enough to correct.
        (None, Some(_)) => {}
    }
}
