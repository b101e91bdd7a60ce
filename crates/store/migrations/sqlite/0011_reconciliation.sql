-- Up to when all charges of a gateway are known to be in this ledger, by the gateway's clock, in milliseconds UTC.
CREATE TABLE gateway_listing (
    gateway BLOB PRIMARY KEY CHECK (length(gateway) = 16),
    complete_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- While there is a row, nothing is charged: the ledger was restored from an older copy, and not reconciled since.
CREATE TABLE charging_hold (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT;

-- Money that a gateway has collected and nobody could match. While it stands here, the account's documents in its currency
-- are held.
CREATE TABLE unmatched_payment (
    entity INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 16),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    payment BLOB NOT NULL CHECK (length(payment) = 16),
    PRIMARY KEY (entity, account, currency, payment)
) STRICT, WITHOUT ROWID;

-- The payment was taken over from the gateway's books: what asks for it again is not charged.
ALTER TABLE payment ADD COLUMN is_adopted INTEGER NOT NULL DEFAULT 0 CHECK (is_adopted IN (0, 1));
