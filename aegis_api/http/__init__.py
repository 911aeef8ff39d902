"""What every route shares: reading requests, authentication, writing answers and problems, the OpenAPI document."""
