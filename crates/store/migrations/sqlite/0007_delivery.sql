-- When a delivery of a payment in doubt was begun that has not ended yet: nobody gives such a payment up.
ALTER TABLE payment ADD COLUMN delivery_begun_at INTEGER;
