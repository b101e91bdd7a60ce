-- How often a payment in doubt was delivered once more: what was heard of it before such a delivery says nothing about it.
ALTER TABLE payment ADD COLUMN deliveries INTEGER NOT NULL DEFAULT 0;
