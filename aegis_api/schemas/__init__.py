"""What the API takes and gives: strict marshmallow schemas, built once at import, and the documented answers."""
