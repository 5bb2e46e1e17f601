//! The way in, for middleware and attribute alike: from a request to a pass or a refusal.

use std::{cell::Cell, collections::HashMap, future::Future, pin::Pin, sync::Arc};

use actix_web::{HttpMessage, HttpRequest, HttpResponse, http::header::HeaderMap};
use parking_lot::RwLock;

use super::{
    RateLimitInfo, Rule,
    fields::Fields,
    refusal::{self, Reason, Refusal},
};
use crate::{
    Enforcement, Error, Event, EventKind, MissingAddress, Outcome, RateLimiter,
    key::Subject,
    limiter::{Asked, Change, Deciding, Keys, Plan, Rules, guarded},
};

/// Different overrides whose header fields a rule keeps; far more than are ever in force.
const MOST_OVERRIDDEN: usize = 1_024;

thread_local! {
    /// The buffer that each thread writes its keys into.
    static KEYS: Cell<Option<Box<Keys>>> = const { Cell::new(None) };
}

/// A rule, ready to be asked about requests.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) rule: Rule,
    plan: Arc<Plan>,
    terms: Terms,
    /// What overrides make of the rule, by what they say; `None` where the backend cannot keep it.
    overridden: RwLock<HashMap<Change, Option<Terms>>>,
}

/// Policies with their header fields.
#[derive(Clone, Debug)]
struct Terms {
    rules: Arc<Rules>,
    fields: Arc<Fields>,
}

/// What a request that was let in carries to its response.
#[derive(Clone, Debug)]
pub struct Pass {
    info: RateLimitInfo,
}

/// Whether a request gets in.
pub(super) enum Admission {
    /// It does; without a pass, no limit has anything to say about it.
    Granted(Option<Pass>),
    /// It does not, and this is its response.
    Refused(Box<HttpResponse>),
}

impl Admission {
    fn refused(response: HttpResponse) -> Self {
        Self::Refused(Box::new(response))
    }
}

/// The answer, now or later.
pub(super) enum Entry {
    Now(Admission),
    Waiting(Box<Waiting>),
}

/// A request whose store has yet to answer.
pub(super) struct Waiting {
    gate: Arc<Gate>,
    fields: Arc<Fields>,
    outcome: Pin<Box<dyn Future<Output = Outcome>>>,
}

impl Gate {
    pub(super) fn new(rule: Rule, limiter: &RateLimiter) -> Result<Self, Error> {
        let scope = rule.limit().name();
        rule.key.validate().map_err(|error| error.at(format!("{scope}.key")))?;
        let plan = Arc::new(limiter.plan(rule.limit())?);
        let terms = Terms::new(plan.rules().clone(), &plan, limiter);
        Ok(Self { rule, plan, terms, overridden: RwLock::default() })
    }

    /// Asks about a request, of which nothing but the head is looked at.
    #[inline]
    pub(super) fn enter(self: &Arc<Self>, request: &HttpRequest, limiter: &RateLimiter) -> Entry {
        if !limiter.is_enabled() || self.is_skipped(request) {
            return Entry::Now(Admission::Granted(None));
        }
        let mut keys = KEYS.take().unwrap_or_default();
        let known =
            self.rule.key.write(&Subject::new(request, limiter), keys.begin(self.plan.prefix()));
        let entry = match (!known).then(|| self.without_address(request, limiter)).flatten() {
            Some(admission) => Entry::Now(admission),
            None => self.ask(request, limiter, &mut keys),
        };
        KEYS.set(Some(keys));
        entry
    }

    /// Finds the terms for a request: those of an override, or of the request, or of the rule.
    fn ask(
        self: &Arc<Self>,
        request: &HttpRequest,
        limiter: &RateLimiter,
        keys: &mut Keys,
    ) -> Entry {
        if let Some(change) = limiter.override_of(keys.end())
            && let Some(terms) = self.overridden(change, limiter)
        {
            return self.ask_on(&terms, request, limiter, keys);
        }
        let Some(rates_by) = &self.rule.rates_by else {
            return self.ask_on(&self.terms, request, limiter, keys);
        };
        let rates = guarded(|| rates_by(request)).unwrap_or_default();
        match self.plan.rules_at(&rates.0, limiter) {
            Ok(rules) => {
                self.ask_on(&Terms::new(rules, &self.plan, limiter), request, limiter, keys)
            }
            Err(error) => {
                let response = refusal::misconfigured(self.plan.scope(), &error, limiter);
                Entry::Now(Admission::refused(response))
            }
        }
    }

    /// The rule under an override, unless its backend cannot keep that.
    fn overridden(&self, change: Change, limiter: &RateLimiter) -> Option<Terms> {
        if let Some(terms) = self.overridden.read().get(&change) {
            return terms.clone();
        }
        let made = self.plan.rules_under(change, limiter);
        if let Err(fault) = &made {
            limiter.emit(&Event::override_skipped(self.plan.scope(), fault));
        }
        let terms = made.ok().map(|rules| Terms::new(rules, &self.plan, limiter));
        let mut overridden = self.overridden.write();
        if overridden.len() >= MOST_OVERRIDDEN {
            overridden.clear();
        }
        overridden.insert(change, terms.clone());
        terms
    }

