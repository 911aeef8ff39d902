"""What scripts/write_documents.py takes from the code for docs/reference: one module for each document."""
