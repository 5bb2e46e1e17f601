//! The function below the attribute, and what it must be.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{
    Attribute, FnArg, Ident, PatType, ReturnType, Signature, Token, Type, Visibility,
    parse::{Parse, ParseStream, Parser},
    spanned::Spanned,
    token,
    visit_mut::VisitMut,
};

use crate::errors::Errors;

/// Actix implements `FromRequest` for tuples of up to this length.
const MAX_EXTRACTORS: usize = 16;

/// A function; its body is kept as it is written.
pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// `#![…]` at the top of the body.
    pub(crate) inner: Vec<Attribute>,
    pub(crate) body: Group,
}

impl Parse for Handler {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !at_function(input) {
            let message = "#[rate_limit] limits an async handler function: move it to one, or wrap \
                           a scope in a middleware of the limiter";
            return Err(input.error(message));
        }
        let signature: Signature = input.parse()?;
        if !input.peek(token::Brace) {
            let message = "#[rate_limit] needs a function with a body: move it to where the \
                           handler is written";
            return Err(syn::Error::new(signature.ident.span(), message));
        }
        let whole: Group = input.parse()?;
        let (inner, statements) = split_body.parse2(whole.stream())?;
        let mut body = Group::new(whole.delimiter(), statements);
        body.set_span(whole.span());
        Ok(Self { attributes, visibility, signature, inner, body })
    }
}

/// Whether a function follows, so that a mistake in it is reported as its own.
fn at_function(input: ParseStream<'_>) -> bool {
    const QUALIFIERS: [&str; 6] = ["const", "async", "unsafe", "safe", "extern", "default"];
    let ahead = input.fork();
    while !ahead.peek(Token![fn]) {
        match ahead.parse() {
            Ok(TokenTree::Ident(word)) if QUALIFIERS.iter().any(|known| word == known) => {}
            Ok(TokenTree::Literal(_)) => {}
            _ => return false,
        }
    }
    true
}

fn split_body(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, TokenStream)> {
    Ok((input.call(Attribute::parse_inner)?, input.parse()?))
}

impl Handler {
    /// Notes what keeps the function from being a handler.
    pub(crate) fn validate(&self, errors: &mut Errors) {
        let signature = &self.signature;
        let name = &signature.ident;
        if signature.asyncness.is_none() {
            let message = format!("a handler is async: write `async fn {name}`");
            errors.push(syn::Error::new_spanned(signature.fn_token, message));
        }
        if matches!(signature.output, ReturnType::Default) {
            let message = format!(
                "handler `{name}` returns nothing: add what it answers, such as `-> HttpResponse`"
            );
            errors.push(syn::Error::new_spanned(name, message));
        }
        for input in &signature.inputs {
            validate_input(input, errors);
        }
        if let Some(excess) = signature.inputs.iter().nth(MAX_EXTRACTORS) {
            let message = format!(
                "Actix takes up to {MAX_EXTRACTORS} extractors: put some of them into one tuple"
            );
            errors.push(syn::Error::new_spanned(excess, message));
        }
    }

    /// The extractors.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &PatType> {
        self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(input) => Some(input),
            FnArg::Receiver(_) => None,
        })
    }

    /// What the handler returns.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Type(_, output) => Some(output),
            ReturnType::Default => None,
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }
}

fn validate_input(input: &FnArg, errors: &mut Errors) {
    let attributes = match input {
        FnArg::Receiver(receiver) => {
            let message = "a handler has no `self`: take shared state as `web::Data<…>` instead";
            errors.push(syn::Error::new_spanned(receiver.self_token, message));
            &receiver.attrs
        }
        FnArg::Typed(input) => {
            if has_impl_trait(&input.ty) {
                let message = "an extractor has a type with a name: write it, or a type parameter, \
                               instead of `impl …`";
                errors.push(syn::Error::new_spanned(&input.ty, message));
            }
            &input.attrs
        }
    };
    for attribute in attributes {
        let message =
            "attributes on arguments are lost below #[rate_limit]: put it on the function";
        errors.push(syn::Error::new_spanned(attribute, message));
    }
}

fn has_impl_trait(ty: &Type) -> bool {
    let mut ty = ty.clone();
    inferred(&mut ty)
}

/// Writes `_` where the type says `impl …`, and says whether there was any.
pub(crate) fn inferred(ty: &mut Type) -> bool {
    struct Blank(bool);

    impl VisitMut for Blank {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if matches!(ty, Type::ImplTrait(_)) {
                *ty = syn::parse_quote_spanned!(ty.span()=> _);
                self.0 = true;
            } else {
                syn::visit_mut::visit_type_mut(self, ty);
            }
        }
    }

    let mut blank = Blank(false);
    blank.visit_type_mut(ty);
    blank.0
}
