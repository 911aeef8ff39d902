"""Logs and error reports, with secrets and card data taken out."""
