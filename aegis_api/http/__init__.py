"""What every route shares: how requests are read, who asks, how answers and problems are written, the OpenAPI document."""
