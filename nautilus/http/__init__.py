"""HTTP: one ASGI app with every engine mounted, OpenAPI made from types, errors as problem documents."""
