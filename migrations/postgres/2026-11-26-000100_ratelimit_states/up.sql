-- States of two words, for every algorithm but the two of the original; times in Unix microseconds.
-- Rows are updated in place, so pages keep room for it.
CREATE TABLE IF NOT EXISTS "ratelimit_state" (
    "key" varchar(255) COLLATE "C" NOT NULL,
    "tag" bigint NOT NULL,
    "first_word" bigint NOT NULL,
    "second_word" bigint NOT NULL,
    "updated_at" bigint NOT NULL,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("key", "tag")
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS "ratelimit_state_expires_at_idx" ON "ratelimit_state" ("expires_at");

-- 32 bits of ids run out, and a limit may be larger than a 32-bit count.
ALTER TABLE "django_smart_ratelimit_entry" ALTER COLUMN "id" TYPE bigint;
ALTER TABLE "django_smart_ratelimit_counter"
    ALTER COLUMN "id" TYPE bigint,
    ALTER COLUMN "count" TYPE bigint;
DO $$
DECLARE
    tables text[] := ARRAY['django_smart_ratelimit_entry', 'django_smart_ratelimit_counter'];
    found text;
    ids text;
BEGIN
    FOREACH found IN ARRAY tables LOOP
        ids := pg_get_serial_sequence(found, 'id');
        IF ids IS NOT NULL THEN
            EXECUTE format('ALTER SEQUENCE %s AS bigint', ids);
        END IF;
    END LOOP;
END
$$;

-- Permits that an entry stands for; Django's stand for one.
ALTER TABLE "django_smart_ratelimit_entry" ADD COLUMN IF NOT EXISTS "cost" bigint NOT NULL DEFAULT 1;
