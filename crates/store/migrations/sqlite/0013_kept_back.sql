-- When a run ends, it is asked why payments of it were not sent.
CREATE INDEX payment_kept_back ON payment (entity, run) WHERE state = 5 AND run IS NOT NULL;
