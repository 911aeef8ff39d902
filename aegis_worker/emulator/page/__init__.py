"""The page beside the ledger: what was asked, answered and told lately."""
