// @generated automatically by Diesel CLI.

diesel::table! {
    django_smart_ratelimit_config (id) {
        id -> Integer,
        key_pattern -> Text,
        rate_limit -> Text,
        algorithm -> Text,
        is_active -> Bool,
        description -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    django_smart_ratelimit_counter (id) {
        id -> Integer,
        key -> Text,
        count -> Integer,
        window_start -> Timestamp,
        window_end -> Timestamp,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    django_smart_ratelimit_entry (id) {
        id -> Integer,
        key -> Text,
        timestamp -> Timestamp,
        expires_at -> Timestamp,
        algorithm -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        cost -> BigInt,
    }
}

diesel::table! {
    ratelimit_state (key, tag) {
        key -> Text,
        tag -> BigInt,
        first_word -> BigInt,
        second_word -> BigInt,
        updated_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    django_smart_ratelimit_config,
    django_smart_ratelimit_counter,
    django_smart_ratelimit_entry,
    ratelimit_state,
);
