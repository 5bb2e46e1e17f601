//! What rules ask for that only an application has.

use crate::{
    KeyPart,
    config::{ConditionSpec, Config, RuleConfig},
};

/// What of each rule cannot be had here, for the log.
pub(super) fn of(config: &Config) -> Vec<(String, String)> {
    let rules = config.middleware.rules.iter();
    let of_rules = rules.flat_map(|rule| of_rule(rule).map(|what| (rule.name.clone(), what)));
    let default = keys(config.middleware.default_key.parts());
    let of_default = default.map(|what| ("default".to_owned(), what));
    let default_applies = config.middleware.default;
    of_rules.chain(of_default.filter(|_| default_applies)).collect()
}

fn of_rule(rule: &RuleConfig) -> impl Iterator<Item = String> {
    let conditions = rule.when.iter().chain(&rule.unless).filter(|condition| {
        use ConditionSpec::{Authenticated, Staff, Superuser, UserAttribute};
        matches!(condition, Authenticated | Staff | Superuser | UserAttribute(..))
    });
    let never = conditions.map(|condition| format!("the condition {condition} is never met"));
    let tiers = rule.tiers.iter().map(|_| "tiers never apply".to_owned());
    keys(rule.key.parts()).chain(never).chain(tiers)
}

fn keys(parts: &[KeyPart]) -> impl Iterator<Item = String> {
    let lacking = parts.iter().filter(|part| {
        use KeyPart::{Jwt, Path, Session, User, UserOrIp};
        matches!(part, User | UserOrIp | Session | Jwt(_) | Path(_))
    });
    lacking.map(|part| format!("the key {part} counts by address"))
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::config::Config;

    #[test]
    fn what_only_an_application_has_is_told_of_each_rule() {
        let config = Config::from_toml_str(
            "[middleware]\ndefault_key = \"user_or_ip\"\n\
             [[middleware.rules]]\nname = \"a\"\nkey = \"path:id+header:X-Api-Key\"\n\
             unless = [\"staff\", \"bot\"]\n\
             [[middleware.rules]]\nname = \"b\"\nkey = \"api_key\"\n",
        )
        .unwrap();
        let told: Vec<_> =
            of(&config).iter().map(|(rule, what)| format!("{rule}: {what}")).collect();
        let expected = [
            "a: the key path:id counts by address",
            "a: the condition staff is never met",
            "default: the key user_or_ip counts by address",
        ];
        assert_eq!(told, expected);
    }
}
