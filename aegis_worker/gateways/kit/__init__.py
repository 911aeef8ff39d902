"""What adapters share: flows of calls, identity of answers, reading JSON, amounts, signatures. Does no I/O."""
