ALTER TABLE `django_smart_ratelimit_entry`
    DROP COLUMN `cost`,
    MODIFY `key` varchar(255) NOT NULL,
    MODIFY `id` integer NOT NULL AUTO_INCREMENT;
ALTER TABLE `django_smart_ratelimit_counter`
    MODIFY `key` varchar(255) NOT NULL,
    MODIFY `id` integer NOT NULL AUTO_INCREMENT;
DROP TABLE IF EXISTS `ratelimit_state`;
