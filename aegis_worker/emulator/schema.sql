CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL,
    merchant_payment_id TEXT,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    capture_method TEXT NOT NULL,
    method TEXT NOT NULL,
    token TEXT NOT NULL,
    metadata TEXT NOT NULL,
    return_url TEXT NOT NULL,
    statement_descriptor TEXT NOT NULL DEFAULT '',
    created_at REAL NOT NULL,
    status TEXT NOT NULL,
    authorized INTEGER NOT NULL,
    captured INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    error_code TEXT NOT NULL,
    due_at REAL,
    due_status TEXT,
    due_error TEXT NOT NULL,
    hidden_until REAL NOT NULL,
    down_until REAL NOT NULL,
    client_secret TEXT NOT NULL DEFAULT '',
    given_script TEXT NOT NULL DEFAULT '',
    webhook_script TEXT NOT NULL DEFAULT '',
    demands_3ds INTEGER NOT NULL DEFAULT 0,
    CHECK (0 <= refunded AND 0 <= captured AND captured <= authorized AND authorized <= amount)
);
CREATE INDEX IF NOT EXISTS payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS operations (
    seq INTEGER PRIMARY KEY,
    payment_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL,
    idempotency_key TEXT,
    error_code TEXT NOT NULL,
    at REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'succeeded',
    due_at REAL,
    due_error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS operations_payment ON operations (payment_id);
CREATE INDEX IF NOT EXISTS operations_reference ON operations (reference);
CREATE TABLE IF NOT EXISTS idempotency_keys (
    key TEXT PRIMARY KEY,
    request_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    ready_at REAL NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_keys_expiry ON idempotency_keys (expires_at);
CREATE TABLE IF NOT EXISTS first_calls (
    reference TEXT NOT NULL,
    script TEXT NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (reference, script, operation)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS webhooks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    script TEXT NOT NULL DEFAULT ''
);
-- What a wire format shows beside the payments, each as JSON. At `due_at` something becomes of it by itself.
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    payment_id TEXT,
    body TEXT NOT NULL,
    due_at REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_payment ON documents (payment_id, kind, id);
CREATE INDEX IF NOT EXISTS documents_due ON documents (due_at) WHERE due_at IS NOT NULL;
