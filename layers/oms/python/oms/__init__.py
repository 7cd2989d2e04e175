"""Order management: one package per concept; the domain imports nothing of AWS, only `storage` and `api` touch it."""
