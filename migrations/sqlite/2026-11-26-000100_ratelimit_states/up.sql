-- States of two words, for every algorithm but the two of the original; times in Unix microseconds.
CREATE TABLE IF NOT EXISTS "ratelimit_state" (
    "key" varchar(255) NOT NULL,
    "tag" bigint NOT NULL,
    "first_word" bigint NOT NULL,
    "second_word" bigint NOT NULL,
    "updated_at" bigint NOT NULL,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("key", "tag")
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "ratelimit_state_expires_at_idx" ON "ratelimit_state" ("expires_at");

-- Permits that an entry stands for; Django's stand for one.
ALTER TABLE "django_smart_ratelimit_entry" ADD COLUMN "cost" bigint NOT NULL DEFAULT 1;
