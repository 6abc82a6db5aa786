"""Openly licensed animal photos, downloaded from services that offer them.

    animals     what to search for
    services    the requests and answers of each service
    fetch       polite and safe requests
    licences    which licences are open
    judge       which photos are good enough
    store       the downloaded photos and what is known about them
    credits     the list of their makers and licences
    download    puts all of this together

Nothing here has been run against the real services yet. `python -m train download photos --dry-run`
checks them with a few requests.
"""
