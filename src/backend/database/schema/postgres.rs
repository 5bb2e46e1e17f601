// @generated automatically by Diesel CLI.

diesel::table! {
    django_smart_ratelimit_config (id) {
        id -> Int4,
        #[max_length = 255]
        key_pattern -> Varchar,
        #[max_length = 50]
        rate_limit -> Varchar,
        #[max_length = 50]
        algorithm -> Varchar,
        is_active -> Bool,
        description -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    django_smart_ratelimit_counter (id) {
        id -> Int8,
        #[max_length = 255]
        key -> Varchar,
        count -> Int8,
        window_start -> Timestamptz,
        window_end -> Timestamptz,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        room -> Nullable<Text>,
    }
}

diesel::table! {
    django_smart_ratelimit_entry (id) {
        id -> Int8,
        #[max_length = 255]
        key -> Varchar,
        timestamp -> Timestamptz,
        expires_at -> Timestamptz,
        #[max_length = 50]
        algorithm -> Varchar,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        cost -> Int8,
    }
}

diesel::table! {
    ratelimit_state (key, tag) {
        #[max_length = 255]
        key -> Varchar,
        tag -> Int8,
        first_word -> Int8,
        second_word -> Int8,
        updated_at -> Int8,
        expires_at -> Int8,
        room -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    django_smart_ratelimit_config,
    django_smart_ratelimit_counter,
    django_smart_ratelimit_entry,
    ratelimit_state,
);
