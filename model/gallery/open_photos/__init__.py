"""Openly licensed animal photos, fetched from services that are made for it.

`animals` says what to ask for, `services` how each service is asked and what its answers say,
`fetch` how requests are made politely and safely, `store` what was fetched, and `download` puts
them together. None of it has been run against the real services yet: `python -m train download
photos --dry-run` checks that with a few requests.
"""
