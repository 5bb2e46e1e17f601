-- Counters are updated in place, which touches no index as long as a page has room for the new version.
ALTER TABLE "django_smart_ratelimit_counter" SET (fillfactor = 60);
