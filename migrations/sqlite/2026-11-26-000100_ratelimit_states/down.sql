ALTER TABLE "django_smart_ratelimit_entry" DROP COLUMN "cost";
DROP TABLE IF EXISTS "ratelimit_state";
