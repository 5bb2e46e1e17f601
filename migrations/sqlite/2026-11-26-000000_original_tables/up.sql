-- The tables of django-smart-ratelimit 0.7.2. A database that Django made is taken over as it is.

CREATE TABLE IF NOT EXISTS "django_smart_ratelimit_entry" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" varchar(255) NOT NULL,
    "timestamp" datetime NOT NULL,
    "expires_at" datetime NOT NULL,
    "algorithm" varchar(50) NOT NULL,
    "created_at" datetime NOT NULL,
    "updated_at" datetime NOT NULL
);
CREATE INDEX IF NOT EXISTS "django_smar_key_8ff7e9_idx"
    ON "django_smart_ratelimit_entry" ("key", "expires_at");
CREATE INDEX IF NOT EXISTS "django_smar_expires_f8e4cc_idx"
    ON "django_smart_ratelimit_entry" ("expires_at");
CREATE INDEX IF NOT EXISTS "django_smar_key_b42c8a_idx"
    ON "django_smart_ratelimit_entry" ("key", "algorithm");
CREATE INDEX IF NOT EXISTS "django_smart_ratelimit_entry_key_cbe2d2ec"
    ON "django_smart_ratelimit_entry" ("key");
CREATE INDEX IF NOT EXISTS "django_smart_ratelimit_entry_timestamp_53eb23ef"
    ON "django_smart_ratelimit_entry" ("timestamp");
CREATE INDEX IF NOT EXISTS "django_smart_ratelimit_entry_expires_at_0769bbb7"
    ON "django_smart_ratelimit_entry" ("expires_at");

CREATE TABLE IF NOT EXISTS "django_smart_ratelimit_counter" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" varchar(255) NOT NULL UNIQUE,
    "count" integer unsigned NOT NULL CHECK ("count" >= 0),
    "window_start" datetime NOT NULL,
    "window_end" datetime NOT NULL,
    "created_at" datetime NOT NULL,
    "updated_at" datetime NOT NULL
);
CREATE INDEX IF NOT EXISTS "django_smar_key_24c4a0_idx"
    ON "django_smart_ratelimit_counter" ("key", "window_end");
CREATE INDEX IF NOT EXISTS "django_smar_window__3e0e6a_idx"
    ON "django_smart_ratelimit_counter" ("window_end");

CREATE TABLE IF NOT EXISTS "django_smart_ratelimit_config" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key_pattern" varchar(255) NOT NULL UNIQUE,
    "rate_limit" varchar(50) NOT NULL,
    "algorithm" varchar(50) NOT NULL,
    "is_active" bool NOT NULL,
    "description" text NOT NULL,
    "created_at" datetime NOT NULL,
    "updated_at" datetime NOT NULL
);
