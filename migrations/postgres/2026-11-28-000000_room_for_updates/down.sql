ALTER TABLE "django_smart_ratelimit_counter" RESET (fillfactor);
