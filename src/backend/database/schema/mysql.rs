// @generated automatically by Diesel CLI.

diesel::table! {
    django_smart_ratelimit_config (id) {
        id -> Integer,
        #[max_length = 255]
        key_pattern -> Varchar,
        #[max_length = 50]
        rate_limit -> Varchar,
        #[max_length = 50]
        algorithm -> Varchar,
        is_active -> Bool,
        description -> Longtext,
        created_at -> Datetime,
        updated_at -> Datetime,
    }
}

diesel::table! {
    django_smart_ratelimit_counter (id) {
        id -> Bigint,
        #[max_length = 255]
        key -> Varchar,
        count -> Unsigned<Integer>,
        window_start -> Datetime,
        window_end -> Datetime,
        created_at -> Datetime,
        updated_at -> Datetime,
    }
}

diesel::table! {
    django_smart_ratelimit_entry (id) {
        id -> Bigint,
        #[max_length = 255]
        key -> Varchar,
        timestamp -> Datetime,
        expires_at -> Datetime,
        #[max_length = 50]
        algorithm -> Varchar,
        created_at -> Datetime,
        updated_at -> Datetime,
        cost -> Bigint,
    }
}

diesel::table! {
    ratelimit_state (key, tag) {
        #[max_length = 255]
        key -> Varchar,
        tag -> Bigint,
        first_word -> Bigint,
        second_word -> Bigint,
        updated_at -> Bigint,
        expires_at -> Bigint,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    django_smart_ratelimit_config,
    django_smart_ratelimit_counter,
    django_smart_ratelimit_entry,
    ratelimit_state,
);
