//! The arguments: from tokens to [`Args`], with the places where they are written.

use actix_smart_ratelimit_core::{Algorithm, KeySpec, Rate, WindowStart, nearest};
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Expr, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
};

use crate::{
    errors::Errors,
    validate::{Setting, Settings},
    value::{self, OrFunction},
};

/// What the attribute says.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) key: Option<OrFunction<KeySpec>>,
    pub(crate) rate: Option<OrFunction<Vec<Rate>>>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) settings: Settings,
    pub(crate) cost: Option<OrFunction<u32>>,
    pub(crate) scope: Option<String>,
    pub(crate) skip_if: Option<Expr>,
    pub(crate) on_refused: Option<Expr>,
    pub(crate) block: Option<bool>,
    pub(crate) shadow: Option<bool>,
    pub(crate) count_refused: Option<bool>,
    pub(crate) backend: Option<String>,
    /// Variant of `OnError`, which core does not know.
    pub(crate) on_error: Option<&'static str>,
    written: Vec<(Name, Ident)>,
}

/// The name of an argument: the one that the documentation uses, whichever was written.
type Name = &'static str;

/// Every argument.
const NAMES: [Name; 16] = [
    "key",
    "rate",
    "algorithm",
    "bucket_size",
    "refill_rate",
    "initial_tokens",
    "window",
    "cost",
    "scope",
    "skip_if",
    "on_refused",
    "block",
    "shadow",
    "count_refused",
    "backend",
    "on_error",
];
/// Other names for some of them.
const ALIASES: [(&str, Name); 2] = [("burst", "bucket_size"), ("leak_rate", "refill_rate")];

const WINDOWS: [(&str, WindowStart); 2] =
    [("clock", WindowStart::Clock), ("first_request", WindowStart::FirstRequest)];
const ON_ERROR: [(&str, &str); 3] = [("local", "Local"), ("allow", "Allow"), ("deny", "Deny")];

impl Args {
    /// Reads all arguments, going on after a mistake.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                match Argument::parse(input) {
                    Ok(argument) => {
                        args.add(&argument, errors);
                        let separated = separate(input);
                        errors.keep(separated);
                    }
                    Err(error) => {
                        errors.push(error);
                        skip_argument(input);
                    }
                }
            }
            Ok(())
        };
        let read = read.parse2(tokens);
        errors.keep(read);
        args
    }

    /// The name as it was written, if the argument was given, be it right or wrong.
    pub(crate) fn written(&self, name: &str) -> Option<&Ident> {
        self.written.iter().find(|(known, _)| *known == name).map(|(_, written)| written)
    }

    fn add(&mut self, argument: &Argument, errors: &mut Errors) {
        let Some(name) = errors.keep(known(&argument.name)) else { return };
        if let Some(first) = self.written(name) {
            for error in duplicate(name, &argument.name, first) {
                errors.push(error);
            }
            return;
        }
        self.written.push((name, argument.name.clone()));
        let set = self.set(name, argument);
        errors.keep(set);
    }

    fn set(&mut self, name: Name, Argument { name: written, value }: &Argument) -> syn::Result<()> {
        const PERMITS: &str = "an unsigned integer of permits";
        let as_written = &*written.to_string();
        match name {
            "key" => self.key = Some(value::key(as_written, value)?),
            "rate" => self.rate = Some(value::rates(as_written, value)?),
            "algorithm" => {
                self.algorithm = Some(value::word(as_written, value, &Algorithm::NAMES)?);
            }
            "bucket_size" => {
                let permits = value::integer(as_written, value, PERMITS)?;
                self.settings.add(Setting::BucketSize(permits), written, value);
            }
            "refill_rate" => {
                let speed = value::number(as_written, value)?;
                self.settings.add(Setting::RefillRate(speed), written, value);
            }
            "initial_tokens" => {
                let tokens = value::integer(as_written, value, PERMITS)?;
                self.settings.add(Setting::InitialTokens(tokens), written, value);
            }
            "window" => {
                let start = value::word(as_written, value, &WINDOWS)?;
                self.settings.add(Setting::Window(start), written, value);
            }
            "cost" => self.cost = Some(value::cost(as_written, value)?),
            "scope" => self.scope = Some(value::scope(as_written, value)?),
            "skip_if" => {
                let signature = "fn(&HttpRequest) -> bool";
                self.skip_if = Some(value::function(as_written, value, signature)?);
            }
            "on_refused" => {
                let signature = "fn(&HttpRequest, &Refusal) -> HttpResponse";
                self.on_refused = Some(value::function(as_written, value, signature)?);
            }
            "block" => self.block = Some(value::boolean(as_written, value)?),
            "shadow" => self.shadow = Some(value::boolean(as_written, value)?),
            "count_refused" => self.count_refused = Some(value::boolean(as_written, value)?),
            "backend" => self.backend = Some(value::backend(as_written, value)?),
            _ => self.on_error = Some(value::word(as_written, value, &ON_ERROR)?),
        }
        Ok(())
    }
}

/// `name = value`, as written.
struct Argument {
    name: Ident,
    value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument such as rate = \"5/m\""));
        }
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            let message = format!("expected a value: {name} = …");
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            let message = format!("expected a value: {name} = …");
            return Err(syn::Error::new(name.span(), message));
        }
        Ok(Self { name, value: input.parse()? })
    }
}

/// Reads the comma between two arguments. Where it is missing before a name, that begins the next
/// argument all the same.
fn separate(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    let comma = input.parse::<Token![,]>();
    if comma.is_err() && !input.peek(Ident::peek_any) {
        skip_argument(input);
    }
    comma.map(drop)
}

/// Goes to the next argument.
fn skip_argument(input: ParseStream<'_>) {
    while let Ok(token) = input.parse::<TokenTree>() {
        if matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ',') {
            return;
        }
    }
}

fn known(written: &Ident) -> syn::Result<Name> {
    let text = written.to_string();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == text).map(|(_, name)| *name);
    if let Some(name) = alias.or_else(|| NAMES.into_iter().find(|name| *name == text)) {
        return Ok(name);
    }
    let candidates = NAMES.into_iter().chain(ALIASES.iter().map(|(alias, _)| *alias));
    let hint = nearest(&text, candidates)
        .map_or(String::new(), |meant| format!(", did you mean `{meant}`?"));
    let list = NAMES.join(", ");
    let message = format!("unknown argument `{text}`{hint}; the arguments are {list}");
    Err(syn::Error::new(written.span(), message))
}

fn duplicate(name: Name, second: &Ident, first: &Ident) -> [syn::Error; 2] {
    let message = if second == first {
        format!("`{second}` is given twice: remove one of them")
    } else {
        format!("`{second}` and `{first}` are both names of `{name}`: remove one of them")
    };
    let note = format!("`{first}` is first given here");
    [syn::Error::new(second.span(), message), syn::Error::new(first.span(), note)]
}
