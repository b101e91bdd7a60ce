-- The gateway's customer to whom a payment method's token belongs.
ALTER TABLE payment_method ADD COLUMN customer TEXT;
