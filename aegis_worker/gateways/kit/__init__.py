"""What adapters share: flows of calls, the identity of answers, the fields of JSON, amounts, signatures. Does no I/O."""
