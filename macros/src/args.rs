//! The arguments: from tokens to [`Args`], with the places where they are written.

use actix_smart_ratelimit_core::{Algorithm, KeySpec, Rate, WindowStart, nearest};
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Expr, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
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
    /// The arguments that were given or, in all likelihood, meant.
    meant: Vec<Name>,
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
                let read = args.read(input, errors);
                if errors.keep(read).is_none() {
                    skip_argument(input);
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

    /// Whether an argument is missing, and not only misspelt.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        !self.meant.contains(&name)
    }

    /// Reads one argument. An error: the rest of it cannot be read.
    fn read(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument such as rate = \"5/m\""));
        }
        let written = input.call(Ident::parse_any)?;
        let text = written.to_string();
        let meant = nearest_word(&text);
        self.meant.extend(meant.map(|(_, name)| name));
        let value = value_of(&written, input)?;
        match meant {
            Some((word, name)) if word == text => self.add(name, &written, &value, errors),
            _ => errors.push(unknown(&written, meant.map(|(word, _)| word))),
        }
        let separated = separate(input);
        errors.keep(separated);
        Ok(())
    }

    fn add(&mut self, name: Name, written: &Ident, value: &Expr, errors: &mut Errors) {
        if let Some(first) = self.written(name) {
            for error in duplicate(written, first) {
                errors.push(error);
            }
            return;
        }
        self.written.push((name, written.clone()));
        let set = self.set(name, written, value);
        errors.keep(set);
    }

    fn set(&mut self, name: Name, written: &Ident, value: &Expr) -> syn::Result<()> {
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

fn value_of(name: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let missing = || syn::Error::new(name.span(), format!("expected a value: {name} = …"));
    input.parse::<Token![=]>().map_err(|_| missing())?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(missing());
    }
    input.parse()
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

/// The word for an argument that is, or is nearest to, what was written.
fn nearest_word(written: &str) -> Option<(&'static str, Name)> {
    let words = || NAMES.into_iter().map(|name| (name, name)).chain(ALIASES);
    let nearest = nearest(written, words().map(|(word, _)| word))?;
    words().find(|(word, _)| *word == nearest)
}

fn unknown(written: &Ident, meant: Option<&str>) -> syn::Error {
    let list = NAMES.join(", ");
    let remedy = match meant {
        Some(word) => format!("did you mean `{word}`? The arguments are {list}"),
        None => format!("the arguments are {list}"),
    };
    let message = format!("unknown argument `{written}`; {remedy}");
    syn::Error::new(written.span(), message)
}

fn duplicate(second: &Ident, first: &Ident) -> [syn::Error; 2] {
    let message = if second == first {
        format!("`{second}` is given twice: remove one of them")
    } else {
        format!("`{second}` and `{first}` mean the same: remove one of them")
    };
    let note = format!("`{first}` is first given here");
    [syn::Error::new(second.span(), message), syn::Error::new(first.span(), note)]
}
