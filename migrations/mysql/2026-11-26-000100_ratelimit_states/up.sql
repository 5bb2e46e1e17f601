-- States of two words, for every algorithm but the two of the original; times in Unix microseconds.
CREATE TABLE IF NOT EXISTS `ratelimit_state` (
    `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    `tag` bigint NOT NULL,
    `first_word` bigint NOT NULL,
    `second_word` bigint NOT NULL,
    `updated_at` bigint NOT NULL,
    `expires_at` bigint NOT NULL,
    PRIMARY KEY (`key`, `tag`),
    KEY `ratelimit_state_expires_at_idx` (`expires_at`)
) ENGINE = InnoDB;

-- 32 bits of ids run out. Keys differ by case, and may have any character, whatever the server's
-- character set is.
ALTER TABLE `django_smart_ratelimit_counter`
    MODIFY `id` bigint NOT NULL AUTO_INCREMENT,
    MODIFY `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;
-- Last, for it cannot be repeated where a migration ended half way: permits that an entry stands for;
-- Django's stand for one.
ALTER TABLE `django_smart_ratelimit_entry`
    MODIFY `id` bigint NOT NULL AUTO_INCREMENT,
    MODIFY `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    ADD COLUMN `cost` bigint NOT NULL DEFAULT 1;
