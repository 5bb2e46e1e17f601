-- A row is wide until it is first changed, and what it leaves then its page has for later versions:
-- PostgreSQL tidies a page at each visit as soon as it has less room than its fillfactor asks for, which
-- rows added side by side, and never narrower than that, would bring about at once.
ALTER TABLE "django_smart_ratelimit_counter" ADD COLUMN IF NOT EXISTS "room" text;
ALTER TABLE "django_smart_ratelimit_counter" ALTER COLUMN "room" SET DEFAULT repeat(' ', 60);
ALTER TABLE "ratelimit_state" ADD COLUMN IF NOT EXISTS "room" text;
ALTER TABLE "ratelimit_state" ALTER COLUMN "room" SET DEFAULT repeat(' ', 60);
