ALTER TABLE "django_smart_ratelimit_entry" DROP COLUMN IF EXISTS "cost";
ALTER TABLE "django_smart_ratelimit_counter"
    ALTER COLUMN "count" TYPE integer USING least("count", 2147483647)::integer,
    ALTER COLUMN "id" TYPE integer;
ALTER TABLE "django_smart_ratelimit_entry" ALTER COLUMN "id" TYPE integer;
DROP TABLE IF EXISTS "ratelimit_state";
