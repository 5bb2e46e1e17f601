ALTER TABLE "django_smart_ratelimit_counter" DROP COLUMN "room";
ALTER TABLE "ratelimit_state" DROP COLUMN "room";
