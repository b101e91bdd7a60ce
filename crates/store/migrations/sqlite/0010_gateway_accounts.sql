-- The account at which a gateway charges: the identifier that the gateway reports, or its address where it reports none.
-- Payments in doubt belong to it, and are sent and looked up nowhere else.
CREATE TABLE gateway_account (
    gateway BLOB PRIMARY KEY CHECK (length(gateway) = 16),
    account TEXT NOT NULL CHECK (length(account) > 0)
) STRICT, WITHOUT ROWID;
