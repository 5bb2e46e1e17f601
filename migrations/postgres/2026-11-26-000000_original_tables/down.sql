-- Also drops tables that Django made: revert this only where nobody else counts in them.

DROP TABLE IF EXISTS "django_smart_ratelimit_config";
DROP TABLE IF EXISTS "django_smart_ratelimit_counter";
DROP TABLE IF EXISTS "django_smart_ratelimit_entry";
