-- How many charges under a document's keys were approved, declined or refused, or settled by a person. It is part of the next key.
ALTER TABLE document ADD COLUMN charges_answered INTEGER NOT NULL DEFAULT 0;
-- What the gateway reports of the charge contradicts the request: nothing is delivered under its key again without a person.
ALTER TABLE payment ADD COLUMN bars_delivery INTEGER NOT NULL DEFAULT 0 CHECK (bars_delivery IN (0, 1));
-- One charge at a gateway belongs to one payment.
CREATE INDEX payment_reference ON payment (gateway, reference) WHERE reference IS NOT NULL AND gateway IS NOT NULL;
