//! The value of one argument: from an expression to what core understands.

use std::str::FromStr;

use actix_smart_ratelimit_core::{KeySpec, MAX_CHECKS, Rate, nearest};
use syn::{Expr, ExprArray, ExprLit, ExprUnary, Lit, LitStr, UnOp};

use crate::errors::refused;

/// A value known now, or a function that gives it for each request.
#[derive(Clone)]
pub(crate) enum OrFunction<T> {
    Value(T),
    Function(Expr),
}

/// A string that says whom to count, or a function.
pub(crate) fn key(name: &str, value: &Expr) -> syn::Result<OrFunction<KeySpec>> {
    if is_function(value) {
        return Ok(OrFunction::Function(value.clone()));
    }
    let Some(text) = string(value) else {
        let expected = "a string such as \"ip\", or a function `fn(&HttpRequest) -> impl IntoKey`";
        return Err(wrong_kind(name, value, expected));
    };
    let spec = KeySpec::from_str(&text.value()).map_err(|error| refused(text, name, &error))?;
    Ok(OrFunction::Value(spec))
}

/// A string with one rate or several, an array of such strings, or a function.
pub(crate) fn rates(name: &str, value: &Expr) -> syn::Result<OrFunction<Vec<Rate>>> {
    if is_function(value) {
        return Ok(OrFunction::Function(value.clone()));
    }
    let mut rates = Vec::new();
    match plain(value) {
        Expr::Array(ExprArray { elems, .. }) => {
            for element in elems {
                add_rates(name, element, &mut rates)?;
            }
        }
        one => add_rates(name, one, &mut rates)?,
    }
    match rates.len() {
        0 => Err(wrong(value, format!("`{name}` needs a rate, such as {name} = \"5/m\""))),
        1..=MAX_CHECKS => Ok(OrFunction::Value(rates)),
        n => Err(wrong(value, format!("`{name}` holds {n} rates, at most {MAX_CHECKS} can be"))),
    }
}

fn add_rates(name: &str, value: &Expr, rates: &mut Vec<Rate>) -> syn::Result<()> {
    let Some(text) = string(value) else {
        let expected =
            "a string such as \"5/m\", an array of such strings, or a function of the request";
        return Err(wrong_kind(name, value, expected));
    };
    for rate in Rate::parse_list(&text.value()).map_err(|error| refused(text, name, &error))? {
        if rates.contains(&rate) {
            return Err(wrong(value, format!("`{name}` holds {rate} twice: remove one of them")));
        }
        rates.push(rate);
    }
    Ok(())
}

/// A whole number of permits, or a function.
pub(crate) fn cost(name: &str, value: &Expr) -> syn::Result<OrFunction<u32>> {
    if is_function(value) {
        return Ok(OrFunction::Function(value.clone()));
    }
    let expected = "an unsigned integer or path to function `fn(&HttpRequest) -> u32`";
    integer(name, value, expected).map(OrFunction::Value)
}

/// A whole number, zero or more.
pub(crate) fn integer<N>(name: &str, value: &Expr, expected: &str) -> syn::Result<N>
where
    N: FromStr<Err = std::num::ParseIntError>,
{
    match plain(value) {
        // A literal is never negative, so only its size can be wrong.
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number
            .base10_parse()
            .map_err(|_| wrong(value, format!("`{name}` is too large: it takes {expected}"))),
        _ => Err(wrong_kind(name, value, expected)),
    }
}

/// A number; whether it is in range is for core to say.
pub(crate) fn number(name: &str, value: &Expr) -> syn::Result<f64> {
    let expected = "a number of permits per second, such as 2 or 0.5";
    let (negative, unsigned) = match plain(value) {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => (true, plain(expr)),
        positive => (false, positive),
    };
    let digits = match unsigned {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_digits().to_owned(),
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_digits().to_owned(),
        _ => return Err(wrong_kind(name, value, expected)),
    };
    let sign = if negative { "-" } else { "" };
    format!("{sign}{digits}").parse().map_err(|_| wrong_kind(name, value, expected))
}

/// `true` or `false`.
pub(crate) fn boolean(name: &str, value: &Expr) -> syn::Result<bool> {
    match plain(value) {
        Expr::Lit(ExprLit { lit: Lit::Bool(bool), .. }) => Ok(bool.value),
        _ => Err(wrong_kind(name, value, "true or false")),
    }
}

/// One word of a few.
pub(crate) fn word<T: Copy>(name: &str, value: &Expr, words: &[(&str, T)]) -> syn::Result<T> {
    let names = || words.iter().map(|(word, _)| *word);
    let list = names().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let Some(text) = string(value) else {
        return Err(wrong_kind(name, value, &format!("one of {list}")));
    };
    let written = text.value();
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == written) {
        return Ok(*meaning);
    }
    let remedy = match nearest(&written, names()) {
        Some(meant) => format!("did you mean \"{meant}\"? It is one of {list}"),
        None => format!("use one of {list}"),
    };
    Err(wrong(value, format!("`{name}`: unknown value {written:?}; {remedy}")))
}

/// The name of a set of counters; `""` is one.
pub(crate) fn scope(name: &str, value: &Expr) -> syn::Result<String> {
    let Some(text) = string(value) else {
        return Err(wrong_kind(name, value, "a string such as \"search\""));
    };
    let scope = text.value();
    if scope.contains(char::is_control) {
        let message = format!("`{name}` has a control character: use printable characters only");
        return Err(wrong(value, message));
    }
    Ok(scope)
}

/// The name of a registered backend.
pub(crate) fn backend(name: &str, value: &Expr) -> syn::Result<String> {
    match string(value).map(LitStr::value) {
        Some(backend) if !backend.trim().is_empty() => Ok(backend),
        Some(_) => {
            let message = format!("`{name}` is empty: name a backend, or remove the argument");
            Err(wrong(value, message))
        }
        None => Err(wrong_kind(name, value, "the name of a backend, such as \"redis\"")),
    }
}

/// A path to a function, or a closure.
pub(crate) fn function(name: &str, value: &Expr, signature: &str) -> syn::Result<Expr> {
    if is_function(value) {
        return Ok(value.clone());
    }
    Err(wrong_kind(name, value, &format!("a path to a function `{signature}`")))
}

fn is_function(value: &Expr) -> bool {
    matches!(plain(value), Expr::Path(_) | Expr::Closure(_))
}

fn string(value: &Expr) -> Option<&LitStr> {
    match plain(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

/// The expression inside parentheses, and inside the invisible groups of `macro_rules!` fragments.
fn plain(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => plain(&group.expr),
        Expr::Paren(paren) => plain(&paren.expr),
        other => other,
    }
}

fn wrong_kind(name: &str, value: &Expr, expected: &str) -> syn::Error {
    wrong(value, format!("`{name}` takes {expected}"))
}

fn wrong(value: &Expr, message: String) -> syn::Error {
    syn::Error::new_spanned(value, message)
}
