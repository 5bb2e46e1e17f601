-- The tables of django-smart-ratelimit 0.7.2. A database that Django made is taken over as it is.

CREATE TABLE IF NOT EXISTS `django_smart_ratelimit_entry` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `key` varchar(255) NOT NULL,
    `timestamp` datetime(6) NOT NULL,
    `expires_at` datetime(6) NOT NULL,
    `algorithm` varchar(50) NOT NULL,
    `created_at` datetime(6) NOT NULL,
    `updated_at` datetime(6) NOT NULL,
    KEY `django_smar_key_8ff7e9_idx` (`key`, `expires_at`),
    KEY `django_smar_expires_f8e4cc_idx` (`expires_at`),
    KEY `django_smar_key_b42c8a_idx` (`key`, `algorithm`),
    KEY `django_smart_ratelimit_entry_key_cbe2d2ec` (`key`),
    KEY `django_smart_ratelimit_entry_timestamp_53eb23ef` (`timestamp`),
    KEY `django_smart_ratelimit_entry_expires_at_0769bbb7` (`expires_at`)
);

CREATE TABLE IF NOT EXISTS `django_smart_ratelimit_counter` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `key` varchar(255) NOT NULL UNIQUE,
    `count` integer UNSIGNED NOT NULL CHECK (`count` >= 0),
    `window_start` datetime(6) NOT NULL,
    `window_end` datetime(6) NOT NULL,
    `created_at` datetime(6) NOT NULL,
    `updated_at` datetime(6) NOT NULL,
    KEY `django_smar_key_24c4a0_idx` (`key`, `window_end`),
    KEY `django_smar_window__3e0e6a_idx` (`window_end`)
);

CREATE TABLE IF NOT EXISTS `django_smart_ratelimit_config` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `key_pattern` varchar(255) NOT NULL UNIQUE,
    `rate_limit` varchar(50) NOT NULL,
    `algorithm` varchar(50) NOT NULL,
    `is_active` bool NOT NULL,
    `description` longtext NOT NULL,
    `created_at` datetime(6) NOT NULL,
    `updated_at` datetime(6) NOT NULL
);
