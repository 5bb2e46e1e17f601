//! How any authentication says who the user is.

use std::collections::BTreeMap;

/// The authenticated user of a request, as the application's own authentication found it.
///
/// An authentication middleware inserts it into the request's extensions; keys and conditions read
/// it from there. Wrap the limiter so that authentication runs first.
///
/// ```
/// use actix_smart_ratelimit::RateLimitUser;
/// use actix_web::{HttpMessage, dev::ServiceRequest};
///
/// fn authenticated(request: &ServiceRequest, id: u64) {
///     let user = RateLimitUser::new(id).tenant("acme").attribute("tier", "premium");
///     request.extensions_mut().insert(user);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RateLimitUser {
    id: String,
    tenant: Option<String>,
    staff: bool,
    superuser: bool,
    attributes: BTreeMap<String, String>,
}

impl RateLimitUser {
    /// A user with this id.
    pub fn new(id: impl ToString) -> Self {
        Self {
            id: id.to_string(),
            tenant: None,
            staff: false,
            superuser: false,
            attributes: BTreeMap::new(),
        }
    }

    /// The tenant that the user belongs to.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Whether the user is staff.
    pub fn staff(mut self, staff: bool) -> Self {
        self.staff = staff;
        self
    }

    /// Whether the user is a superuser.
    pub fn superuser(mut self, superuser: bool) -> Self {
        self.superuser = superuser;
        self
    }

    /// Anything else by which limits are chosen, such as a tier.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tenant.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Whether the user is staff.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        self.staff
    }

    /// Whether the user is a superuser.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        self.superuser
    }

    /// An attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}