    fn ask_on(
        self: &Arc<Self>,
        terms: &Terms,
        request: &HttpRequest,
        limiter: &RateLimiter,
        keys: &mut Keys,
    ) -> Entry {
        let Terms { rules, fields } = terms;
        keys.finish(&rules.suffixes);
        let cost_by = self.rule.cost_by.as_ref().and_then(|cost| guarded(|| cost(request)));
        let cost = cost_by.unwrap_or_else(|| self.plan.cost());
        let now = limiter.now();
        let asked = Asked { plan: &self.plan, rules, cost, now };
        let deciding = limiter.decide(&asked, keys);
        match deciding {
            Deciding::Ready(outcome) => Entry::Now(self.conclude(&outcome, request, fields)),
            Deciding::Waiting(outcome) => Entry::Waiting(Box::new(Waiting {
                gate: self.clone(),
                fields: fields.clone(),
                outcome,
            })),
        }
    }

    fn is_skipped(&self, request: &HttpRequest) -> bool {
        let skip = self.rule.skip_if.as_ref();
        skip.is_some_and(|skip| guarded(|| skip(request)).unwrap_or(false))
    }

    #[cold]
    fn without_address(&self, request: &HttpRequest, limiter: &RateLimiter) -> Option<Admission> {
        limiter.emit_once(&Event::new(EventKind::NoAddress, self.plan.scope(), None, None));
        match limiter.missing_address() {
            MissingAddress::Shared => None,
            MissingAddress::Allow => Some(Admission::Granted(None)),
            MissingAddress::Refuse => {
                let refusal = Refusal::new(Reason::NoAddress, None);
                let own = self.rule.on_refused.as_ref();
                Some(Admission::refused(refusal.response(request, own)))
            }
        }
    }

    #[inline]
    fn conclude(
        &self,
        outcome: &Outcome,
        request: &HttpRequest,
        fields: &Arc<Fields>,
    ) -> Admission {
        let info = match *outcome {
            Outcome::Decided { decision, rate, decided_at } => {
                RateLimitInfo::new(fields.clone(), rate, decision, decided_at)
            }
            Outcome::Unlimited => return Admission::Granted(None),
            Outcome::Unavailable => return Admission::refused(refusal::unavailable()),
        };
        if !info.is_allowed() {
            return self.beyond(info, request);
        }
        if self.plan.enforcement() == Enforcement::Shadow {
            return Admission::Granted(None);
        }
        Admission::Granted(Some(Pass::issue(info, request)))
    }

    fn beyond(&self, info: RateLimitInfo, request: &HttpRequest) -> Admission {
        match self.plan.enforcement() {
            Enforcement::Block => {
                let pass = Pass::issue(info.clone(), request);
                let refusal = Refusal::new(Reason::of(info.decision()), Some(info));
                let mut response = refusal.response(request, self.rule.on_refused.as_ref());
                pass.write_headers(response.headers_mut());
                refusal.write_retry_after(response.headers_mut());
                Admission::refused(response)
            }
            Enforcement::Observe => Admission::Granted(Some(Pass::issue(info, request))),
            Enforcement::Shadow => Admission::Granted(None),
        }
    }
}

impl Terms {
    fn new(rules: Arc<Rules>, plan: &Plan, limiter: &RateLimiter) -> Self {
        let fields = Arc::new(Fields::new(plan.scope(), &rules, limiter.headers()));
        Self { rules, fields }
    }
}

impl Waiting {
    pub(super) async fn finish(self, request: &HttpRequest) -> Admission {
        let outcome = self.outcome.await;
        self.gate.conclude(&outcome, request, &self.fields)
    }

    /// The future of the outcome, and what is needed to conclude once it is there.
    pub(super) fn poll(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Outcome> {
        self.outcome.as_mut().poll(context)
    }

    pub(super) fn conclude(&self, outcome: &Outcome, request: &HttpRequest) -> Admission {
        self.gate.conclude(outcome, request, &self.fields)
    }
}

impl Pass {
    /// Keeps the strictest decision about a request where its handler can ask for it.
    #[inline]
    fn issue(info: RateLimitInfo, request: &HttpRequest) -> Self {
        let mut extensions = request.extensions_mut();
        if let Some(earlier) = extensions.insert(info.clone())
            && !info.is_stricter_than(&earlier)
        {
            extensions.insert(earlier);
        }
        drop(extensions);
        Self { info }
    }

    /// Whether no stricter limit of the same request has its header fields written.
    #[inline]
    pub(super) fn is_strictest(&self, request: &HttpRequest) -> bool {
        let extensions = request.extensions();
        extensions.get::<RateLimitInfo>().is_none_or(|info| info.is_of(&self.info))
    }

    /// Writes the header fields to the response of an error, which has lost its request, unless a
    /// stricter limit further inside has written its own.
    pub(super) fn write_to_error(&self, response: &mut HttpResponse) {
        let inner = response.extensions_mut().insert(self.info.clone());
        match inner {
            Some(inner) if inner.is_stricter_than(&self.info) => {
                response.extensions_mut().insert(inner);
                return;
            }
            Some(_) => Fields::erase(response.headers_mut()),
            None => {}
        }
        self.write_headers(response.headers_mut());
    }

    /// Writes the header fields.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        self.info.write(headers);
    }
}
